"""Which questions to former guardians still wait, and how one is over without their answer.

``idp.lifecycle.link_requests`` asks, and takes the answer. Whatever links a pair settles what was
asked about it here (``settle``), so that no old mail links them again once that link has ended.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import aliased

from idp import clock
from idp.audit import events
from idp.database import transaction, update_all
from idp.people import guardianships
from idp.people.link_models import LinkRequest
from idp.people.models import FOR_GOOD, Account, Child, Guardianship

ENDED: Final = "guardianship_question_ended"
WITHDRAWN: Final = "guardianship_question_withdrawn"
"""What the audit log calls the end of a question: with something else, or at the desk."""


def waits() -> ColumnElement[bool]:
    """Asked, neither answered nor over; a condition on ``LinkRequest`` and its ``Child``."""
    return and_(
        LinkRequest.answered_at.is_(None),
        LinkRequest.expires_at > clock.now(),
        Child.left_at.is_(None),
        ~_was_overtaken(),
    )


def takes_answers() -> ColumnElement[bool]:
    """Whether the account may answer: not where an operator has disabled it. One that was closed
    with its last guardianship may; a condition on ``Account``.
    """
    return or_(Account.status != "disabled", Account.closed_at.is_not(None))


def _was_overtaken() -> ColumnElement[bool]:
    """Whether an end came after the question: of the very pair, or by a court or the guardian at
    this school. It ends the question by itself; the release before did not.
    """
    pupil = aliased(Child)
    return exists().where(
        Guardianship.account_id == LinkRequest.account_id,
        guardianships.ended_after(LinkRequest.asked_at),
        pupil.id == Guardianship.child_id,
        or_(
            Guardianship.child_id == LinkRequest.child_id,
            and_(Guardianship.ended_code.in_(FOR_GOOD), pupil.school_id == Child.school_id),
        ),
    )


def of_pair(account_id: str, child_id: str) -> tuple[ColumnElement[bool], ...]:
    """What a guardian was asked about a pupil."""
    return LinkRequest.account_id == account_id, LinkRequest.child_id == child_id


def record_answer(*which: ColumnElement[bool], outcome: str) -> int:
    """Note an answer, one of ``ANSWERS``, to those of these questions that have none."""
    unanswered = LinkRequest.answered_at.is_(None)
    return update_all(LinkRequest, *which, unanswered, answered_at=clock.now(), answer=outcome)


def settle(*which: ColumnElement[bool]) -> None:
    """Answer, in the caller's transaction, what was asked about pairs that are being linked.

    Before the link is made: whoever says yes at this moment holds the question first, too.
    """
    record_answer(*which, outcome="linked")


def end(*which: ColumnElement[bool], event: str = ENDED, **detail: Any) -> int:
    """End those of these questions that nobody has answered; returns how many.

    Also what has run out: what an import's undo took back, the next import would open again, for
    the mail that somebody has.
    """
    at = clock.now()
    with transaction():
        unanswered = LinkRequest.answered_at.is_(None)
        ended = update_all(LinkRequest, *which, unanswered, answered_at=at, answer="ended")
        if ended:
            whom: Select[*tuple[Any, ...]] = (
                select(LinkRequest.account_id, LinkRequest.child_id, Child.school_id)
                .join(Child, Child.id == LinkRequest.child_id)
                .where(
                    *which,
                    LinkRequest.answered_at == at,
                    LinkRequest.answer == "ended",
                )
            )
            events.record_each(event, whom, **detail)
    return ended
