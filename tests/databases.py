"""Fresh, migrated databases for tests, made by copying one that was migrated once."""

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from tests import pooler, postgres

KINDS = ("sqlite", "postgresql")
# SQLite waits for the disk at each commit, as it should; tests need not
_MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
_numbers = count(1)
_emptied: list[str] = []
"""PostgreSQL databases that nobody uses any more, the longest unused first."""
RESTING = 3
"""So many that the next one's last connection has ended: to rename it would wait for that, and
the server looks again after a tenth of a second.
"""


@contextlib.contextmanager
def fresh(kind: str) -> Iterator[str]:
    """The address of an empty database at the newest schema; removed afterwards."""
    with _fresh_sqlite() if kind == "sqlite" else _fresh_postgresql() as url:
        yield url


def kind_of(item: pytest.Item) -> str | None:
    """The kind that this test runs on; none where it needs no database."""
    parameters = getattr(item, "callspec", None)
    kind: str | None = parameters.params.get("database_url") if parameters else None
    return kind


def may_leave_out(item: pytest.Item) -> bool:
    """Whether a quick run goes without this test: its module says that the other kind is enough.

    Whoever says nothing runs on each kind, as what databases do differently must.
    """
    kind = kind_of(item)
    says = item.get_closest_marker("quick_on")
    if kind is None or says is None:
        return False
    if any("database_url" in mark.args[0] for mark in item.iter_markers("parametrize")):
        return False  # it says itself on which
    return kind not in says.args


def migrate(url: str) -> None:
    """Bring a database to the newest schema, as ``idp db upgrade`` does."""
    from alembic import command

    from idp import create_app
    from idp.database import db, migrations
    from tests.conftest import settings_for_tests

    app = create_app(settings_for_tests(url, Path("keys")))
    with app.app_context():
        command.upgrade(migrations.configuration(), "head")
        db.engine.dispose()


@contextlib.contextmanager
def _fresh_sqlite() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="idp-test-", dir=_MEMORY))
    try:
        path = folder / "idp.db"
        shutil.copy(_sqlite_template(), path)
        yield f"sqlite:///{path}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _fresh_postgresql() -> Iterator[str]:
    """A copy of the template, or an earlier test's copy that was emptied: a tenth of the time.

    Its name is new, so that nothing that was remembered of the earlier one speaks of it.
    """
    base, template = postgresql_cluster(), _postgresql_template()
    name = f"test_{next(_numbers)}"
    if len(_emptied) >= RESTING:
        _administer(f"ALTER DATABASE {_emptied.pop(0)} RENAME TO {name}")
    else:
        _administer(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield f"{pooler.before(base) if pooler.WANTED else base}/{name}"
    finally:
        if _empty(base, name):
            _emptied.append(name)
        else:
            postgres.drop_database(base, name)


@cache
def postgresql_cluster() -> str:
    """The base address of a throw-away cluster that lives as long as this process."""
    stack = contextlib.ExitStack()
    try:
        url = stack.enter_context(postgres.temporary_cluster())
    except postgres.Unavailable as reason:
        pytest.skip(f"PostgreSQL is not available: {reason}")
    atexit.register(stack.close)
    return url


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="idp-template-", dir=_MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "template.db"
    migrate(f"sqlite:///{path}")
    # WAL content must be in the one file that is copied
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    return path


@cache
def _postgresql_template() -> str:
    name = "idp_template"
    migrate(postgres.create_database(postgresql_cluster(), name))
    return name


def _empty(base: str, name: str) -> bool:
    """Take every row out again; false where the test changed more than rows."""
    _administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    with psycopg.connect(f"{base}/{name}", autocommit=True) as connection:
        if connection.execute(_SHAPE).fetchall() != _template_shape():
            return False
        filled = {str(name) for (name,) in connection.execute(_FILLED)}
        connection.execute(_emptying(frozenset(filled)))
    return True


_FILLED = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
"""The tables that hold a row, or did once: a third of all, and to open one takes its time."""


_SHAPE = """
    SELECT c.relname::text, c.relkind::text, a.attname::text, a.atttypid::int, a.attnotnull
    FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'public'::regnamespace
    UNION ALL SELECT tgrelid::regclass::text, 't', tgname::text, tgenabled::int, true
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT version_num, 'v', '', 0, true FROM alembic_version
    ORDER BY 1, 2, 3
"""


@cache
def _template_shape() -> list[tuple[object, ...]]:
    address = f"{postgresql_cluster()}/{_postgresql_template()}"
    with psycopg.connect(address) as connection:
        return connection.execute(_SHAPE).fetchall()


@cache
def _emptying(filled: frozenset[str]) -> bytes:
    """One statement for all these; TRUNCATE would make new files for each of them."""
    tables = filled - {"alembic_version", "database_identity"}
    sequences = {str(row[0]) for row in _template_shape() if row[1] == "S"}
    statements = [
        "SET session_replication_role = replica",  # no foreign keys, in whichever order
        *(f'DELETE FROM "{table}"' for table in sorted(tables)),
        *(f"SELECT setval('{sequence}', 1, false)" for sequence in sorted(sequences)),
    ]
    return ";".join(statements).encode()


def _administer(statement: str) -> None:
    _administration().execute(statement.encode())


@cache
def _administration() -> psycopg.Connection[tuple[object, ...]]:
    connection = psycopg.connect(f"{postgresql_cluster()}/postgres", autocommit=True)
    atexit.register(connection.close)
    return connection
