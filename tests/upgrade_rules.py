"""What a statement of an upgrade may not do on PostgreSQL, where people are served meanwhile."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import event

from idp import purge
from idp.audit import partitions
from idp.database import db

GROWING = {
    *(table.model.__tablename__ for table in purge.GROWING),
    *("accounts", "children", "guardianships", "directory_entries", "passwords", "consents"),
}
INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON (?P<only>ONLY )?(?P<of>\w+)")
UNBOUNDED = re.compile(
    r"(?:SELECT|WITH|INSERT|UPDATE|DELETE|SHOW|SET|RESET|SAVEPOINT|RELEASE|ROLLBACK)\b"
    r"|.* CONCURRENTLY "
)
"""Behind which nobody waits who reads or writes rows, for however long it waits itself."""


class Made(NamedTuple):
    """A statement, and how it was made."""

    words: str
    autocommit: bool
    bounded: bool
    """Whether it waits for a lock no longer than ``lock_timeout``."""


def breach(made: Made) -> str | None:
    """Which rule a statement of a migration breaks, if any."""
    words = plain(made.words)
    if waits_for_ever(made):
        return f"waits for a lock for ever: {words[:120]}"
    rules = (
        (INDEX.pattern, "CONCURRENTLY"),
        (
            r"ALTER TABLE (?P<of>\w+) ADD CONSTRAINT .*(?:FOREIGN KEY|CHECK)(?!.*NOT VALID)",
            "NOT VALID",
        ),
        (r"ALTER TABLE (?P<of>\w+) ALTER COLUMN \w+ (?:TYPE|SET NOT NULL)", "a rewrite or a scan"),
        (r"(?:UPDATE|DELETE FROM|INSERT INTO) (?P<of>\w+)", "a fill in the schema's transaction"),
    )
    for pattern, rule in rules:
        found = re.match(pattern, words, re.IGNORECASE)
        if found and is_growing(found["of"]) and not (made.autocommit and "fill" in rule):
            # Of a whole with partitions it reads no row, and there is no other way
            if found.groupdict().get("only") and found["of"] == partitions.TABLE:
                continue
            return f"{rule}: {words[:120]}"
    return None


def waits_for_ever(made: Made) -> bool:
    """Whether it does so that everybody waits behind it."""
    return not (made.bounded or UNBOUNDED.match(plain(made.words)))


def plain(statement: str) -> str:
    """A statement in one line, without quotation marks."""
    return " ".join(statement.replace('"', "").split())


def is_growing(table: str) -> bool:
    """Whether it is one that has many rows, or a part of it."""
    return table in GROWING or table.startswith(f"{partitions.TABLE}_")


@contextmanager
def statements_of(made: list[Made]) -> Iterator[None]:
    """Write down every statement meanwhile."""

    def note(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        here = connection.connection.dbapi_connection
        (longest,) = here.execute("SHOW lock_timeout").fetchone()
        made.append(Made(statement, here.autocommit, longest != "0"))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
