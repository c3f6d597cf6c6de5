"""Rows that count attempts: one statement moves a counter and says whether it might.

Of a list of keys the newest one's hash names the counter: that of a former key is another one.

``INSERT … ON CONFLICT DO UPDATE … WHERE <allowed> RETURNING`` gives a row back only where
the attempt is allowed. SQLite takes turns; PostgreSQL evaluates the condition again on the
newest row once it has its lock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import case, or_, update

from idp import clock
from idp.credentials.models import ThrottleCounter
from idp.database import db, upserting

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Not blocked. Not « now »: another attempt may have asked the time a little earlier."""

_columns = ThrottleCounter.__table__.c


@dataclass(frozen=True)
class Growing:
    """``free`` attempts at once, then 2, 4, 8 … seconds between attempts, at most ``longest``.

    The count starts anew after ``fade`` without an attempt that was judged. Refused
    attempts prolong nothing.
    """

    free: int
    longest: int
    fade: timedelta

    def delay(self, attempts: int) -> int:
        """Seconds that must pass after this many attempts."""
        if attempts < self.free:
            return 0
        return min(self.longest, 1 << min(attempts - self.free + 1, 32))

    def steps(self) -> list[int]:
        """The numbers of attempts after which the delay is another than before."""
        last = self.free
        while self.delay(last) < self.longest:
            last += 1
        return list(range(self.free, last + 1))


@dataclass(frozen=True)
class RateLimit:
    """``limit`` attempts in a stretch of ``length`` that begins with the first."""

    limit: int
    length: timedelta


@dataclass(frozen=True)
class Blocked:
    """Seconds to wait, and how many attempts were refused since the count began anew."""

    seconds: int
    times: int


def move(key: str, policy: Growing | RateLimit) -> Blocked | None:
    """Count an attempt: ``None`` where it is allowed."""
    key, now = str(key), clock.now()
    if isinstance(policy, Growing):
        upsert = _growing(key, policy, now)
    else:
        upsert = _window(key, policy, now)
    if db.session.execute(upsert).one_or_none() is not None:
        return None
    row = db.session.execute(
        update(ThrottleCounter.__table__)
        .where(_columns.key == key)
        .values(refused=_columns.refused + 1)
        .returning(_columns.blocked_until, _columns.updated_at, _columns.refused)
    ).one_or_none()
    if row is None:
        return Blocked(1, 1)  # forgiven in the meantime
    end: datetime = row.blocked_until
    if isinstance(policy, RateLimit):
        end = row.updated_at + policy.length
    return Blocked(max(1, ceil((end - now).total_seconds())), row.refused)


def give_back(key: str, policy: Growing) -> None:
    """Take one attempt off the count."""
    fewer = _columns.attempts - 1
    db.session.execute(
        update(ThrottleCounter.__table__)
        .where(_columns.key == str(key), _columns.attempts > 0)
        .values(
            attempts=fewer,
            blocked_until=case((fewer < policy.free, LONG_AGO), else_=_columns.blocked_until),
        )
    )


def _growing(key: str, policy: Growing, now: datetime) -> Any:
    # A clock that was set back must not leave a block for longer than twice the longest
    unblocked = or_(
        _columns.blocked_until <= now,
        _columns.blocked_until > now + timedelta(seconds=2 * policy.longest),
    )
    faded = _columns.updated_at <= now - policy.fade
    attempts = case((faded, 1), else_=_columns.attempts + 1)
    blocked_until = case(
        (attempts < policy.free, LONG_AGO),
        *((attempts == step, _after(now, policy.delay(step))) for step in policy.steps()),
        else_=now + timedelta(seconds=policy.longest),
    )
    first = _after(now, policy.delay(1))
    new = {
        "attempts": attempts,
        "blocked_until": blocked_until,
        "updated_at": now,
        "refused": case((faded, 0), else_=_columns.refused),
    }
    return _upsert(key, first, now, new, unblocked)


def _window(key: str, policy: RateLimit, now: datetime) -> Any:
    over = or_(
        _columns.updated_at <= now - policy.length,
        _columns.updated_at > now + policy.length,  # the clock was set back
    )
    new = {
        "attempts": case((over, 1), else_=_columns.attempts + 1),
        "updated_at": case((over, now), else_=_columns.updated_at),
        "refused": case((over, 0), else_=_columns.refused),
    }
    return _upsert(key, LONG_AGO, now, new, or_(over, _columns.attempts < policy.limit))


def _upsert(
    key: str, blocked_until: datetime, now: datetime, new: dict[str, Any], allowed: Any
) -> Any:
    return (
        upserting(ThrottleCounter)
        .values(key=key, attempts=1, blocked_until=blocked_until, updated_at=now, refused=0)
        .on_conflict_do_update(index_elements=["key"], set_=new, where=allowed)
        .returning(_columns.attempts)
    )


def _after(now: datetime, seconds: int) -> datetime:
    return now + timedelta(seconds=seconds) if seconds else LONG_AGO
