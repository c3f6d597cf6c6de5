"""The databases that are measured: a new SQLite file, and a real PostgreSQL cluster.

Both are as durable as in production: a commit is on the disk when it returns.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests import postgres

KINDS = ("sqlite", "postgresql")


@contextmanager
def fresh(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, removed at the end."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    with postgres.temporary_cluster(fsync=True) as base:
        yield postgres.create_database(base, "bench")


def described(url: str) -> str:
    """The kind, version and durability of a database, as the server itself tells them."""
    if url.startswith("sqlite"):
        return f"SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL"
    with psycopg.connect(url) as connection:
        rows = [
            connection.execute(f"SHOW {name}").fetchone()
            for name in ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        ]
    version, fsync, commit, pages = (row[0] if row else "?" for row in rows)
    return (
        f"PostgreSQL {version.split()[0]}, fsync {fsync}, synchronous_commit {commit}, "
        f"full_page_writes {pages}"
    )
