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
from idp.database import db, hashes, retried, transaction
from idp.lifecycle import endings
from idp.mail import outbox
from idp.people import accounts, link_questions, linking
from idp.people.link_models import LinkRequest
from idp.people.models import FOR_GOOD, Account, Child
from idp.sessions import service as sessions

_PURPOSE: Final = "link request"
ANSWERED_WITHIN: Final = timedelta(days=14)
LONG_AGO: Final = timedelta(days=90)
"""Whose last guardianship within a scope ended before that is asked before they are linked."""
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
    """Answered, ended, expired or never made."""


def request_link(account_id: str, child: Child, relationship: str) -> bool:
    """Ask in the caller's transaction, which holds the account; false where it was asked."""
    linking.check_relationship(relationship)
    now = clock.now()
    with transaction() as writes:
        of_pair = link_questions.of_pair(account_id, child.id)
        if _waiting(*of_pair):
            return False
        link_questions.record_answer(*of_pair, outcome="no")  # it ran out, or was overtaken
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
    """Who is asked about a pupil; also where they can't answer now."""
    return _waiting(LinkRequest.child_id == child_id)


def waiting_at(account_id: str, schools: ColumnElement[bool]) -> list[Open]:
    """What these schools ask a guardian; also where they can't answer now. ``schools``: a condition
    on ``Child``.
    """
    return _waiting(LinkRequest.account_id == account_id, schools)


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


def withdraw(account_id: str, child: Child, code: str | None = None) -> bool:
    """Take back, in the caller's transaction, which holds the account, what it is asked about a
    pupil; false where nothing waits. ``code``: why, one of ``END_REASONS``; a court's decision, or
    the guardian's own, ends all that the school asks them.
    """
    detail = {} if code is None else {"changes": {"ended": [None, code]}}
    with transaction():
        of_pair = link_questions.of_pair(account_id, child.id)
        if not link_questions.end(*of_pair, event=link_questions.WITHDRAWN, **detail):
            return False
        if code in FOR_GOOD:
            endings.end_questions(account_id, [child.school_id])
    return True


def _decide(open_request: Open, *, yes: bool) -> Open | Gone:
    request, child = open_request.request, open_request.child
    # What ends access holds the account first, what ends the pupil's time here the pupil: asked
    # again when both are held, a question that ended meanwhile is over
    if accounts.lock_account(open_request.account.id) is None:
        return Gone()
    if not _open(LinkRequest.id == request.id, lock=True):
        return Gone()
    outcome = "yes" if yes else "no"
    if not link_questions.record_answer(LinkRequest.id == request.id, outcome=outcome):
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


def _open(which: ColumnElement[bool], *, lock: bool = False) -> list[Open]:
    """What may be answered."""
    return _waiting(which, link_questions.takes_answers(), lock=lock)


def _waiting(*which: ColumnElement[bool], lock: bool = False) -> list[Open]:
    query = (
        select(LinkRequest, Account, Child)
        .join(Account, Account.id == LinkRequest.account_id)
        .join(Child, Child.id == LinkRequest.child_id)
        .where(*which, link_questions.waits())
        .order_by(LinkRequest.asked_at, LinkRequest.id)
        .execution_options(populate_existing=True)
    )
    if lock:
        query = query.with_for_update(key_share=True, of=[LinkRequest, Child])
    return [Open(*row) for row in db.session.execute(query)]
