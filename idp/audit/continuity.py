"""Does the database's history go on from where this machine last saw it (rules R9 and R13)?

A backup that is put back has forgotten what was ended since: sessions, tokens, guardianships
come back to life. The audit log only grows. So a small file beside the signing keys keeps the
newest event that this machine has seen, and a database without that event is an older one.

Every database has an identity of its own from its first migration on, which a backup keeps: a
new database beside old keys is not taken for a restored one.
"""

import logging
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock, get_ident
from time import monotonic
from typing import Any, Final

from flask import Flask, current_app, has_app_context
from sqlalchemy import Connection, event, func, select
from sqlalchemy.exc import SQLAlchemyError

from idp import clock
from idp.audit import last_seen
from idp.audit.last_seen import Mark
from idp.audit.models import AuditEvent, DatabaseIdentity
from idp.database import db
from idp.database.demotion import leave_if_demoted
from idp.settings import current as settings

log = logging.getLogger(__name__)

ACKNOWLEDGED: Final = "database_restored"
"""The event by which an operator says that all that came back to life was ended."""
RESTORED: Final = "restored"
"""A mark of the same. It stays, where the event leaves by age: backups are told apart by it."""
LOOK_EVERY: Final = 5.0  # seconds that a process trusts its last look
LOOK_POOLED: Final = 0.5
"""The same behind a pooler, which changes the database behind connections that stay open."""
LOOK_AGAIN: Final = 1.0  # seconds until one that serves nobody looks whether it may
_WATCH: Final = "idp.continuity"


class HistoryTrouble(Exception):
    """The database is older than this machine has seen it; the text says what to do."""


@dataclass(frozen=True)
class GoesOn:
    """All that was seen before is still there. ``newest``: None in an empty audit log; ``seen``:
    None where this machine has not seen this database yet.
    """

    newest: Mark | None
    seen: Mark | None = None


@dataclass(frozen=True)
class Broken:
    """What was seen before is not there: a restored backup, or another database."""

    seen: Mark
    newest: Mark | None


def history() -> GoesOn | Broken:
    """Compare the database with what this machine has seen; changes nothing."""
    seen = last_seen.read()
    # A connection of its own, after the file: an open read transaction may be older than it.
    with db.engine.connect() as now:
        newest = _newest(now)
        if seen is None or seen.database != _identity(now):
            return GoesOn(newest)
        if _holds(now, seen) or _acknowledged_since(now, seen):
            return GoesOn(newest, seen)
    return Broken(seen, newest)


def remember() -> GoesOn | Broken:
    """Compare, and remember the newest event where the history goes on."""
    outcome = history()
    if isinstance(outcome, GoesOn) and outcome.newest is not None:
        last_seen.keep(outcome.newest)
    return outcome


def begin_anew() -> None:
    """Take this database's history as the one that goes on, after an operator has said so."""
    with db.engine.connect() as now:
        newest = _newest(now)
    if newest is not None:
        last_seen.keep(newest, over_another=True)


def newest_mark(now: Connection) -> Mark | None:
    """The newest event of a database, whichever it is; None in an empty audit log."""
    return _newest(now)


def refuse_other_history() -> None:
    """Raise ``HistoryTrouble`` where the database was restored from a backup."""
    match history():
        case Broken(seen, newest):
            raise HistoryTrouble(
                f"the database is not the one that was seen last: event {seen.number} of its audit "
                f"trail is missing, the newest is {newest.number if newest else '(none)'}. "
                "Was it restored from a backup? Then what was revoked since is alive again: "
                "run `idp db restored`"
            )


