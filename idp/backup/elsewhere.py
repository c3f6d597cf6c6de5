"""A database beside the one that serves: a throw-away one to prove a backup in, or one that takes
the other's place once all is well in it. And the provider, looking at it.
"""

import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from idp import clock, settings
from idp.backup import programs
from idp.backup.taking import COPY, sweep_copies
from idp.backup.troubles import BackupTrouble, Damaged
from idp.database import db
from idp.settings import Settings
from idp.settings.secrets import DatabaseUrl

Create = Callable[[Settings], Any]
"""Makes the application: who wires it is a face."""
PROVING: Final = "idp_verify_"
LEFT_AFTER: Final = timedelta(days=1)
"""After so long a database beside is nobody's any more."""
HAS_TABLES: Final = text(
    "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'f', 'm')"
    " AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_'))"
)
"""Whether a PostgreSQL database has tables, whatever schema they are in."""
_LEFT_OVER: Final = text(
    "SELECT datname FROM pg_database WHERE starts_with(datname, :begin) AND datname < :before"
    " AND pg_get_userbyid(datdba) = current_user AND NOT EXISTS (SELECT FROM pg_stat_activity"
    " WHERE pg_stat_activity.datid = pg_database.oid AND usesysid IS NOT NULL)"
)
_EMPTYING: Final = """
DO $$ DECLARE each record; BEGIN
  FOR each IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
    AND NOT c.relispartition ORDER BY c.relkind DESC LOOP
    EXECUTE format('DROP %s IF EXISTS %s CASCADE',
      CASE each.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, each.name);
  END LOOP;
  FOR each IN SELECT p.oid::regprocedure AS name FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND NOT EXISTS
      (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') LOOP
    EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', each.name);
  END LOOP;
END $$
"""


