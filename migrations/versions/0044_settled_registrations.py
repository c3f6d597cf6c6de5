"""What operators have settled of registrations that manage themselves: their ceiling.

What was changed since applications can register themselves stands in the audit log. The previous
release does not know the column: an application may widen its registration there, as before.

Revision ID: 0044
Revises: 0043
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_CLIENTS = sa.table(
    "clients",
    sa.column("id", sa.String),
    sa.column("created_at", idp.database.UtcDateTime(timezone=True)),
    sa.column("registered_by", sa.String),
    sa.column("settled", sa.JSON(none_as_null=True)),
)
_EVENTS = sa.table(
    "audit_events",
    sa.column("id", sa.BigInteger),
    sa.column("at", idp.database.UtcDateTime(timezone=True)),
    sa.column("event", sa.String),
    sa.column("actor", sa.String),
    sa.column("client_id", sa.String),
    sa.column("detail", sa.JSON),
)
_NOT_WHOLE = ("contacts", "jwks", "schools")
"""The log knows keys by their names alone and contacts in part; schools are no part of it."""


def upgrade() -> None:
    # The log is read before the table is locked: sign-ins would wait as long as that takes
    settled = _settled(op.get_bind())
    op.add_column("clients", sa.Column("settled", sa.JSON(none_as_null=True), nullable=True))
    for client_id, said in settled.items():
        op.execute(sa.update(_CLIENTS).where(_CLIENTS.c.id == client_id).values(settled=said))


def _settled(connection: sa.Connection) -> dict[str, dict[str, object]]:
    """By application, what somebody else has set of it, as it was set last."""
    ours = sa.select(_CLIENTS.c.id, _CLIENTS.c.created_at)
    themselves = connection.execute(ours.where(_CLIENTS.c.registered_by.is_not(None))).all()
    if not themselves:
        return {}
    # By the index on the time: since the first of them was registered
    changes = (
        sa.select(_EVENTS.c.client_id, _EVENTS.c.detail)
        .where(
            _EVENTS.c.at >= min(created_at for _id, created_at in themselves),
            _EVENTS.c.event == "client_changed",
            _EVENTS.c.client_id.in_([client_id for client_id, _at in themselves]),
            _EVENTS.c.actor != _EVENTS.c.client_id,
        )
        .order_by(_EVENTS.c.id)
    )
    settled: dict[str, dict[str, object]] = {}
    for client_id, detail in connection.execute(changes):
        for name, (_before, after) in detail.get("changes", {}).items():
            if name not in _NOT_WHOLE:
                settled.setdefault(client_id, {})[name] = after
    return settled


def downgrade() -> None:
    op.drop_column("clients", "settled")
