"""A link between somebody who was guardian long ago and a pupil: asked for, and answered.

The school asks, the person says yes: by the link of a mail, since their account may be closed, or
on their own page. A school's people could otherwise bring any former guardian's address, sign-ins
and account back into their reach by a click (security rule N4).
"""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, insert, select, update

from idp import clock
from idp.audit import events
from idp.database import db, keyed_hash, opaque_id, retried, transaction
from idp.lifecycle import families
from idp.mail import outbox, spread
from idp.people import service as people
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child
from idp.sessions import service as sessions

ANSWERED_WITHIN: Final = timedelta(days=14)
LONG_AGO: Final = timedelta(days=90)
"""Whose last guardianship within a reach ended before that is asked before they are linked."""
FOR_GOOD: Final = ("court", "request")
"""Ended by somebody else than the school's office alone: the guardian is asked, however lately."""
KEPT: Final = timedelta(days=365)
"""For so long a school's files don't ask again who has not said yes."""

_CHUNK: Final = 500
_new_id = opaque_id("l")


@dataclass(frozen=True)
class Open:
    """A request that may be answered, with whom it is about."""

    request: LinkRequest
    account: Account
    child: Child


@dataclass(frozen=True)
class Gone:
    """Answered, expired or never made."""


def ask(account_id: str, child: Child, relationship: str) -> bool:
    """Ask in the caller's transaction, which holds the account; false where it was asked."""
    people.check_relationship(relationship)
    now = clock.now()
    with transaction() as writes:
        _answer(_of_pair(account_id, child.id), LinkRequest.expires_at <= now, answer="no")
        if writes.scalar(select(LinkRequest.id).where(*_of_pair(account_id, child.id)).limit(1)):
            return False
        request = LinkRequest(
            account_id=account_id,
            child_id=child.id,
            relationship=relationship,
            asked_at=now,
            expires_at=now + ANSWERED_WITHIN,
        )
        writes.add(request)
        writes.flush()
        events.record(
            "guardianship_asked",
            account_id=account_id,
            child_id=child.id,
            school_id=child.school_id,
            changes={"relationship": [None, relationship]},
        )
        about = {"request_id": request.id}
        outbox.enqueue("guardianship_asked", account_id=account_id, about=about)
    return True


def ask_once(pairs: Sequence[tuple[str, str, str]], now: datetime, *, per_hour: int) -> int:
    """Ask many in the caller's transaction: account, child, relationship. Who was asked about
    the pupil within a year, and whatever they said, is not asked again. Returns how many are.
    """
    with transaction() as writes:
        asked = {
            tuple(row)
            for part in _parts(pairs)
            for row in writes.execute(
                select(LinkRequest.account_id, LinkRequest.child_id).where(
                    LinkRequest.account_id.in_({each[0] for each in part})
                )
            )
        }
        new = [
            {
                "id": _new_id(),
                "account_id": account_id,
                "child_id": child_id,
                "relationship": relationship,
                "asked_at": now,
                "expires_at": now + ANSWERED_WITHIN,
            }
            for account_id, child_id, relationship in pairs
            if (account_id, child_id) not in asked
        ]
        for rows in _parts(new):
            writes.execute(insert(LinkRequest), list(rows))
            ids = [each["id"] for each in rows]
            whom = select(LinkRequest.account_id, LinkRequest.child_id, Child.school_id)
            events.record_each(
                "guardianship_asked",
                whom.join(Child, Child.id == LinkRequest.child_id).where(LinkRequest.id.in_(ids)),
            )
            mails = writes.execute(
                select(LinkRequest.account_id, Account.email_key, LinkRequest.id)
                .join(Account, Account.id == LinkRequest.account_id)
                .where(LinkRequest.id.in_(ids), Account.email_key.is_not(None))
                .order_by(LinkRequest.id)
            )
            spread.enqueue_spread(
                "guardianship_asked",
                [(who, key, {"request_id": request_id}) for who, key, request_id in mails],
                per_hour=per_hour,
            )
    return len(new)


