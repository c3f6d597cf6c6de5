"""Rows that count attempts: one statement moves counters in turn and says whether it might.

Of a list of keys the newest one's hash names the counter: that of a former key is another one.

``INSERT … ON CONFLICT DO UPDATE … WHERE <allowed> RETURNING`` gives a row back only where
the attempt is allowed. SQLite takes turns; PostgreSQL evaluates the condition again on the
newest row once it has its lock. Of several counters each is a step of one WITH there, which reads
what the step before gave: so rows are taken in the order in which they are named.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, TypeAlias

from sqlalchemy import case, delete, exists, func, literal, literal_column, or_, select, update

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


Policy: TypeAlias = Growing | RateLimit


@dataclass(frozen=True)
class Blocked:
    """Seconds to wait, and how many attempts were refused since the count began anew."""

    seconds: int
    times: int


def move(*things: tuple[str, Policy]) -> tuple[int, Blocked] | None:
    """Count an attempt on each of these keys in turn, up to the first that refuses it.

    ``None`` where all allow it; otherwise the place of that one, behind which nothing was counted.
    """
    now = clock.now()
    place = _first_refusing(things, now)
    return None if place is None else (place, _refused(*things[place], now))


def settle(forgotten: Sequence[Sequence[str]], given_back: tuple[str, Growing] | None) -> None:
    """Take one attempt off a count, then forget the counters of each of these sets of keys, in
    turn.
    """
    if not _asks_once():
        if given_back is not None:
            db.session.execute(_given_back(*given_back))
        if forgotten:
            db.session.execute(_deleted([key for some in forgotten for key in some]))
        return
    steps = [_given_back(*given_back)] if given_back is not None else []
    steps += map(_deleted, forgotten)
    done: list[Any] = []
    for step in steps:
        # What the step before did is counted, whatever that gives, before this one takes its rows
        turn = step.where(_count(done[-1]) >= 0) if done else step
        done.append(turn.returning(literal_column("1")).cte(f"step_{len(done)}"))
    db.session.execute(select(_count(done[-1])))


def _asks_once() -> bool:
    """Whether several changes may be one statement. SQLite can't, and has no round trips."""
    return db.engine.dialect.name == "postgresql"


def _count(before: Any) -> Any:
    return select(func.count()).select_from(before).scalar_subquery()


def _first_refusing(things: Sequence[tuple[str, Policy]], now: datetime) -> int | None:
    if not _asks_once():
        for place, thing in enumerate(things):
            if db.session.execute(_counted(*thing, now)).one_or_none() is None:
                return place
        return None
    moved: list[Any] = []
    for place, thing in enumerate(things):
        counted = _counted(*thing, now, after=moved[-1] if moved else None)
        moved.append(counted.cte(f"moved_{place}"))
    counts = db.session.execute(select(*map(_count, moved))).one()
    return None if all(counts) else counts.index(0)


def _refused(key: str, policy: Policy, now: datetime) -> Blocked:
    row = db.session.execute(
        update(ThrottleCounter.__table__)
        .where(_columns.key == str(key))
        .values(refused=_columns.refused + 1)
        .returning(_columns.blocked_until, _columns.updated_at, _columns.refused)
    ).one_or_none()
    if row is None:
        return Blocked(1, 1)  # forgiven in the meantime
    end: datetime = row.blocked_until
    if isinstance(policy, RateLimit):
        end = row.updated_at + policy.length
    return Blocked(max(1, ceil((end - now).total_seconds())), row.refused)


def _given_back(key: str, policy: Growing) -> Any:
    fewer = _columns.attempts - 1
    return (
        update(ThrottleCounter.__table__)
        .where(_columns.key == str(key), _columns.attempts > 0)
        .values(
            attempts=fewer,
            blocked_until=case((fewer < policy.free, LONG_AGO), else_=_columns.blocked_until),
        )
    )


def _deleted(keys: Sequence[str]) -> Any:
    return delete(ThrottleCounter.__table__).where(_columns.key.in_(keys))


def _counted(key: str, policy: Policy, now: datetime, after: Any = None) -> Any:
    """The statement that counts an attempt and gives a row back where it is allowed; ``after``:
    only where that one gave one.
    """
    if isinstance(policy, Growing):
        return _growing(str(key), policy, now, after)
    return _window(str(key), policy, now, after)


def _growing(key: str, policy: Growing, now: datetime, after: Any) -> Any:
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
    return _upsert(_first(key, first, now), new, unblocked, after)


def _window(key: str, policy: RateLimit, now: datetime, after: Any) -> Any:
    over = or_(
        _columns.updated_at <= now - policy.length,
        _columns.updated_at > now + policy.length,  # the clock was set back
    )
    new = {
        "attempts": case((over, 1), else_=_columns.attempts + 1),
        "updated_at": case((over, now), else_=_columns.updated_at),
        "refused": case((over, 0), else_=_columns.refused),
    }
    allowed = or_(over, _columns.attempts < policy.limit)
    return _upsert(_first(key, LONG_AGO, now), new, allowed, after)


def _first(key: str, blocked_until: datetime, now: datetime) -> dict[str, Any]:
    """The row of a first attempt."""
    return {
        "key": key,
        "attempts": 1,
        "blocked_until": blocked_until,
        "updated_at": now,
        "refused": 0,
    }


def _upsert(first: dict[str, Any], new: dict[str, Any], allowed: Any, after: Any) -> Any:
    insert = upserting(ThrottleCounter)
    if after is None:
        insert = insert.values(first)
    else:
        values = (literal(value, _columns[name].type) for name, value in first.items())
        only = exists(literal_column("1")).select_from(after)
        insert = insert.from_select(list(first), select(*values).where(only))
    return insert.on_conflict_do_update(index_elements=["key"], set_=new, where=allowed).returning(
        _columns.attempts
    )


def _after(now: datetime, seconds: int) -> datetime:
    return now + timedelta(seconds=seconds) if seconds else LONG_AGO
