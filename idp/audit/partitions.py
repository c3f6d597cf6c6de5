"""The audit log's partitions on PostgreSQL: a month each, so that age removes whole ones.

They are cut by number, which grows with time (docs/decisions/partitions.md). The last one has no
end, so that no event is ever refused because nobody has made room. Once it holds half a month it
is given an end half a month ahead, and an open one comes behind it: a small installation has one
partition for years. SQLite has one table.

Only the owner of the table may do any of this (docs/operator.md, « A role that serves »).
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import OperationalError

from idp import clock
from idp.audit.models import AuditEvent
from idp.database import db, locks

log = logging.getLogger(__name__)

TABLE: Final = AuditEvent.__tablename__
HALF: Final = timedelta(days=15)
LEAST: Final = 500_000
"""Half a partition of an installation with few events."""
LATE: Final = timedelta(days=45)
"""For so long events that are old enough wait for the rest of their partition."""
PATIENCE: Final = 10.0
"""Seconds that a partition which leaves waits for those who use the log then: an import, a page."""
_END: Final = f"{TABLE}_end"
_ALONE: Final = "SELECT pg_try_advisory_xact_lock(hashtext('idp.audit.partitions'))"
_BOUNDS: Final = re.compile(r"FROM \((?:'(\d+)'|MINVALUE)\) TO \((?:'(\d+)'|MAXVALUE)\)")

_LISTED = text(
    "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid), c.reltuples::bigint,"
    # A column of PostgreSQL 14 and newer
    " coalesce((to_jsonb(i) ->> 'inhdetachpending')::boolean, false)"
    " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass('audit_events')"
)
_UNFINISHED = text(
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"
    " AND connamespace = current_schema()::regnamespace"
)
_IS_OURS = text(
    "SELECT pg_has_role(relowner, 'USAGE') AND relkind = 'p'"
    " FROM pg_class WHERE oid = to_regclass('audit_events')"
)
_DETACHED = text(
    "SELECT c.relname, c.reltuples::bigint FROM pg_class c JOIN pg_class whole"
    " ON whole.oid = to_regclass('audit_events') AND whole.relnamespace = c.relnamespace"
    " WHERE c.relkind = 'r' AND NOT c.relispartition"
    " AND c.relname ~ '^audit_events_(first|from_[0-9]+)$'"
    # Which a copy that an operator has made of it has not
    " AND EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid"
    " AND tgname = 'audit_events_kept_whole')"
)
_SHARED_WITH = text(
    "SELECT DISTINCT CASE WHEN a.grantee = 0 THEN 'PUBLIC'"
    " ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
    " FROM pg_class c, aclexplode(c.relacl) a"
    " WHERE c.oid = to_regclass(:name) AND a.grantee <> c.relowner"
)


@dataclass(frozen=True)
class Partition:
    """One of them. ``lower``, ``upper``: its numbers, the upper one excluded; None: no end."""

    name: str
    lower: int | None
    upper: int | None
    rows: int
    """As PostgreSQL estimates them; -1: it never counted."""
    is_leaving: bool
    """A removal that was cut short: its events are not seen any more."""


@dataclass(frozen=True)
class Aged:
    """What left with whole partitions, and whether the rest that is old waits for its own."""

    removed: int
    rest_waits: bool


def listed(now: Any) -> list[Partition]:
    """All of them, the oldest first; none on SQLite."""
    if db.engine.dialect.name != "postgresql":
        return []
    parts = [_partition(*row) for row in now.execute(_LISTED)]
    return sorted(parts, key=lambda each: each.lower or 0)


def remove_aged(cutoff: datetime) -> Aged:
    """Make room ahead, and remove the partitions all of whose events came before ``cutoff``."""
    if db.engine.dialect.name != "postgresql":
        return Aged(0, rest_waits=False)
    with db.engine.connect() as now:
        if not now.scalar(_IS_OURS):
            return Aged(0, rest_waits=False)
    with _alone() as is_alone:
        if not is_alone:
            return Aged(0, rest_waits=True)
        _give_an_end()
        removed = _drop_detached(cutoff) + _drop_before(cutoff)
        with db.engine.connect() as now:
            # The whole: autovacuum sees parts only. An index made beside traffic holds it for hours
            now.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {TABLE}")
            oldest = listed(now)[0]
            newest = _newest_at(now, oldest.name)
        waits = oldest.upper is not None and newest is not None and newest < cutoff + LATE
        return Aged(removed, rest_waits=waits)


def overfull() -> Partition | None:
    """The open one, where it has grown far beyond a month: nobody gave it an end."""
    parts = listed(db.session)
    if not parts or parts[-1].rows < 6 * LEAST:
        return None
    with db.engine.connect() as now:
        begin, newest, half = _measure(now, parts[-1])
    return parts[-1] if newest - begin > 6 * half else None


def leaving() -> list[str]:
    """The partitions whose removal was begun, and not ended: somebody read the log meanwhile."""
    return [each.name for each in listed(db.session) if each.is_leaving]


def refuses_from() -> int | None:
    """The number from which events would be refused: a cut that was stopped half-way, and that no
    purge has finished since.
    """
    if db.engine.dialect.name != "postgresql":
        return None
    words = db.session.scalar(_UNFINISHED, {"name": _END})  # its end is said first
    return int(re.findall(r"\d+", words)[0]) if words else None


def _partition(name: str, bounds: str, rows: int, is_leaving: bool) -> Partition:
    ends = _BOUNDS.search(bounds)
    if ends is None:
        raise ValueError(f"{name} is no partition of ours: {bounds}")
    lower, upper = (int(each) if each else None for each in ends.groups())
    return Partition(name, lower, upper, rows, is_leaving)


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else is at it meanwhile."""
    # Until the end of a transaction, as a pooler allows, and on a connection that does no more
    with db.engine.connect().execution_options(isolation_level="READ COMMITTED") as held:
        yield bool(held.exec_driver_sql(_ALONE).scalar())
        held.rollback()


