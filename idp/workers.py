"""What worker processes share: they look for work, outlive trouble, and say once what it is."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event
from time import monotonic
from typing import Final

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, or_
from sqlalchemy.exc import SQLAlchemyError

from idp import clock, heartbeat
from idp.audit import continuity
from idp.database import db

LONGEST_WAIT = 8.0
"""Seconds between two looks of a worker that is in trouble: a look asks for one thing, and whoever
waits for a mail has waited long enough when the server is back.
"""

BEAT = 1.0
"""Seconds of a pause between two signs of life."""

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""By which the clocks of two machines may differ. What waits for longer than anything may, and
than this, was put off by a clock that was ahead (security rule R5).
"""


@dataclass(frozen=True)
class Round:
    """What one look for work came to."""

    handled: int = 0
    reached: bool = False
    """Whether the server that it depends on was reached."""
    trouble: str | None = None
    away: bool = False
    """Whether the trouble is that server's."""
    longest_wait: float = LONGEST_WAIT
    """Seconds until the next look at most, where there is trouble."""


def work(
    stop: Event,
    pause: float,
    look: Callable[[], Round],
    put_off: "Strays",
    *,
    what: str,
    log: logging.Logger,
) -> None:
    """Look for work until ``stop`` is set, every ``pause`` seconds where there is none.

    Outlives the database and whatever else: says so once, waits longer each time, and goes on by
    itself. ``put_off``: what it brings back before it looks; ``what``: what waits meanwhile. Needs
    an application context.
    """

    def look_at_all() -> Round:
        put_off.look()
        return look()

    trouble: str | None = None
    away = False
    tries = 0
    while not stop.is_set():
        done = safely(look_at_all)
        if done.trouble is not None:
            if done.trouble != trouble:
                log.error("%s waits: %s", what, done.trouble)
            # Where something came of the look, whatever it depends on is there again
            tries = 1 if done.handled else tries + 1
            trouble, away = done.trouble, done.away
            wait(stop, min(pause * 2 ** min(tries, 16), done.longest_wait))
            continue
        if trouble is not None and (done.reached or not away):
            log.warning("%s flows again", what)
            trouble, tries = None, 0
        wait(stop, 0 if done.handled else pause)


def wait(stop: Event, seconds: float) -> None:
    """Wait until ``stop`` is set or the time is over, and tell meanwhile that this is a pause."""
    if not heartbeat.beat():
        stop.wait(seconds)
        return
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0 and not stop.wait(min(BEAT, left)):
        heartbeat.beat()


class Strays:
    """A worker's eye on what a clock ahead has put off: once that is set back, it would wait for
    the hour or the year by which the clock went ahead (security rule R5).
    """

    LOOK_EVERY: Final = 60.0
    """Seconds; at once where our own clock has stepped."""
    _STEP: Final = 2.0
    """Seconds; what sets a clock right while it runs moves it by less."""

    def __init__(self, what: str, bring_back: Callable[[], int], log: logging.Logger) -> None:
        self._what, self._bring_back, self._log = what, bring_back, log
        self._next = 0.0
        self._ahead = _ahead()

    def look(self) -> None:
        """Have it done now, where there is any; looks when it is time to."""
        ahead = _ahead()
        if monotonic() < self._next and abs(ahead - self._ahead) < self._STEP:
            return
        self._next, self._ahead = monotonic() + self.LOOK_EVERY, ahead
        if count := self._bring_back():
            message = "%s that a clock ahead has put off are due now: %s"
            self._log.warning(message, self._what, count)


def _ahead() -> float:
    """By how much the clock is ahead of one that no step moves."""
    return clock.now().timestamp() - monotonic()


def growing_pause(first: timedelta, attempts: int, longest: timedelta) -> timedelta:
    """How long to wait after so many attempts: twice as long after each."""
    doubled: timedelta = first * 2 ** min(attempts - 1, 16)
    return min(doubled, longest)


def waits_too_long(
    due_at: SQLColumnExpression[datetime | None],
    attempts: SQLColumnExpression[int],
    *,
    first: timedelta,
    longest: timedelta,
    held: timedelta = timedelta(0),
) -> ColumnElement[bool]:
    """What is due later than a clock of today has put off what was tried so often: that one was
    ahead.

    ``held``: for how long a worker has something for itself, which may be why it is not due.
    """
    pauses = [growing_pause(first, tried, longest) for tried in range(1, 18)]
    last = pauses.index(max(pauses)) + 1
    now = clock.now() + CLOCKS_DIFFER
    each = (
        and_(attempts <= 1 if tried == 1 else attempts == tried, due_at > now + max(held, pause))
        for tried, pause in enumerate(pauses[: last - 1], start=1)
    )
    return or_(*each, and_(attempts >= last, due_at > now + max(held, longest)))


def safely(look: Callable[[], Round]) -> Round:
    """One look, whatever happens in it."""
    try:
        if not continuity.goes_on():
            return Round(trouble="database: restored from a backup")
        return look()
    except SQLAlchemyError as error:
        return Round(trouble=f"database: {type(error).__name__}")
    except Exception as error:  # noqa: BLE001 – a worker that dies does nothing at all
        return Round(trouble=f"unexpected: {type(error).__name__}")
    finally:
        with suppress(SQLAlchemyError):
            db.session.remove()
