"""Letters for a first sign-in, with tokens in clear: who may print them, for whom, and when.

A right of its own, at the schools of its scope; only for guardians of these schools' pupils who
are invited at the moment when the token is made; each letter in the audit log (security rule
A5; docs/decisions/printed-letters.md). The file is what a function returns: no token is kept.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, select

from idp import clock
from idp.credentials import one_time_tokens
from idp.database import db, retried
from idp.desk.access.acts import act_at_school
from idp.desk.access.rights import Right, Staff
from idp.desk.printed_letters import recipients
from idp.desk.printed_letters.words import Letter, Words, words
from idp.errors import Conflict, NotFound
from idp.lifecycle.mails import requests as mail_requests
from idp.mail.messages import clean
from idp.people import accounts, guardianships
from idp.people import staff as roles
from idp.people.models import Account, Child, Guardianship, School, full_name
from idp.people.names import sort_key
from idp.settings import current as settings

_ATTEMPTS: Final = 5
"""How often the sheets are set anew since somebody is out meanwhile: signed in, or printed for."""


@dataclass(frozen=True)
class Printout:
    """What goes to the printer: a PDF, a page for each letter."""

    pdf: bytes = field(repr=False)
    letters: int


@dataclass(frozen=True)
class _Family:
    """A guardian who waits for a letter, and the pupils by whom it reaches them."""

    account_id: str
    name: str
    username: str
    locale: str | None
    pupils: tuple[str, ...]


def print_letter(
    staff: Staff,
    account_id: str,
    *,
    school_id: str | None = None,
    seen: int | None = None,
    keep_sheets: Callable[[bytes], None] | None = None,
) -> Printout:
    """One guardian's letter; the tokens of earlier letters and mails end.

    ``keep_sheets``: gets the file before any token ends; where that raises, none does.

    ``school_id``: whose letter it is where the guardian has pupils at several schools of the
    scope; the first by name else. ``seen``: the newest printing that staff knew of
    (``recipients.Person.seen``); None at a terminal. Raises ``NotFound``, and ``Conflict``:
    ``not_invited`` (rule A5) or ``printed_meanwhile``, by somebody else or with a sign-in.
    """
    person = recipients.person(staff, account_id, school_id=school_id)
    if person is None:
        raise NotFound("account", account_id)
    if person.account.status != "invited":
        raise Conflict("not_invited", status=person.account.status)
    waiting = _recipients_of(person.school, Account.id == account_id)
    return _printed(staff, person.school, waiting, seen, keep_sheets)


def print_class(
    staff: Staff,
    school_id: str,
    class_name: str | None,
    *,
    with_email: bool = False,
    again: bool = False,
    seen: int | None = None,
    keep_sheets: Callable[[bytes], None] | None = None,
) -> Printout:
    """The letters of a class, or (None) of the whole school, in the order of its pupils.

    ``with_email``: for guardians who can be invited by mail, too; their mailed tokens end.
    ``again``: for those who have a letter that still works, too; it ends. ``seen`` and
    ``keep_sheets``: as in ``print_letter``. Raises ``NotFound``, and ``Conflict``: ``nobody_left``
    or ``printed_meanwhile``.
    """
    school = recipients.school(staff, school_id)
    chosen = [recipients.live_in(school.id, class_name)]
    if not with_email:
        chosen.append(Account.email.is_(None))
    if not again:
        chosen.append(Account.id.not_in(recipients.have_a_letter(school.id)))
    waiting = _recipients_of(school, *chosen, class_name=class_name)
    if not waiting:
        newest = recipients.newest(school.id, class_name)
        none_left = seen is None or newest <= seen
        raise Conflict("nobody_left" if none_left else "printed_meanwhile")
    return _printed(staff, school, waiting, seen, keep_sheets)


def _recipients_of(
    school: School, *whom: ColumnElement[bool], class_name: str | None = None
) -> list[_Family]:
    """Invited guardians of the school's pupils, in the order of the pupils' names."""
    query = (
        select(Account, Child.given_name, Child.family_name, Child.class_name)
        .join(Guardianship, Guardianship.account_id == Account.id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(guardianships.live(), Child.school_id == school.id)
        .where(Account.status == "invited", *whom)
        .execution_options(populate_existing=True)
    )
    if class_name is not None:
        query = query.where(Child.class_name == class_name)
    pupils_by_account: dict[str, tuple[Account, list[tuple[str, str, str]]]] = {}
    for account, given_name, family_name, of_class in db.session.execute(query):
        pupils = pupils_by_account.setdefault(account.id, (account, []))[1]
        pupils.append(
            (
                of_class,
                sort_key(f"{family_name} {given_name}".strip()),
                full_name(given_name, family_name),
            )
        )
    inorder = sorted(
        pupils_by_account.values(), key=lambda each: (min(each[1]), each[0].username_key)
    )
    return [_family(account, sorted(pupils)) for account, pupils in inorder]


def _family(account: Account, pupils: Iterable[tuple[str, str, str]]) -> _Family:
    return _Family(
        account.id,
        clean(account.full_name),
        clean(account.username),
        account.locale,
        tuple(clean(f"{name} ({of_class})" if of_class else name) for of_class, _, name in pupils),
    )


def _printed(
    staff: Staff,
    school: School,
    waiting: list[_Family],
    seen: int | None,
    keep_sheets: Callable[[bytes], None] | None,
) -> Printout:
    """Set the letters, and only then keep their tokens, which end the earlier ones: sheets that
    can't be set end nothing. Whoever is out by the time they are kept has them set anew.
    """
    known = recipients.newest(school.id) if seen is None else seen
    issue = partial(_issue, staff, school.id, known)
    may = issue({each.account_id: None for each in waiting})
    for _ in range(_ATTEMPTS):
        waiting = [each for each in waiting if each.account_id in may]
        if not waiting:
            break
        tokens = {each.account_id: one_time_tokens.draw() for each in waiting}
        pdf = _set(school, _letters(school, waiting, tokens))
        if keep_sheets is not None:
            keep_sheets(pdf)
        may = issue(tokens)
        if len(may) == len(tokens):
            return Printout(pdf, len(waiting))
    raise Conflict("printed_meanwhile")


def _letters(school: School, waiting: list[_Family], tokens: Mapping[str, str]) -> list[Letter]:
    now = clock.now()
    until = now + settings().first_sign_in_lifetime
    spoken: dict[str, Words] = {}
    letters = []
    for each in waiting:
        locale = each.locale or school.locale
        if locale not in spoken:
            spoken[locale] = words(school, locale, now)
        token = tokens[each.account_id]
        letters.append(Letter(each.name, each.username, each.pupils, token, until, spoken[locale]))
    return letters


@retried
def _issue(
    staff: Staff, school_id: str, known: int, tokens: Mapping[str, str | None]
) -> Collection[str]:
    """Keep these tokens, if every one of their owners may have a letter still, all or none;
    returns who may.
    """
    with act_at_school(staff, Right.PRINT_LETTERS, school_id) as on:
        # Held first: of two who print at once, the second sees what the first has printed
        held = [account.id for account in accounts.lock_invited(sorted(tokens))]
        printed = recipients.printed_since(school_id, held, known)
        # A letter opens an account before its holder has a second factor: none for staff (A3)
        out = printed | roles.any_of(held)
        live = recipients.still_live(on.school_scope, school_id, held)
        may = {each for each in held if each in live - out}
        drawn = {owner: token for owner, token in tokens.items() if token is not None}
        if drawn and len(may) == len(drawn):
            mail_requests.issue_letter_tokens(drawn)
            on.record_for_each("letter_printed", sorted(drawn))
        elif not drawn:
            on.keep()  # a look: nothing was written, and nothing has to be read again
    return may


def _set(school: School, letters: list[Letter]) -> bytes:
    # Only who prints waits for what draws: a third of the time that each command takes to start
    from idp.desk.printed_letters import paper as letter_paper

    logo = db.session.scalar(select(School.logo_png).where(School.id == school.id))
    title = words(school, school.locale, clock.now()).title
    return letter_paper.printed(
        letters, title=title, locale=school.locale, colour=school.colour, logo=logo
    )
