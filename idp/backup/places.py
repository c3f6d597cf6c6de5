"""The place of the database that serves, into which a restored one is put in one step."""

import gc
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final, Protocol

from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from idp import settings
from idp.backup import elsewhere
from idp.backup.elsewhere import Beside
from idp.backup.taking import COPY, sweep_copies
from idp.backup.troubles import BackupTrouble
from idp.database import db

_OTHERS: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND usesysid IS NOT NULL"
)
_THERE: Final = text("SELECT 1 FROM pg_database WHERE datname = :name")
ENDS_WITHIN: Final = 2.0
"""Seconds in which a connection that was closed, such as ours, is gone at the server too."""
LONGEST_NAME: Final = 63
"""Bytes of a name in PostgreSQL."""


class Place(Protocol):
    """Where the database is, or was."""

    kind: str

    def is_full(self) -> bool:
        """Whether a database with tables is there; one that can't be read counts as one."""

    def refuse_others(self) -> None:
        """Raise ``BackupTrouble`` where somebody else uses it."""

    def beside(self) -> AbstractContextManager[Beside]:
        """An empty database of the same kind, gone afterwards unless it took the place."""

    def take(self, beside: Beside) -> str | None:
        """Put it in the place; returns where the former one is now."""


def place() -> Place:
    """That of the running settings."""
    url = make_url(settings.current().sqlalchemy_url)
    if url.get_backend_name() == "sqlite":
        return SqlitePlace(Path(str(db.engine.url.database)))
    return PostgresPlace(str(url.database))


class SqlitePlace:
    """A file, with what SQLite keeps beside it."""

    kind = "sqlite"

    def __init__(self, file: Path) -> None:
        self.file = file

    def is_full(self) -> bool:
        return self.file.exists() and self.file.stat().st_size > 0 and _has_tables()

    def refuse_others(self) -> None:
        """Whoever else has it open holds it in its mode."""
        if not self.file.exists():
            return
        db.session.remove()
        db.engine.dispose()
        gc.collect()  # a connection of ours that nobody holds any more is somebody's until then
        with closing(sqlite3.connect(self.file, timeout=2, isolation_level=None)) as now:
            try:
                mode = now.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
            except sqlite3.OperationalError:
                mode = "held"
            except sqlite3.DatabaseError:
                return  # damaged: nobody works with it
        if mode != "delete":
            raise BackupTrouble(
                "somebody uses the database: stop the provider, its workers and timers first"
            )

    @contextmanager
    def beside(self) -> Iterator[Beside]:
        """In the same folder, so that one step puts it in place."""
        sweep_copies(self.file.parent)
        with TemporaryDirectory(dir=self.file.parent, prefix=COPY) as made:
            yield Beside(f"sqlite:///{Path(made) / 'idp.db'}", Path(made))

    def take(self, beside: Beside) -> str | None:
        """What stood there goes aside first: a log of the one must never meet the other."""
        restored = Path(str(make_url(beside.address).database))
        with closing(sqlite3.connect(restored)) as now:
            now.execute("PRAGMA journal_mode = DELETE")  # one file, with all that is in it
        restored.chmod(0o600)
        self.refuse_others()
        former = None
        if self.file.exists():
            former = self.file.with_name(f"{self.file.name}.before-{elsewhere.stamp()}")
            self.file.rename(former)
        for ending in ("-wal", "-shm", "-journal"):
            left = Path(f"{self.file}{ending}")
            if left.exists():
                left.rename(f"{former or left}{ending if former else '.old'}")
        restored.rename(self.file)
        _sync(self.file.parent)
        return str(former) if former and former.stat().st_size else None


class PostgresPlace:
    """A database of a server, by its name."""

    kind = "postgresql"

    def __init__(self, name: str) -> None:
        self.name = name

    def is_full(self) -> bool:
        return self._is_there() and _has_tables()

    def refuse_others(self) -> None:
        db.session.remove()
        db.engine.dispose()
        gc.collect()  # as above
        until = monotonic() + ENDS_WITHIN
        with elsewhere.administration() as now:
            while others := now.scalar(_OTHERS, {"name": self.name}):
                if monotonic() > until:
                    break
                sleep(0.1)
        if others:
            raise BackupTrouble(
                f"{others} connections use the database: stop the provider, its workers and"
                " timers first"
            )

    @contextmanager
    def beside(self) -> Iterator[Beside]:
        """Made now, and dropped where it does not take the place."""
        begin = self._beginning("restoring")
        elsewhere.sweep(begin)
        name = begin + elsewhere.stamp()
        with TemporaryDirectory(prefix=COPY) as folder, elsewhere.created(name) as address:
            yield Beside(address, Path(folder))

    def take(self, beside: Beside) -> str | None:
        """Two names are given; between them there is no database, and nobody is served."""
        restored = str(make_url(beside.address).database)
        is_full, former = self.is_full(), self._beginning("before") + elsewhere.stamp()
        self.refuse_others()
        with elsewhere.administration() as now:
            if self._is_there():
                now.exec_driver_sql(f'ALTER DATABASE "{self.name}" RENAME TO "{former}"')
            now.exec_driver_sql(f'ALTER DATABASE "{restored}" RENAME TO "{self.name}"')
        if not is_full:
            elsewhere.drop(former)
        return former if is_full else None

    def _is_there(self) -> bool:
        with elsewhere.administration() as now:
            return now.scalar(_THERE, {"name": self.name}) is not None

    def _beginning(self, what: str) -> str:
        """How a name beside begins; a stamp follows."""
        ending = f"_{what}_"
        room = LONGEST_NAME - len(ending) - len(elsewhere.stamp())
        return self.name.encode()[:room].decode(errors="ignore") + ending


def _has_tables() -> bool:
    try:
        with db.engine.connect() as now:
            if now.dialect.name == "postgresql":  # somebody else's may lie in any schema
                return bool(now.scalar(elsewhere.HAS_TABLES))
            return bool(inspect(now).get_table_names())
    except (SQLAlchemyError, sqlite3.Error):
        return True
    finally:
        db.engine.dispose()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