class Watch:
    """What a running process knows, looked up every few seconds by one of its threads; and asked
    of each connection that is opened: whoever puts an older database back ends those to the newer
    one, and nobody is served meanwhile.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._next = 0.0
        self._goes_on = True
        self._seen: Mark | None = None
        self._looking: int | None = None
        self._opened_another = False

    def goes_on(self) -> bool:
        """Whether to serve. A database that is away is not judged: its users will notice."""
        if monotonic() >= self._next and self._lock.acquire(blocking=False):
            self._looking = get_ident()
            try:
                self._look()
            finally:
                self._looking = None
                self._next = monotonic() + (_look_every() if self._goes_on else LOOK_AGAIN)
                self._lock.release()
        return self._goes_on

    def distrusts(self, opened: Any) -> bool:
        """Whether a connection is to be given up, until the next request has had a look; while
        nobody is served, too: who was let in before goes on to ask.
        """
        seen = self._seen
        if seen is None or _has(opened, seen):
            return False
        self._next = 0.0
        if self._looking == get_ident():
            self._opened_another = True
            return False
        return True

    def _look(self) -> None:
        before, self._opened_another = self._goes_on, False
        if not before:
            _leave_connections()  # the address may lead to the newer one again, which they do not
        try:
            leave_if_demoted(db.engine)  # whose history ends, and lacks nothing that was seen
            outcome = remember()
        except SQLAlchemyError:
            if self._opened_another:
                _leave_connections()
            return
        now = isinstance(outcome, GoesOn)
        self._goes_on = before and now
        self._seen = outcome.newest if isinstance(outcome, GoesOn) else outcome.seen
        if self._opened_another or now is not before:
            _leave_connections()  # before anybody is let in: those of this look were let through
        self._goes_on = now
        if before and not now:
            log.critical("the database was restored from a backup: run `idp db restored`")
        if now and not before:
            log.warning("the database's history goes on again")


def _look_every() -> float:
    return min(LOOK_EVERY, LOOK_POOLED) if settings().database_pooled else LOOK_EVERY


def _leave_connections() -> None:
    """Have none used again that was opened until now, be it to the older database or the newer."""
    db.session.remove()
    db.engine.dispose()


def init_app(app: Flask) -> None:
    """Give the application its watch; nothing is read yet."""
    app.extensions[_WATCH] = Watch()
    with app.app_context():  # of its own database alone: a command may open others beside it
        if not event.contains(db.engine, "connect", _opened):
            event.listen(db.engine, "connect", _opened)


def goes_on() -> bool:
    """Whether the running application may serve from this database."""
    watch: Watch = current_app.extensions[_WATCH]
    return watch.goes_on()


def _opened(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection) or not has_app_context():
        return
    watch: Watch | None = current_app.extensions.get(_WATCH)
    if watch is not None and watch.distrusts(connection):
        import psycopg  # noqa: PLC0415 - there is a PostgreSQL

        connection.close()
        raise psycopg.OperationalError("the database may be an older one: it is looked at first")


def _has(opened: Any, seen: Mark) -> bool:
    """Whether the driver's connection leads to a database that has this event."""
    import psycopg  # noqa: PLC0415 - there is a PostgreSQL

    query = "SELECT id, at, event, correlation_id FROM audit_events WHERE id = %s"
    try:
        row = opened.execute(query, (seen.number,)).fetchone()
    except psycopg.ProgrammingError:
        row = None  # it has no such table
    finally:
        opened.rollback()
    if row is None:
        return False
    number, at, name, correlation_id = row
    stored = _mark((number, at.astimezone(UTC), name, correlation_id), seen.database)
    return stored.fingerprint == seen.fingerprint


def _newest(now: Connection) -> Mark | None:
    row = now.execute(_event().order_by(AuditEvent.id.desc()).limit(1)).one_or_none()
    return _mark(row, _identity(now)) if row is not None else None


def _identity(now: Connection) -> str:
    return now.scalar(select(DatabaseIdentity.id)) or ""


def _holds(now: Connection, seen: Mark) -> bool:
    row = now.execute(_event().where(AuditEvent.id == seen.number)).one_or_none()
    if row is not None:
        return _mark(row, seen.database).fingerprint == seen.fingerprint
    # The purge takes old events away, never the newest: younger ones must then be there.
    oldest = now.scalar(select(func.min(AuditEvent.id)))
    return oldest is not None and oldest > seen.number


def _acknowledged_since(now: Connection, seen: Mark) -> bool:
    """On another machine the operator has said so already, after our last look."""
    latest = now.scalar(select(func.max(AuditEvent.at)).where(AuditEvent.event == ACKNOWLEDGED))
    return latest is not None and latest > datetime.fromisoformat(seen.seen_at)


def _event() -> Any:
    return select(AuditEvent.id, AuditEvent.at, AuditEvent.event, AuditEvent.correlation_id)


def _mark(row: Any, database: str) -> Mark:
    number, at, event, correlation_id = row
    text = f"{number}|{at.isoformat()}|{event}|{correlation_id}"
    return Mark(number, sha256(text.encode()).hexdigest(), clock.now().isoformat(), database)
