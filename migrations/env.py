"""Alembic's environment: migrates the database of the running application."""

from typing import Any

from alembic import context
from sqlalchemy.engine import Connection

from idp.database import WRITES, db, migrations


def _is_ours(_object: Any, name: str | None, kind: str, _reflected: bool, _model: Any) -> bool:
    """Leave out what is made for searching by hand, for one database alone (revision 0016)."""
    if kind == "table":
        # The audit log's partitions are made by the purge (idp.audit.partitions)
        return not (name or "").startswith(("directory_index", "audit_events_"))
    return not (kind == "index" and name == "ix_directory_entries_text")


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        include_object=_is_ours,
        transaction_per_migration=True,
    )
    tried = context.config.attributes.get("tried", 0)
    migrations.begin(connection, tried)
    with context.begin_transaction():
        context.run_migrations()
    migrations.end(connection, tried)


if context.is_offline_mode():
    url = db.engine.url
    context.configure(url=url, target_metadata=db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    with db.engine.connect() as connection:
        _run(connection.execution_options(**WRITES[connection.dialect.name]))
