"""Guardians' requests to be erased, as each school sees them: its own answer and no other.

A request goes to every school of the guardian's children. A manager answers for their schools;
the request is closed with the last answer, of which no school is told (security rule C3). An
operator answers for all.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, func, select

from idp.database import db, retried
from idp.desk.access import scope
from idp.desk.access.acts import act
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.errors import Invalid
from idp.people.models import Account, ErasureAnswer, ErasureRequest
from idp.privacy import erasure
from idp.privacy.erasure import ANSWER_WITHIN

MOST: Final = 200
"""Requests on one page; the oldest come first, so that none is lost behind others."""

OUTCOMES: Final = ("done", "declined")


@dataclass(frozen=True)
class RequestRow:
    """A request that waits for an answer of this scope, or has it."""

    account: Account
    asked_at: datetime
    outcome: str | None = None
    answered_at: datetime | None = None

    @property
    def answer_by(self) -> datetime:
        return self.asked_at + ANSWER_WITHIN


def waiting(staff: Staff) -> list[RequestRow]:
    """The requests that this scope has yet to answer, the oldest first."""
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    query = select(Account, ErasureRequest.asked_at).join(
        ErasureRequest, ErasureRequest.account_id == Account.id
    )
    query = query.where(ErasureRequest.closed_at.is_(None))
    if not school_scope.everywhere:
        query = query.where(ErasureRequest.id.in_(_unanswered(school_scope)))
    query = query.order_by(ErasureRequest.asked_at, ErasureRequest.id).limit(MOST)
    return [RequestRow(account, asked_at) for account, asked_at in db.session.execute(query)]


def answered(staff: Staff, *, most: int = 20) -> list[RequestRow]:
    """What this scope answered last."""
    school_scope = staff.school_scope(Right.CHANGE_PEOPLE)
    if school_scope.everywhere:
        query = select(
            Account, ErasureRequest.asked_at, ErasureRequest.outcome, ErasureRequest.closed_at
        ).join(ErasureRequest, ErasureRequest.account_id == Account.id)
        query = query.where(ErasureRequest.outcome.in_(OUTCOMES))
        query = query.order_by(ErasureRequest.closed_at.desc())
    else:
        at = func.max(ErasureAnswer.answered_at)
        query = (
            select(Account, ErasureRequest.asked_at, func.min(ErasureAnswer.outcome), at)
            .join(ErasureRequest, ErasureRequest.account_id == Account.id)
            .join(ErasureAnswer, ErasureAnswer.request_id == ErasureRequest.id)
            .where(
                scope.at(school_scope, ErasureAnswer.school_id),
                ErasureAnswer.outcome.in_(OUTCOMES),
            )
            .group_by(Account.id, ErasureRequest.id)
            .order_by(at.desc())
        )
    return [RequestRow(*row) for row in db.session.execute(query.limit(most))]


@retried
def answer(staff: Staff, account_id: str, outcome: str) -> bool:
    """Note this scope's answer; false where none was waited for. Raises ``NotFound``.

    Deletes nothing: a person decides what the law lets go.
    """
    with act(staff, Right.CHANGE_PEOPLE, account_id, wider_roles=True, former=True) as on:
        on.refuse_yourself()
        if outcome not in OUTCOMES:
            raise Invalid("outcome", "none_of", allowed=OUTCOMES)
        if on.school_scope.everywhere:
            return erasure.close(account_id, outcome)
        schools = erasure.answer(account_id, on.school_scope.school_ids, outcome)
        on.record("erasure_answered", at=schools, after={"outcome": outcome})
    return bool(schools)


def _unanswered(school_scope: SchoolScope) -> Select[Any]:
    return select(ErasureAnswer.request_id).where(
        scope.at(school_scope, ErasureAnswer.school_id), ErasureAnswer.outcome.is_(None)
    )
