"""Mails that a clock ahead has put off (security rule R5)."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, case, or_, select

from idp import clock
from idp.database import db, release_connection, update_all
from idp.mail.models import OutboxMessage
from idp.mail.outbox import FIRST_PAUSE, LEASE, LONGEST_PAUSE
from idp.mail.spread import SPREAD
from idp.workers import CLOCKS_DIFFER, waits_too_long

_QUEUED: Final = OutboxMessage.status == "queued"
_TRIED: Final = and_(_QUEUED, OutboxMessage.attempts > 0)


def bring_back() -> int:
    """Make due what waits for a time that no clock of today has set; returns how many.

    What nobody has told of since it was taken is due after ``LEASE``: another worker may be sending
    it. Of the kinds that are spread over hours nothing is known: who wants them now asks for it.
    """
    now = clock.now()
    kinds = [(_untried(now), now), (_taken(now), now + LEASE), (_put_back(), now)]
    any_of = or_(*(which for which, _due_at in kinds))
    first = db.session.scalar(select(OutboxMessage.id).where(any_of).limit(1))
    release_connection()  # an idle worker must not take SQLite's only write lock
    if first is None:
        return 0
    made = case((OutboxMessage.created_at > now, now), else_=OutboxMessage.created_at)
    return sum(
        update_all(OutboxMessage, which, due_at=due_at, created_at=made) for which, due_at in kinds
    )


def _untried(now: datetime) -> ColumnElement[bool]:
    """Due when it was made, later than now: whoever made it was ahead."""
    return and_(
        _QUEUED,
        OutboxMessage.attempts == 0,
        OutboxMessage.kind.not_in(SPREAD),
        OutboxMessage.due_at > now + CLOCKS_DIFFER,
    )


def _taken(now: datetime) -> ColumnElement[bool]:
    late = now + LEASE + CLOCKS_DIFFER
    return and_(_TRIED, OutboxMessage.answer.is_(None), OutboxMessage.due_at > late)


def _put_back() -> ColumnElement[bool]:
    too_long = waits_too_long(
        OutboxMessage.due_at,
        OutboxMessage.attempts,
        first=FIRST_PAUSE,
        longest=LONGEST_PAUSE,
        held=LEASE,  # the release before left its answer with what it has taken
    )
    return and_(_TRIED, OutboxMessage.answer.is_not(None), too_long)
