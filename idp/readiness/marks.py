"""Small facts that the machines of an installation tell each other through the database.

A few rows, each under its own name: what every machine must have alike, when the database was
last seen to take a write, and which proxy nobody believes.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from idp import clock
from idp.audit.models import InstallationMark
from idp.database import WRITES, db

PROBE: Final = "probe"
UNBELIEVED_PROXY: Final = "unbelieved proxy"
UNREADABLE_PROXY: Final = "unreadable proxy"


def read(prefix: str = "") -> dict[str, InstallationMark]:
    """Every mark whose name begins so."""
    query = select(InstallationMark).where(
        InstallationMark.name.startswith(prefix, autoescape=True)
    )
    return {mark.name: mark for mark in db.session.scalars(query)}


def write(now: Connection, name: str, value: str = "", *, over: bool = True) -> None:
    """Leave a mark; ``over``: in place of the one that is there."""
    row = {"name": name, "value": value, "at": clock.now()}
    kinds: dict[str, Any] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
    insert = kinds[now.dialect.name](InstallationMark).values(**row)
    changed = {"value": row["value"], "at": row["at"]}
    now.execute(
        insert.on_conflict_do_update(index_elements=["name"], set_=changed)
        if over
        else insert.on_conflict_do_nothing()
    )


def forget(now: Connection, names: Iterable[str]) -> None:
    """Take marks away."""
    now.execute(delete(InstallationMark).where(InstallationMark.name.in_(list(names))))


def connection() -> Any:
    """A connection of its own that writes, whatever the caller's transaction is about."""
    return db.engine.connect().execution_options(**WRITES[db.engine.dialect.name])
