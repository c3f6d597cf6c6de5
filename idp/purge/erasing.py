"""Erases people: nothing in the database says who they were any more (security rule R16).

What refers to them leaves with them (``belongings``); what is kept of the audit log keeps their
ids, which lead nowhere. Called again for somebody who is gone, or half gone, it takes what is left:
a backup that is put back brings people back, and they are erased anew by their ids.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final

from sqlalchemy import delete, func, or_, select, text, update

from idp.audit import events, redaction
from idp.audit.models import AuditEvent
from idp.audit.redaction import Concerned
from idp.credentials.models import EmailChange, OneTimeToken
from idp.database import db, in_parts, keyed_hash, retried, scrubbing, transaction
from idp.database.hashes import all_of
from idp.federation.models import FederatedLink, PendingLink
from idp.mail.models import OutboxMessage
from idp.oidc.models import DeviceCode, PushedRequest
from idp.people import search_index
from idp.people.models import Account, Child, Guardianship
from idp.purge import staged_names
from idp.purge.belongings import EMPTIED, OF_ACCOUNT, OF_CHILD
from idp.purge.staged_names import Written
from idp.roster.models import RosterChange, RosterGuardianship, RosterIdentity
from idp.sessions.models import BrowserSession, Interaction

AT_ONCE: Final = 100
"""People in one transaction."""
_IN_ORDER: Final = text("INSERT INTO directory_index(directory_index) VALUES ('optimize')")
_LINK: Final = {Account: "account_id", Child: "child_id"}
EVENTS: Final = ("account_erased", "child_erased")


@dataclass(frozen=True)
class Erased:
    """Somebody who was erased, and when: all that is kept of them."""

    id: str
    at: datetime


def erase(*, accounts: Iterable[str] = (), children: Iterable[str] = (), why: str) -> int:
    """Erase these people, some at a time, each time in a transaction of its own; children first.

    Returns how many of them were there. ``why`` stands in the audit log: a word.
    """
    done = 0
    for some in in_parts(sorted(children), AT_ONCE):
        done += _erase_some([], some, why)
    for some in in_parts(sorted(accounts), AT_ONCE):
        done += _erase_some(some, [], why)
    return done


def erase_again(people: Iterable[Erased]) -> int:
    """Erase those who were erased before, in a database that has them again."""
    ids = {each.id for each in people}
    children = {each for each in ids if each.startswith("p_")}
    return erase(accounts=ids - children, children=children, why="restored")


def list_erased(since: datetime | None = None) -> list[Erased]:
    """Who was erased (from then on), the earliest first; as long as the audit log goes back."""
    person = func.coalesce(AuditEvent.child_id, AuditEvent.account_id)
    query = select(person, func.max(AuditEvent.at)).where(AuditEvent.event.in_(EVENTS))
    if since is not None:
        query = query.where(AuditEvent.at >= since)
    rows = db.session.execute(query.group_by(person).order_by(func.max(AuditEvent.at)))
    return [Erased(*row) for row in rows]


def scrub() -> None:
    """After people were erased: what SQLite keeps of deleted rows leaves its file.

    Its search index strikes out letters of entries that are gone, and drops them when it is told to
    put itself in order.
    """
    if db.engine.dialect.name == "sqlite":
        with transaction() as session:
            session.execute(_IN_ORDER)
    scrubbing.scrub()


@retried
def _erase_some(account_ids: Sequence[str], child_ids: Sequence[str], why: str) -> int:
    with transaction():
        return erase_held(account_ids, child_ids, why)


def erase_held(account_ids: Sequence[str], child_ids: Sequence[str], why: str) -> int:
    """Erase them in the caller's transaction; returns how many were there."""
    people = _People(account_ids, child_ids)
    staged_names.forget(people.written)  # first: rows that go by id say which runs wait with them
    if account_ids:
        _forget_steps(people)
    for columns, ids in ((OF_CHILD, child_ids), (OF_ACCOUNT, account_ids)):
        _delete_rows(columns, ids)
    _forget_reasons(people)
    search_index.refresh_many([], people.guardians - set(account_ids))
    redaction.redact(people.concerned)
    for account_id in people.present:
        for school_id in people.schools_of.get(account_id, [None]):
            events.record("account_erased", account_id=account_id, school_id=school_id, why=why)
    for child_id, school_id in people.children_at.items():
        events.record("child_erased", child_id=child_id, school_id=school_id, why=why)
    return len(people.present) + len(people.children_at)


