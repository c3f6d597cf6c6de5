"""Mails that a clock ahead has put off (security rule R5): once it is set back, they would wait for
the hour or the year by which it went ahead.
"""

import logging
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from sqlalchemy import ColumnElement, and_, case, or_, select

from idp import clock
from idp.database import db, release_connection, update_all
from idp.mail.models import OutboxMessage
from idp.mail.outbox import LEASE, LONGEST_PAUSE

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 60.0
"""Seconds; at once where our own clock has stepped."""
MARGIN: Final = timedelta(minutes=1)
"""By which the clocks of two machines may differ."""
_STEP: Final = 2.0
"""Seconds; what sets a clock right while it runs moves it by less."""


class Strays:
    """A worker's eye on them."""

    def __init__(self) -> None:
        self._next = 0.0
        self._ahead = _ahead()

    def bring_back(self) -> None:
        """Have them sent now, where there are any; looks when it is time to."""
        ahead = _ahead()
        if monotonic() < self._next and abs(ahead - self._ahead) < _STEP:
            return
        self._next, self._ahead = monotonic() + LOOK_EVERY, ahead
        if _any() and (count := bring_back()):
            log.warning("mails that a clock ahead has put off are due now: %s", count)


def bring_back() -> int:
    """Make due what waits for a time that no clock of today has set; returns how many."""
    now = clock.now()
    began = case((_made_ahead(now), now), else_=OutboxMessage.created_at)
    return update_all(OutboxMessage, *_stray(now), due_at=now, created_at=began)


def _any() -> bool:
    message_id = db.session.scalar(select(OutboxMessage.id).where(*_stray(clock.now())).limit(1))
    release_connection()
    return message_id is not None


def _stray(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What is spread over hours has not been tried yet, and was made in the past."""
    put_off = OutboxMessage.due_at > now + max(LEASE, LONGEST_PAUSE) + MARGIN
    tried = and_(OutboxMessage.attempts > 0, put_off)
    return OutboxMessage.status == "queued", or_(_made_ahead(now), tried)


def _made_ahead(now: datetime) -> ColumnElement[bool]:
    return OutboxMessage.created_at > now + MARGIN


def _ahead() -> float:
    """By how much the clock is ahead of one that no step moves."""
    return clock.now().timestamp() - monotonic()
