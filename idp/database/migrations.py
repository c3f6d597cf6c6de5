"""How migrations run: where they are, and how they behave beside traffic on PostgreSQL.

A table that has grown gets an index after its migration, by ``CREATE INDEX CONCURRENTLY``: a
plain one would stop every write to it for as long as it takes. Nothing else waits long for a lock,
because everybody would wait behind (``lock_timeout``): it is given up, and tried again.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from alembic.config import Config
from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import Index, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.schema import CreateIndex

from idp.database import locks
from idp.resources import folder

log = logging.getLogger("idp.migrations")

GROWN: Final = 10_000  # rows, as PostgreSQL estimates them
_BYTES_A_ROW: Final = 150
"""Of a table that PostgreSQL has counted never yet."""

# Of the whole with partitions PostgreSQL may keep a sum of its own, beside each part's
_ROWS = text(
    "SELECT coalesce(sum(CASE WHEN c.reltuples < 0 THEN pg_relation_size(c.oid) / :bytes"
    " ELSE c.reltuples END), 0) FROM pg_class c WHERE c.relkind = 'r' AND (c.oid ="
    " to_regclass(:name) OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass(:name))))"
)
_INVALID = text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE NOT i.indisvalid AND c.relname = :name"
)
_PARTITIONS = text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = to_regclass(:name) ORDER BY c.relname"
)
_JOINED = text(
    "SELECT 1 FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid"
    " WHERE h.inhparent = to_regclass(:name) AND i.indrelid = to_regclass(:part)"
)
_IS_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
_waiting: dict[str, Index] = {}


def configuration(tried: int = 0) -> Config:
    """Alembic's, for its commands in an application context. ``tried``: so many times before, when
    somebody held what they need.
    """
    there = folder("idp.migrations")
    config = Config(there / "alembic.ini")
    config.set_main_option("script_location", str(there).replace("%", "%%"))
    config.attributes["tried"] = tried
    return config


class Patient(PostgresqlImpl):
    """Alembic's PostgreSQL, but for indexes on what has grown."""

    __dialect__ = "postgresql"

    def create_index(self, index: Index, **kw: Any) -> None:
        if self._is_grown(index):
            _waiting[str(index.name)] = index
        else:
            super().create_index(index, **kw)

    def drop_index(self, index: Index, **kw: Any) -> None:
        if _waiting.pop(str(index.name), None) is None:
            super().drop_index(index, **kw)

    def _is_grown(self, index: Index) -> bool:
        # A unique one is a rule that the next step may rely on: it is not put off
        if self.as_sql or self.connection is None or index.unique or index.table is None:
            return False
        return estimated_rows(self.connection, str(index.table.name)) > GROWN


def estimated_rows(connection: Connection, table: str) -> int:
    """How many rows a table has on PostgreSQL, as that estimates them, with those of its parts."""
    return round(connection.scalar(_ROWS, {"name": table, "bytes": _BYTES_A_ROW}) or 0)


def begin(connection: Connection, tried: int) -> None:
    """Let this connection wait for no lock longer than ``locks.longest``."""
    if not tried:  # or an index may wait yet, of a step that is done but for it
        _waiting.clear()
    if connection.dialect.name == "postgresql":
        wait = locks.longest(connection, tried)
        connection.exec_driver_sql(f"SET lock_timeout = '{wait}'")
        connection.commit()


def end(connection: Connection, tried: int) -> None:
    """Make the indexes that were put off, beside traffic. Raises as ``concurrently`` does."""
    if connection.dialect.name != "postgresql":
        return
    connection.exec_driver_sql("RESET lock_timeout")
    connection.commit()
    for name, index in list(_waiting.items()):
        concurrently(connection.engine, index, tried)
        del _waiting[name]


def concurrently(engine: Engine, index: Index, tried: int = 0) -> None:
    """Make one index without stopping writes; half of one, left by a crash, is made again.

    ``tried``: so many times before. Raises ``OperationalError`` where somebody holds what it needs
    for a moment (``locks.is_held``): the next try goes on from there.
    """
    log.info("making the index %s beside traffic", index.name)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as now:
        words = str(CreateIndex(index, if_not_exists=True).compile(dialect=now.dialect))
        parts = now.scalars(_PARTITIONS, {"name": _table_of(index)}).all()
        if parts:
            _in_each(now, index, words, parts, tried)
        else:
            _beside_traffic(now, str(index.name), words)


def _table_of(index: Index) -> str:
    return str(index.table.name) if index.table is not None else ""


@contextmanager
def _waits(now: Connection, longest: str) -> Iterator[None]:
    now.exec_driver_sql(f"SET lock_timeout = '{longest}'")
    try:
        yield
    finally:
        now.exec_driver_sql("RESET lock_timeout")


def _beside_traffic(now: Connection, name: str, words: str) -> None:
    with _waits(now, "0"):  # for old transactions; nobody who writes or reads waits behind it
        if now.scalar(_INVALID, {"name": name}):
            now.exec_driver_sql(f'DROP INDEX CONCURRENTLY "{name}"')
        now.exec_driver_sql(words.replace("INDEX ", "INDEX CONCURRENTLY ", 1))


def _in_each(now: Connection, index: Index, words: str, parts: Sequence[str], tried: int) -> None:
    """PostgreSQL makes none beside traffic for a whole with partitions: one for each, then joined.

    The whole's is valid once each partition has its own; partitions that come meanwhile do. To
    make it, and to join another to it, takes a moment, but is done alone: nobody writes to the
    log then, or reads that partition.
    """
    name, table = str(index.name), _table_of(index)
    if not now.scalar(_IS_THERE, {"name": name}):
        _at_once(now, words.replace(f" ON {table} ", f" ON ONLY {table} ", 1), tried)
    for part in parts:
        if now.scalar(_JOINED, {"name": name, "part": part}):
            continue
        its_own = name + part.removeprefix(table)
        its_words = words.replace(f" {name} ON {table} ", f' "{its_own}" ON "{part}" ', 1)
        _beside_traffic(now, its_own, its_words)
        _at_once(now, f'ALTER INDEX "{name}" ATTACH PARTITION "{its_own}"', tried)


def _at_once(now: Connection, words: str, tried: int) -> None:
    with _waits(now, locks.longest(now, tried)):
        now.exec_driver_sql(words)


def missing(connection: Connection, metadata: Any) -> list[Index]:
    """Indexes of the models that the database has not, or only half: a crash came between."""
    there = {
        row[0]
        for row in connection.execute(
            text(
                "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                " WHERE i.indisvalid"
            )
        )
    }
    return [
        index
        for table in metadata.tables.values()
        for index in sorted(table.indexes, key=lambda each: str(each.name))
        if index.name not in there and not index.unique
    ]