class _People:
    """Who is to be erased, read and held before anything of theirs is gone."""

    def __init__(self, account_ids: Sequence[str], child_ids: Sequence[str]) -> None:
        self.account_ids, self.child_ids = account_ids, child_ids
        self.written = Written()
        self.emails: set[str] = set()
        self.usernames: set[str] = set()
        held_accounts = _held(Account, account_ids)
        held_children = _held(Child, child_ids)
        self.present = [account.id for account in held_accounts]
        self.children_at = {child.id: child.school_id for child in held_children}
        for account in held_accounts:
            self._add_account(account)
        for child in held_children:
            self.written.add_name(child.given_name, child.family_name)
            self.written.add_number(child.sourced_id)
        self._add_former_words()
        theirs = set(_scalars(Guardianship.child_id, Guardianship.account_id, account_ids))
        self.family = theirs | set(child_ids)
        self.guardians = set(_scalars(Guardianship.account_id, Guardianship.child_id, self.family))
        self.schools_of = _schools_of(account_ids)
        self._add_relatives(held_accounts, Account, Child)
        self._add_relatives(held_children, Child, Account)
        for each in (*held_accounts, *held_children):
            db.session.expunge(each)  # nobody reads of them from memory what is gone

    @property
    def concerned(self) -> Concerned:
        worked = select(AuditEvent.account_id).where(
            AuditEvent.account_id.in_(self.account_ids), AuditEvent.event == "role_granted"
        )
        return Concerned(
            accounts=set(self.account_ids),
            children=set(self.child_ids),
            family=self.family,
            guardians=self.guardians,
            schools={*self.children_at.values(), *filter(None, chain(*self.schools_of.values()))},
            staff=set(db.session.scalars(worked)),
            is_named=self.written.stands_in_note,
        )

    def _add_account(self, account: Account) -> None:
        self.written.add_name(account.given_name, account.family_name)
        self.usernames |= {account.username.lower(), account.username_key}
        self._add_email(account.email)

    def _add_email(self, address: str | None) -> None:
        self.written.add_email(address)
        if address:
            self.emails.add(address.lower())

    def _add_relatives(self, held: list[Any], mine: Any, theirs: Any) -> None:
        if not held:
            return
        rows = db.session.execute(
            select(mine.given_name, theirs.family_name)
            .join(Guardianship, getattr(Guardianship, _LINK[mine]) == mine.id)
            .join(theirs, theirs.id == getattr(Guardianship, _LINK[theirs]))
            .where(mine.id.in_([each.id for each in held]))
        )
        for given_name, family_name in rows:
            self.written.add_relatives_name(given_name, family_name)

    def _add_former_words(self) -> None:
        """Addresses and names of before, and the numbers by which schools call them."""
        changes = select(EmailChange.old_email, EmailChange.new_email, EmailChange.undo_email)
        for row in db.session.execute(changes.where(EmailChange.account_id.in_(self.account_ids))):
            for address in row:
                self._add_email(address)
        theirs = or_(
            RosterChange.account_id.in_(self.account_ids),
            RosterChange.child_id.in_(self.child_ids),
        )
        for change in db.session.scalars(select(RosterChange).where(theirs)):
            self.written.add_name(change.given_name, change.family_name)
            self.written.add_name(change.old_given_name, change.old_family_name)
            self._add_email(change.email)
            self._add_email(change.old_email)
        numbers = select(RosterIdentity.sourced_id).where(
            or_(
                RosterIdentity.account_id.in_(self.account_ids),
                RosterIdentity.child_id.in_(self.child_ids),
            )
        )
        for number in db.session.scalars(numbers):
            self.written.add_number(number)


