"""Mails that a clock ahead has put off (security rule R5)."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, or_, select

from idp import clock
from idp.database import db, release_connection, update_all
from idp.mail.models import OutboxMessage
from idp.mail.outbox import LEASE, LONGEST_PAUSE
from idp.workers import CLOCKS_DIFFER


def bring_back() -> int:
    """Make due what waits for a time that no clock of today has set; returns how many."""
    now = clock.now()
    stray = _stray(now)
    first = db.session.scalar(select(OutboxMessage.id).where(*stray).limit(1))
    release_connection()  # an idle worker must not take SQLite's only write lock
    if first is None:
        return 0
    began = case((_made_ahead(now), now), else_=OutboxMessage.created_at)
    return update_all(OutboxMessage, *stray, due_at=now, created_at=began)


def _stray(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What is spread over hours has not been tried yet, and was made in the past."""
    put_off = OutboxMessage.due_at > now + max(LEASE, LONGEST_PAUSE) + CLOCKS_DIFFER
    tried = and_(OutboxMessage.attempts > 0, put_off)
    return OutboxMessage.status == "queued", or_(_made_ahead(now), tried)


def _made_ahead(now: datetime) -> ColumnElement[bool]:
    return OutboxMessage.created_at > now + CLOCKS_DIFFER
