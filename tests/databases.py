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

from tests import postgres

KINDS = ("sqlite", "postgresql")
# SQLite waits for the disk at each commit, as it should; tests need not
_MEMORY = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
_numbers = count(1)


@contextlib.contextmanager
def fresh(kind: str) -> Iterator[str]:
    """The address of an empty database at the newest schema; removed afterwards."""
    with _fresh_sqlite() if kind == "sqlite" else _fresh_postgresql() as url:
        yield url


def migrate(url: str) -> None:
    """Bring a database to the newest schema, as ``idp db upgrade`` does."""
    import flask_migrate

    from idp import create_app
    from idp.database import db
    from tests.conftest import settings_for_tests

    app = create_app(settings_for_tests(url, Path("keys")))
    with app.app_context():
        flask_migrate.upgrade()
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
    base = postgresql_cluster()
    name = f"test_{next(_numbers)}"
    _administer(f"CREATE DATABASE {name} TEMPLATE {_postgresql_template()}")
    try:
        yield f"{base}/{name}"
    finally:
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


def _administer(statement: str) -> None:
    with psycopg.connect(f"{postgresql_cluster()}/postgres", autocommit=True) as connection:
        connection.execute(statement.encode())