def _held(model: Any, ids: Sequence[str]) -> list[Any]:
    query = select(model).where(model.id.in_(ids)).order_by(model.id)
    held = query.with_for_update(of=model).execution_options(populate_existing=True)
    return list(db.session.scalars(held)) if ids else []


def _scalars(column: Any, owner: Any, ids: Collection[str]) -> Iterator[str]:
    yield from db.session.scalars(select(column).where(owner.in_(ids)).distinct())


def _schools_of(account_ids: Sequence[str]) -> dict[str, list[str | None]]:
    """The schools at which each is or was guardian, which may read that they are erased."""
    query = (
        select(Guardianship.account_id, Child.school_id)
        .join(Child, Child.id == Guardianship.child_id)
        .where(Guardianship.account_id.in_(account_ids))
        .distinct()
    )
    at: dict[str, list[str | None]] = {}
    for account_id, school_id in db.session.execute(query):
        at.setdefault(account_id, []).append(school_id)
    return at


def _forget_steps(people: _People) -> None:
    """What waits in browsers: their requests, and what was typed into them or shown there."""
    ids, emails = people.account_ids, people.emails
    typed = emails | people.usernames
    tokens = select(OneTimeToken.id).where(OneTimeToken.account_id.in_(ids))
    sessions = select(BrowserSession.id).where(BrowserSession.account_id.in_(ids))
    identities = select(FederatedLink.issuer, FederatedLink.subject)
    identities = identities.where(FederatedLink.account_id.in_(ids))
    recipients = (keyed_hash("mail recipient", key) for key in people.written.email_keys)
    hashes = {each for recipient in recipients for each in all_of(recipient)}
    nobodys = OutboxMessage.account_id.is_(None)
    mails = or_(
        OutboxMessage.recipient_hash.in_(hashes),
        OutboxMessage.about["email"].as_string().in_(people.written.email_keys),
    )
    for model, condition in (
        (
            Interaction,
            or_(
                Interaction.verified_token_id.in_(tokens),
                Interaction.signed_in_session_id.in_(sessions),
                _hinted(Interaction, typed),
            ),
        ),
        (PushedRequest, _hinted(PushedRequest, typed)),
        (DeviceCode, _hinted(DeviceCode, typed)),
        (
            PendingLink,
            or_(
                func.lower(PendingLink.shown).in_(emails),
                select(1)
                .where(
                    FederatedLink.account_id.in_(ids),
                    FederatedLink.issuer == PendingLink.issuer,
                    FederatedLink.subject == PendingLink.subject,
                )
                .exists(),
            ),
        ),
        (OutboxMessage, nobodys & mails),
    ):
        _execute(delete(model).where(condition))


def _forget_reasons(people: _People) -> None:
    """What staff wrote of another guardian's link to the same child, where it names them."""
    query = select(Guardianship).where(
        Guardianship.child_id.in_(people.family), Guardianship.ended_reason.is_not(None)
    )
    for guardianship in db.session.scalars(query):
        if people.written.stands_in_note(guardianship.ended_reason or ""):
            guardianship.ended_reason = ""


def _hinted(model: Any, typed: Collection[str]) -> Any:
    return func.lower(func.trim(model.request["login_hint"].as_string())).in_(typed)


def _delete_rows(columns: Sequence[Any], ids: Sequence[str]) -> None:
    if not ids:
        return
    if columns is OF_ACCOUNT:
        for column in EMPTIED:
            _execute(update(column.class_).where(column.in_(ids)).values({column.key: None}))
    for column in columns:
        if column.class_ is Guardianship:
            theirs = select(Guardianship.id).where(column.in_(ids))
            roster = RosterGuardianship.guardianship_id.in_(theirs)
            _execute(delete(RosterGuardianship).where(roster))
        _execute(delete(column.class_).where(column.in_(ids)))


def _execute(statement: Any) -> None:
    db.session.execute(statement.execution_options(synchronize_session=False))