def withdraw(school_id: str, asked_at: datetime) -> None:
    """Take back, in the caller's transaction, what was asked at this moment about pupils of a
    school and waits for an answer: the import that asked is undone.
    """
    pupils = select(Child.id).where(Child.school_id == school_id)
    with transaction() as writes:
        writes.execute(
            delete(LinkRequest)
            .where(
                LinkRequest.asked_at == asked_at,
                LinkRequest.answered_at.is_(None),
                LinkRequest.child_id.in_(pupils),
            )
            .execution_options(synchronize_session=False)
        )


def waiting(account_id: str) -> list[Open]:
    """What an account's holder is asked, the oldest first."""
    return _open(LinkRequest.account_id == account_id)


def waiting_for(child_id: str) -> list[Open]:
    """Who is asked about a pupil."""
    return _open(LinkRequest.child_id == child_id)


def secret_of(request: LinkRequest) -> str:
    """The secret of the mail about a request; the same each time, so that a doubled mail is one."""
    return f"{request.id}.{keyed_hash('link request', request.id)}"


def look(secret: str) -> Open | Gone:
    """What a mail's link is about; changes nothing."""
    request_id, _, _mac = secret.partition(".")
    found = _open(LinkRequest.id == request_id[:32])
    expected = secret_of(found[0].request) if found else ""
    if not found or not hmac.compare_digest(expected.encode(), secret.encode()):
        return Gone()
    return found[0]


@retried
def answer(secret: str, *, yes: bool) -> Open | Gone:
    """Answer on the word of whoever reads the mail."""
    with transaction():
        found = look(secret)
        return _decide(found, yes=yes) if isinstance(found, Open) else found


@retried
def answer_for(account_id: str, request_id: str, session_id: str, *, yes: bool) -> bool:
    """Answer on the own page; false where there is nothing to answer."""
    with transaction():
        people.hold_account(account_id)
        if not sessions.is_live(session_id, account_id):
            return False
        mine = (each for each in waiting(account_id) if each.request.id == request_id)
        found = next(mine, None)
        return found is not None and isinstance(_decide(found, yes=yes), Open)


def settle(account_id: str, child_id: str) -> None:
    """End what waits for this pair in the caller's transaction: they are linked."""
    _answer(_of_pair(account_id, child_id), answer="linked")


def _parts(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(rows), _CHUNK):
        yield rows[begin : begin + _CHUNK]


def _decide(found: Open, *, yes: bool) -> Open | Gone:
    request, child = found.request, found.child
    people.hold_account(found.account.id)
    told = "yes" if yes else "no"
    if not _answer((LinkRequest.id == request.id,), answer=told):
        return Gone()
    events.record(
        "guardianship_answered",
        account_id=found.account.id,
        child_id=child.id,
        school_id=child.school_id,
        answer=told,
    )
    if yes:
        families.open_again(found.account.id)
        people.link_guardian(found.account.id, child.id, request.relationship)
    return found


def _open(which: ColumnElement[bool]) -> list[Open]:
    rows = db.session.execute(
        select(LinkRequest, Account, Child)
        .join(Account, Account.id == LinkRequest.account_id)
        .join(Child, Child.id == LinkRequest.child_id)
        .where(
            which,
            LinkRequest.answered_at.is_(None),
            LinkRequest.expires_at > clock.now(),
            Child.left_at.is_(None),
        )
        .order_by(LinkRequest.asked_at, LinkRequest.id)
        .execution_options(populate_existing=True)
    )
    return [Open(*row) for row in rows]


def _of_pair(account_id: str, child_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        LinkRequest.account_id == account_id,
        LinkRequest.child_id == child_id,
        LinkRequest.answered_at.is_(None),
    )


def _answer(
    which: tuple[ColumnElement[bool], ...], *more: ColumnElement[bool], answer: str
) -> bool:
    with transaction() as writes:
        answered: int = writes.execute(
            update(LinkRequest)
            .where(*which, *more, LinkRequest.answered_at.is_(None))
            .values(answered_at=clock.now(), answer=answer)
            .execution_options(synchronize_session=False)
        ).rowcount
    return bool(answered)
