"""What migrations do to tables that were there before, as PostgreSQL itself tells it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, inspect

from idp.database import db
from idp.database.upgrade_costs import Cost

_HOLDS = (
    "SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    " WHERE l.pid = pg_backend_pid() AND c.relkind IN ('r', 'p') AND l.granted AND l.mode IN"
    " ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"
)
_PARTITIONS = "SELECT relname FROM pg_class WHERE relispartition"
"""Parts of what is named as a whole."""
_FILLS = re.compile(r"\b(?:UPDATE|DELETE FROM|INSERT INTO)\s+\"?(\w+)", re.IGNORECASE)
_READS = re.compile(
    r"CREATE (?:UNIQUE )?INDEX.*? ON (?:ONLY )?\"?(\w+)|ALTER TABLE \"?(\w+)\"? VALIDATE",
    re.IGNORECASE | re.DOTALL,
)


class Watched:
    """The tables that were locked, filled and read, of those that were there at the start."""

    def __init__(self) -> None:
        with db.engine.connect() as now:
            parts = set(now.exec_driver_sql(_PARTITIONS).scalars())
        self._there = set(inspect(db.engine).get_table_names()) - {"alembic_version"} - parts
        self.locks: set[str] = set()
        self.fills: set[str] = set()
        self.reads: set[str] = set()

    @property
    def cost(self) -> Cost:
        sets = (self.locks, self.fills, self.reads)
        return Cost(*(tuple(sorted(each & self._there)) for each in sets))

    def note(self, connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        self.fills.update(_FILLS.findall(statement))
        self.reads.update(one or other for one, other in _READS.findall(statement))
        driver = connection.connection.dbapi_connection
        if not driver.autocommit:
            with driver.cursor() as another:
                self.locks.update(name for (name,) in another.execute(_HOLDS))


@contextmanager
def watched() -> Iterator[Watched]:
    """While a step is taken."""
    made = Watched()
    event.listen(db.engine, "after_cursor_execute", made.note)
    try:
        yield made
    finally:
        event.remove(db.engine, "after_cursor_execute", made.note)