@dataclass(frozen=True)
class Beside:
    """A database beside: its address, and a folder of the same life."""

    address: str
    folder: Path

    @property
    def kind(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return make_url(self.address).get_backend_name()


@contextmanager
def throw_away(room: Path, address: str | None = None) -> Iterator[Beside]:
    """An empty database that is gone afterwards, whatever happened.

    ``room``: a folder for an SQLite file. ``address``: of an empty one that somebody has made; it
    is empty again afterwards.
    """
    ours = settings.current().sqlalchemy_url
    sweep_copies(room)
    with TemporaryDirectory(dir=room, prefix=COPY) as made:
        folder = Path(made)
        if make_url(address or ours).get_backend_name() == "sqlite":
            yield Beside(f"sqlite:///{folder / 'idp.db'}", folder)
        elif address is None:
            sweep()
            with created(f"{PROVING}{stamp()}") as there:
                yield Beside(there, folder)
        else:
            with _lent(address) as there:
                yield Beside(there, folder)


@contextmanager
def created(name: str) -> Iterator[str]:
    """The address of a PostgreSQL database of this name, which is dropped afterwards."""
    address = make(name)
    try:
        yield address
    finally:
        drop(name)


def make(name: str) -> str:
    """Make an empty PostgreSQL database; returns its address. Raises ``BackupTrouble``."""
    try:
        administer(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
    except DBAPIError as error:
        # 42501 insufficient_privilege (PostgreSQL, appendix A)
        if getattr(error.orig, "sqlstate", None) != "42501":
            raise
        raise BackupTrouble(
            "the database's role may not create a database beside it: let a superuser say ALTER"
            " ROLE … CREATEDB"
        ) from error
    return address_of(name)


def address_of(name: str) -> str:
    """Of a database at the server of ours."""
    url = make_url(settings.current().sqlalchemy_url).set(database=name)
    return url.render_as_string(hide_password=False)


def drop(name: str) -> None:
    """Drop a PostgreSQL database, whoever still looks at it."""
    administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def administration() -> Iterator[Connection]:
    """A connection to PostgreSQL, in whose database nothing is done to ours."""
    with _connected(address_of("postgres")) as now:
        yield now


@contextmanager
def _connected(address: str) -> Iterator[Connection]:
    engine = create_engine(
        address,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    with engine.connect() as now:
        yield now


def administer(statement: str) -> None:
    """Run a statement about databases."""
    with administration() as now:
        now.exec_driver_sql(statement)


def sweep(begin: str = PROVING) -> None:
    """Drop what somebody who was killed has left of databases whose names begin so, a day ago or
    earlier, and nobody looks at: a proof that began before midnight may go on.
    """
    before = begin + _time_of(clock.now() - LEFT_AFTER)
    with administration() as now:
        names = now.scalars(_LEFT_OVER, {"begin": begin, "before": before}).all()
    for name in names:
        drop(name)


def fill(beside: Beside, blocks: Iterable[bytes], *, grants: bool) -> None:
    """Have the backup's database in it. Raises ``BackupTrouble``."""
    if beside.kind == "sqlite":
        _unpack(Path(str(make_url(beside.address).database)), blocks)
        return
    with _connected(beside.address) as now:
        server = programs.major(now)
    programs.restore(beside.address, blocks, server, grants=grants)


@contextmanager
def looking_at(
    create: Create, address: str, *, keys: Path | None, history: Path
) -> Iterator[Callable[[], None]]:
    """The provider on that database; yields what ends its connections.

    ``keys``: the folder of its signing keys; None: they are in the database.
    """
    where: dict[str, Any] = {"keys_in": "database"}
    if keys is not None:
        where = {"keys_in": "folder", "keys_folder": keys}
    ours = replace(
        settings.current(),
        database_url=DatabaseUrl(_plain(address)),
        history_file=history,
        **where,
    )
    app = create(ours)
    with app.app_context():

        def leave() -> None:
            db.session.remove()
            db.engine.dispose()

        try:
            yield leave
        finally:
            with suppress(SQLAlchemyError):
                leave()


def _unpack(file: Path, blocks: Iterable[bytes]) -> None:
    unpacking = zlib.decompressobj()
    try:
        with file.open("xb") as to:
            for block in blocks:
                for piece in _unpacked(unpacking, block):
                    to.write(piece)
            to.write(unpacking.flush())
    except zlib.error as error:
        raise Damaged(f"the backup's database can't be unpacked: {error}") from error
    with closing(sqlite3.connect(file)) as there:
        # What its schema says may not run anything (https://sqlite.org/security.html)
        there.execute("PRAGMA trusted_schema = OFF")
        there.execute("PRAGMA cell_size_check = ON")
        try:
            findings = [str(row[0]) for row in there.execute("PRAGMA integrity_check(1)")]
        except sqlite3.DatabaseError as error:
            findings = [str(error)]
    if findings != ["ok"]:
        raise Damaged(f"the backup's database was damaged before it was backed up: {findings[0]}")


def _unpacked(unpacking: Any, block: bytes) -> Iterator[bytes]:
    """No block, however often it says the same, becomes larger than memory has room for."""
    yield unpacking.decompress(block, 1024 * 1024)
    while unpacking.unconsumed_tail:
        yield unpacking.decompress(unpacking.unconsumed_tail, 1024 * 1024)


@contextmanager
def _lent(address: str) -> Iterator[str]:
    from psycopg import connect  # noqa: PLC0415 – where there is a PostgreSQL

    plain = _plain(address)
    with connect(plain, autocommit=True) as there:
        full = there.execute(str(HAS_TABLES)).fetchone()
    if full == (True,):
        raise BackupTrouble("the database of --database-url is not empty: it would be overwritten")
    try:
        yield plain.replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        with connect(plain, autocommit=True) as there:
            there.execute(_EMPTYING)


def _plain(address: str) -> str:
    """As settings have it: without the driver's name."""
    return address.replace("postgresql+psycopg://", "postgresql://", 1)


def stamp() -> str:
    """What makes a name beside ours a name of its own, by time."""
    return f"{_time_of(clock.now())}_{secrets.token_hex(3)}"


def _time_of(moment: datetime) -> str:
    return f"{moment:%Y%m%d_%H%M%S}"
