"""Reads and writes many rows in few statements: COPY on PostgreSQL, ``executemany`` on SQLite; and
plain SQL.

The SQL of this package runs on both databases. One statement decides for thousands of people; there
is never a query in a loop.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import String, bindparam, text

from idp.database import UtcDateTime, db, in_parts

CHUNK: Final = 5_000


def insert_rows(model: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows in the caller's transaction; ``columns`` in the order of each row."""
    table = model.__tablename__
    listed = ", ".join(columns)
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        driver: Any = connection.connection
        statement = f"COPY {table} ({listed}) FROM STDIN"
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
        return
    places = ", ".join("?" for _ in columns)
    statement = f"INSERT INTO {table} ({listed}) VALUES ({places})"
    for chunk in in_parts(rows, CHUNK):
        connection.exec_driver_sql(statement, [tuple(row) for row in chunk])


def execute(statement: str, **values: Any) -> int:
    """Run a statement in the caller's transaction; returns how many rows it touched."""
    result: Any = db.session.execute(_typed(statement, values), values)
    return int(result.rowcount)


def execute_many(statement: str, rows: Iterable[dict[str, Any]]) -> None:
    """Run a statement for each row, many to a round trip."""
    for chunk in in_parts(rows, CHUNK):
        db.session.execute(text(statement), list(chunk))


def fetch(statement: str, **values: Any) -> Iterator[Any]:
    """The rows of a query."""
    yield from db.session.execute(_typed(statement, values), values)


def count(statement: str, **values: Any) -> int:
    """The one number that a query answers."""
    return int(db.session.execute(_typed(statement, values), values).scalar_one() or 0)


def analyse(*models: Any) -> None:
    """Tell PostgreSQL's planner how large tables have become; SQLite plans by its indexes."""
    if db.session.connection().dialect.name == "postgresql":
        for model in models:
            db.session.execute(text(f"ANALYZE {model.__tablename__}"))


def prepare() -> None:
    """Give SQLite room for 64 MB of pages, because ids are random and so are inserts; and
    patience, so that of two imports of one school the second waits for the first.
    """
    connection = db.session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA cache_size = -65536")
        connection.exec_driver_sql("PRAGMA busy_timeout = 120000")
    db.session.commit()


def _typed(statement: str, values: dict[str, Any]) -> Any:
    """The statement with the type of each value: PostgreSQL won't guess the same one twice."""
    return text(statement).bindparams(
        *(
            bindparam(name, type_=UtcDateTime if isinstance(value, datetime) else String)
            for name, value in values.items()
            if re.search(rf":{name}\b", statement)
        )
    )
