"""Mails that a clock ahead has put off (security rule R5)."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, or_, select

from idp import clock
from idp.database import db, release_connection, update_all
from idp.mail.models import OutboxMessage
from idp.mail.outbox import LEASE, LONGEST_PAUSE
from idp.mail.spread import SPREAD
from idp.workers import CLOCKS_DIFFER


def bring_back() -> int:
    """Make due what waits for a time that no clock of today has set; returns how many.

    What nobody has told of since it was taken is due after ``LEASE``: another worker may be sending
    it. Of the kinds that are spread over hours nothing is known: who wants them now asks for it.
    """
    now = clock.now()
    untried, tried = _untried(now), _tried(now)
    first = db.session.scalar(select(OutboxMessage.id).where(or_(untried, tried)).limit(1))
    release_connection()  # an idle worker must not take SQLite's only write lock
    if first is None:
        return 0
    due_at = case((OutboxMessage.answer.is_(None), now + LEASE), else_=now)
    count = update_all(OutboxMessage, untried, due_at=now, created_at=now)
    return count + update_all(OutboxMessage, tried, due_at=due_at)


def _untried(now: datetime) -> ColumnElement[bool]:
    """Due when it was made, later than now: whoever made it was ahead."""
    return and_(
        OutboxMessage.status == "queued",
        OutboxMessage.attempts == 0,
        OutboxMessage.kind.not_in(SPREAD),
        OutboxMessage.due_at > now + CLOCKS_DIFFER,
    )


def _tried(now: datetime) -> ColumnElement[bool]:
    return and_(
        OutboxMessage.status == "queued",
        OutboxMessage.attempts > 0,
        OutboxMessage.due_at > now + max(LEASE, LONGEST_PAUSE) + CLOCKS_DIFFER,
    )
