"""Asking to be erased (GDPR Art. 17): a request that the school answers, or an operator where
the guardian has no child at any.

Nothing is deleted by a click alone. The school keeps what it must keep by law, and a guardian
whose account is gone can't see their child's page any more: a person decides that.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Update, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.audit import events
from idp.database import db, retried, transaction
from idp.mail import outbox
from idp.people import accounts, guardianships
from idp.people.models import Account, ErasureAnswer, ErasureRequest

ANSWER_WITHIN: Final = timedelta(days=30)
"""GDPR Art. 12(3) says « one month »; thirty days are on the safe side of most."""


@dataclass(frozen=True)
class Listed:
    """A request, and who made it."""

    request: ErasureRequest
    account: Account


def latest(account_id: str) -> ErasureRequest | None:
    """The guardian's newest request, open or answered."""
    return db.session.scalars(
        select(ErasureRequest)
        .where(ErasureRequest.account_id == account_id)
        .order_by(ErasureRequest.asked_at.desc(), ErasureRequest.id)
        .limit(1)
    ).one_or_none()


@retried
def request_erasure(account_id: str) -> bool:
    """Send a request to the guardian's schools, or to the operators where there is none; false
    where one is open already.
    """
    with transaction() as writes:
        if accounts.lock_account(account_id) is None:
            return False
        request = ErasureRequest(account_id=account_id, asked_at=clock.now())
        try:
            # The unique index decides, not a look beforehand: a double click asks once
            with writes.begin_nested():
                writes.add(request)
        except IntegrityError:
            return False
        events.record("erasure_asked", account_id=account_id, request_id=request.id)
        schools = guardianships.schools_of(account_id)
        writes.add_all(
            ErasureAnswer(request_id=request.id, school_id=school.id) for school in schools
        )
        for school in schools:
            about = {"school_id": school.id, "request_id": request.id}
            outbox.enqueue("erasure_asked", account_id=account_id, about=about)
        if not schools:  # nobody's to answer but those who run the platform
            about = {"request_id": request.id}
            outbox.enqueue("erasure_asked", account_id=account_id, about=about)
    return True


def is_a_schools(request: ErasureRequest) -> bool:
    """Whether any school was asked; else whoever runs the platform answers."""
    return bool(_asked_schools(request, 1))


def take_back(account_id: str) -> bool:
    """The guardian thinks better of it; false where nothing is open."""
    return close(account_id, "taken_back")


@retried
def close(account_id: str, outcome: str) -> bool:
    """Note what became of the open request, for every school; false where there is none.

    ``outcome``: ``done``, ``declined`` or ``taken_back``.
    """
    with transaction() as writes:
        request = _held(account_id)
        if request is None:
            return False
        writes.execute(_unanswered(request).values(outcome=outcome, answered_at=clock.now()))
        _close(request, outcome)
    return True


@retried
def answer(account_id: str, school_ids: Collection[str], outcome: str) -> frozenset[str]:
    """Note what these schools answered: ``done`` or ``declined``; returns which of them had yet to.

    The request is closed with the last school's answer: « declined » if any declined, because
    then not everything was erased.
    """
    with transaction() as writes:
        request = _held(account_id)
        if request is None:
            return frozenset()
        answered = writes.scalars(
            _unanswered(request)
            .where(ErasureAnswer.school_id.in_(school_ids))
            .values(outcome=outcome, answered_at=clock.now())
            .returning(ErasureAnswer.school_id)
        ).all()
        outcomes = writes.scalars(
            select(ErasureAnswer.outcome).where(ErasureAnswer.request_id == request.id)
        ).all()
        if answered and None not in outcomes:
            _close(request, "declined" if "declined" in outcomes else "done")
    return frozenset(answered)


def _held(account_id: str) -> ErasureRequest | None:
    """The open request, which nobody else closes meanwhile."""
    accounts.lock_account(account_id)
    return db.session.scalars(
        select(ErasureRequest)
        .where(ErasureRequest.account_id == account_id, ErasureRequest.closed_at.is_(None))
        .execution_options(populate_existing=True)
    ).one_or_none()


def _unanswered(request: ErasureRequest) -> Update:
    return (
        update(ErasureAnswer)
        .where(ErasureAnswer.request_id == request.id, ErasureAnswer.outcome.is_(None))
        .execution_options(synchronize_session=False)
    )


def _asked_schools(request: ErasureRequest, most: int) -> Sequence[str]:
    answers = select(ErasureAnswer.school_id).where(ErasureAnswer.request_id == request.id)
    return db.session.scalars(answers.limit(most)).all()


def _close(request: ErasureRequest, outcome: str) -> None:
    request.closed_at, request.outcome = clock.now(), outcome
    if outcome != "taken_back":
        schools = _asked_schools(request, 2)
        about = {
            "outcome": outcome,
            "school_id": schools[0] if len(schools) == 1 else None,
            "by_operator": not schools,
        }
        outbox.enqueue("erasure_closed", account_id=request.account_id, about=about)
    events.record(
        "erasure_closed", account_id=request.account_id, request_id=request.id, outcome=outcome
    )


def list_requests(*, every: bool = False) -> list[Listed]:
    """The open requests, the oldest first; ``every``: those that were answered too."""
    query = (
        select(ErasureRequest, Account)
        .join(Account, Account.id == ErasureRequest.account_id)
        .order_by(ErasureRequest.asked_at, ErasureRequest.id)
    )
    if not every:
        query = query.where(ErasureRequest.closed_at.is_(None))
    return [Listed(*row) for row in db.session.execute(query)]
