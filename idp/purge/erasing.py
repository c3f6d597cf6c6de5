"""Erases people: nothing in the database says who they were any more (security rule R16).

What refers to them leaves with them (``belongings``); what is kept of the audit log keeps their
ids, which lead nowhere. Called again for somebody who is gone, or half gone, it takes what is left:
a backup that is put back brings people back, and they are erased anew by their ids.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, or_, select, text, update

from idp.audit import events, redaction
from idp.audit.vocabulary import ERASED_AGAIN
from idp.credentials.models import OneTimeToken
from idp.database import db, in_parts, keyed_hash, retried, scrubbing, transaction
from idp.database.hashes import all_of
from idp.federation.models import FederatedLink, PendingLink
from idp.mail.models import OutboxMessage
from idp.oidc.models import DeviceCode, PushedRequest
from idp.people import search_index
from idp.people.models import Account, Child, Guardianship, StaffRole
from idp.purge import staged_names
from idp.purge.belongings import EMPTIED, OF_ACCOUNT, OF_CHILD
from idp.purge.erased_people import People
from idp.roster.models import RosterGuardianship
from idp.sessions.models import BrowserSession, Interaction

AT_ONCE: Final = 100
"""People in one transaction."""
_IN_ORDER: Final = text("INSERT INTO directory_index(directory_index) VALUES ('optimize')")


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


def erase_again(ids: Collection[str]) -> int:
    """Erase those who were erased before, in a database that has them again, and what SQLite's file
    keeps of them; returns how many of them were there.
    """
    if not ids:
        return 0
    children = {each for each in ids if each.startswith("p_")}
    done = erase(accounts=set(ids) - children, children=children, why=ERASED_AGAIN)
    scrub()
    return done


@dataclass(frozen=True)
class Living:
    """Those of a list who are there, and so would be erased."""

    ids: frozenset[str]
    at_a_desk: int
    """How many of them have a role: whoever is erased on request has none any more."""


def living(ids: Collection[str]) -> Living:
    """Find those who are there; changes nothing."""
    there: set[str] = set()
    at_a_desk = 0
    with db.engine.connect() as now:
        for some in in_parts(sorted(ids), AT_ONCE):
            for model in (Account, Child):
                there.update(now.scalars(select(model.id).where(model.id.in_(some))))
            theirs = select(func.count(StaffRole.account_id.distinct()))
            at_a_desk += now.scalar(theirs.where(StaffRole.account_id.in_(some))) or 0
    return Living(frozenset(there), at_a_desk)


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
    people = People(account_ids, child_ids)
    # First: rows that go by id say which runs wait with them
    staged_names.forget(people.written, people.schools)
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


def _forget_steps(people: People) -> None:
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


def _forget_reasons(people: People) -> None:
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
