"""A link between somebody who was guardian long ago and a pupil: asked for, and answered.

The school asks, the person says yes: by the link of a mail, since their account may be closed, or
on their own page. A school's people could otherwise bring any former guardian's address, sign-ins
and account back into their scope by a click (security rule N4).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, select

from idp import clock
from idp.audit import events
from idp.database import db, hashes, retried, transaction, update_all
from idp.lifecycle import endings
from idp.mail import outbox
from idp.people import accounts, linking
from idp.people.link_models import LinkRequest
from idp.people.models import Account, Child
from idp.sessions import service as sessions

_PURPOSE: Final = "link request"
ANSWERED_WITHIN: Final = timedelta(days=14)
LONG_AGO: Final = timedelta(days=90)
"""Whose last guardianship within a scope ended before that is asked before they are linked."""
FOR_GOOD: Final = ("court", "request")
"""Ended by somebody else than the school's office alone: the guardian is asked, however lately."""
KEPT: Final = timedelta(days=365)
"""For so long a school's files don't ask again who has not said yes."""


@dataclass(frozen=True)
class Open:
    """A request that may be answered, with whom it is about."""

    request: LinkRequest
    account: Account
    child: Child


@dataclass(frozen=True)
class Gone:
    """Answered, expired or never made."""


def request_link(account_id: str, child: Child, relationship: str) -> bool:
    """Ask in the caller's transaction, which holds the account; false where it was asked."""
    linking.check_relationship(relationship)
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


def waiting(account_id: str) -> list[Open]:
    """What an account's holder is asked, the oldest first."""
    return _open(LinkRequest.account_id == account_id)


def waiting_for(child_id: str) -> list[Open]:
    """Who is asked about a pupil."""
    return _open(LinkRequest.child_id == child_id)


def secret_of(request: LinkRequest) -> str:
    """The secret of the mail about a request; the same each time, so that a doubled mail is one."""
    return f"{request.id}.{hashes.derived(_PURPOSE, request.id)}"


def find_open(secret: str) -> Open | Gone:
    """What a mail's link is about; changes nothing."""
    request = _request_with(secret)
    waiting_requests = _open(LinkRequest.id == request.id) if request else []
    return waiting_requests[0] if waiting_requests else Gone()


def asked_with(secret: str) -> list[Open]:
    """What waits for an answer of all that was asked together with what the mail's link is about:
    one mail tells of all that one file asks of an account.
    """
    request = _request_with(secret)
    if request is None:
        return []
    return _open(
        and_(
            LinkRequest.account_id == request.account_id,
            LinkRequest.asked_at == request.asked_at,
        )
    )


def _request_with(secret: str) -> LinkRequest | None:
    request_id, _, mac = secret.partition(".")
    request = db.session.get(LinkRequest, request_id[:32], populate_existing=True)
    if request is None or request.id != request_id:
        return None
    if not hashes.is_derived(mac, _PURPOSE, request.id):
        return None
    return request


@retried
def answer_with(secret: str, request_id: str, *, yes: bool) -> Open | Gone:
    """Answer one of ``asked_with`` on the word of whoever reads the mail."""
    with transaction():
        open_request = next(
            (each for each in asked_with(secret) if each.request.id == request_id), None
        )
        return Gone() if open_request is None else _decide(open_request, yes=yes)


@retried
def answer(secret: str, *, yes: bool) -> Open | Gone:
    """Answer on the word of whoever reads the mail."""
    with transaction():
        open_request = find_open(secret)
        return _decide(open_request, yes=yes) if isinstance(open_request, Open) else open_request


@retried
def answer_for(account_id: str, request_id: str, session_id: str, *, yes: bool) -> bool:
    """Answer on the own page; false where there is nothing to answer."""
    with transaction():
        accounts.lock_account(account_id)
        if not sessions.is_live(session_id, account_id):
            return False
        mine = (each for each in waiting(account_id) if each.request.id == request_id)
        open_request = next(mine, None)
        return open_request is not None and isinstance(_decide(open_request, yes=yes), Open)


def settle(account_id: str, child_id: str) -> None:
    """End what waits for this pair in the caller's transaction: they are linked."""
    _answer(_of_pair(account_id, child_id), answer="linked")


def _decide(open_request: Open, *, yes: bool) -> Open | Gone:
    request, child = open_request.request, open_request.child
    accounts.lock_account(open_request.account.id)
    outcome = "yes" if yes else "no"
    if not _answer((LinkRequest.id == request.id,), answer=outcome):
        return Gone()
    events.record(
        "guardianship_answered",
        account_id=open_request.account.id,
        child_id=child.id,
        school_id=child.school_id,
        answer=outcome,
    )
    if yes:
        endings.open_again(open_request.account.id)
        linking.link_guardian(open_request.account.id, child.id, request.relationship)
    return open_request


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
    return bool(
        update_all(
            LinkRequest,
            *which,
            *more,
            LinkRequest.answered_at.is_(None),
            answered_at=clock.now(),
            answer=answer,
        )
    )