def _measure(now: Connection, part: Partition) -> tuple[int, int, int]:
    """The first and the last number of a partition, and how many half a month takes."""
    begin = part.lower or now.scalar(select(func.min(AuditEvent.id))) or 0
    newest = now.scalar(select(func.max(AuditEvent.id))) or 0
    lately = select(AuditEvent.id).where(AuditEvent.at >= clock.now() - HALF)
    since = now.scalar(lately.order_by(AuditEvent.at).limit(1)) or newest
    return begin, newest, max(LEAST, newest - since)


def _give_an_end() -> None:
    with db.engine.connect() as now:
        part = listed(now)[-1]
        begin, newest, half = _measure(now, part)
    if newest - begin < half:
        return
    upper = newest + half
    try:
        # PostgreSQL believes a rule that it has validated, which it does beside traffic. Of both
        # ends: what is attached anew has to prove its beginning again
        rule = f"id < {upper}" if part.lower is None else f"id < {upper} AND id >= {part.lower}"
        locks.change(f"ALTER TABLE {part.name} DROP CONSTRAINT IF EXISTS {_END}")
        locks.change(f"ALTER TABLE {part.name} ADD CONSTRAINT {_END} CHECK ({rule}) NOT VALID")
        locks.change(f"ALTER TABLE {part.name} VALIDATE CONSTRAINT {_END}")
        _close(part, upper)
    except OperationalError as error:
        if not locks.is_held(error):
            raise
        # Half a month is left until the rule would refuse a number: the next purge makes it anew
        log.warning("somebody held the audit log: its partition is closed by the next purge")


def _close(part: Partition, upper: int) -> None:
    """One short transaction: who records an event waits for it."""
    lower = "MINVALUE" if part.lower is None else part.lower
    following = f"{TABLE}_from_{upper}"
    locks.change(
        f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE",
        f"ALTER TABLE {TABLE} DETACH PARTITION {part.name}",
        f"ALTER TABLE {TABLE} ATTACH PARTITION {part.name} FOR VALUES FROM ({lower}) TO ({upper})",
        f"CREATE TABLE {following} PARTITION OF {TABLE} FOR VALUES FROM ({upper}) TO (MAXVALUE)",
        f"CREATE TRIGGER {TABLE}_kept_whole BEFORE TRUNCATE ON {following}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_removal()",
        f"ALTER TABLE {part.name} DROP CONSTRAINT {_END}",
        then=partial(_unshare, name=following),
    )
    log.info("the audit log goes on in %s", following)


def _drop_detached(cutoff: datetime) -> int:
    """What left the whole, and whose table was still held then, or whose purge died."""
    removed = 0
    with db.engine.connect() as now:
        for name, estimate in now.execute(_DETACHED).all():
            newest = _newest_at(now, name)
            rows = estimate if estimate >= 0 else _count(now, name)
            if (newest is None or newest < cutoff) and _is_done(_drop, name):
                removed += rows
    return removed


def _drop_before(cutoff: datetime) -> int:
    """A partition whose events are all older goes, unless it holds the newest event."""
    removed = 0
    with db.engine.connect() as now:
        parts = listed(now)
        newest = now.scalar(select(func.max(AuditEvent.id))) or 0
    for part in parts:
        if part.upper is None or part.upper > newest:
            break
        with db.engine.connect() as now:
            at = None if part.is_leaving else _newest_at(now, part.name)
            rows = part.rows if part.rows >= 0 else _count(now, part.name)
        if at is not None and at >= cutoff:
            break
        if not (_is_done(_detach, part) and _is_done(_drop, part.name)):
            break
        removed += rows
    return removed


def _is_done(step: Callable[[Any], None], part: Partition | str) -> bool:
    """Whether it was, or somebody held the table: then the next purge does it."""
    try:
        step(part)
    except locks.Held:
        pass
    except OperationalError as error:
        if not locks.is_held(error):
            raise
    else:
        return True
    name = part if isinstance(part, str) else part.name
    log.warning("somebody held %s or read the audit log: it leaves with the next purge", name)
    return False


def _detach(part: Partition) -> None:
    """Nobody waits for it who reads or records; it waits for all who did when it began, and
    whoever still does then finds the rest of it undone.
    """
    leave = f"ALTER TABLE {TABLE} DETACH PARTITION {part.name}"
    if part.is_leaving:
        # It waits for whoever saw the partition, and holds it alone meanwhile
        locks.change(f"{leave} FINALIZE")
        return
    with db.engine.connect() as now:
        if (now.dialect.server_version_info or (0,)) >= (14,):
            locks.beside_traffic(now, f"{leave} CONCURRENTLY", PATIENCE)
            return
    locks.change(leave)


def _drop(name: str) -> None:
    locks.change(f"DROP TABLE {name}")
    log.info("%s left the audit log", name)


def _newest_at(now: Connection, name: str) -> datetime | None:
    newest: datetime | None = now.scalar(text(f"SELECT max(at) FROM {name}"))  # noqa: S608
    return newest


def _count(now: Connection, name: str) -> int:
    return int(now.scalar(text(f"SELECT count(*) FROM {name}")) or 0)  # noqa: S608


def _unshare(now: Connection, name: str) -> None:
    # What others may do they may do to the whole; default privileges would say more
    for who in now.scalars(_SHARED_WITH, {"name": name}).all():
        now.exec_driver_sql(f"REVOKE ALL ON {name} FROM {who}")
