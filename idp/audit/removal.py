"""Age removes events, nothing else (security rule L3).

The database refuses to delete from the audit log (a trigger, migration 0034) but in a
transaction that says that it purges. That stops slips and most injected statements, not somebody
who may send any statement: on PostgreSQL the role that serves should not be one that may delete.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import text

from idp.database import db

PURGING: Final = "purging"
REFUSED: Final = "the audit trail is append-only"
"""What the triggers say, of a change as of a removal (migrations 0002 and 0034)."""

_BEGIN: Final = {
    "sqlite": text(
        f"INSERT INTO installation_marks (name, value, at) VALUES ('{PURGING}', '',"  # noqa: S608
        " CURRENT_TIMESTAMP)"
    ),
    # Until the end of the transaction, and in it alone
    "postgresql": text(f"SELECT set_config('idp.{PURGING}', 'on', true)"),
}
_END: Final = {
    "sqlite": text(f"DELETE FROM installation_marks WHERE name = '{PURGING}'"),  # noqa: S608
    "postgresql": text(f"SELECT set_config('idp.{PURGING}', '', true)"),
}
_MAY = text("SELECT has_table_privilege('audit_events', 'DELETE')")


@contextmanager
def allowed(session: Any) -> Iterator[None]:
    """Within a ``transaction()``: the events that are deleted meanwhile may go."""
    kind = db.engine.dialect.name
    session.execute(_BEGIN[kind])
    yield
    session.execute(_END[kind])


def may_delete(session: Any) -> bool:
    """Whether this role could, with the word that it purges; SQLite has no roles."""
    return db.engine.dialect.name == "postgresql" and bool(session.scalar(_MAY))
