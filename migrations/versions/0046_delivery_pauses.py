"""Applications that do not answer are spared as a whole, and are told of accounts that are open again.

The previous release goes on beside it: it finds what is due as before, and does not know the pauses.

Revision ID: 0046
Revises: 0045
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_WAITING = sa.text("status = 'waiting'")
_EVENTS = (
    "'logout', 'session-replaced', 'session-revoked', 'guardianship-ended',"
    " 'consent-withdrawn', 'account-disabled'"
)
_STATUSES = "'waiting', 'told', 'refused', 'given_up', 'dropped'"


def upgrade() -> None:
    op.create_table(
        "delivery_pauses",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("until", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_delivery_pauses_client_id")
        ),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_delivery_pauses")),
        if_not_exists=True,  # of an attempt that was cut short
    )
    _allow(f"{_EVENTS}, 'account-enabled'", f"{_STATUSES}, 'outdated'")
    op.create_index(
        "ix_event_deliveries_waiting",
        "event_deliveries",
        ["client_id", "due_at", "id"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
        if_not_exists=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():  # the rows are looked at beside traffic
            _validate()


def downgrade() -> None:
    op.drop_index("ix_event_deliveries_waiting", "event_deliveries")
    op.execute("DELETE FROM event_deliveries WHERE event = 'account-enabled'")
    op.execute("UPDATE event_deliveries SET status = 'dropped' WHERE status = 'outdated'")
    _allow(_EVENTS, _STATUSES)
    if op.get_bind().dialect.name == "postgresql":
        _validate()
    op.drop_table("delivery_pauses")


def _allow(events: str, statuses: str) -> None:
    """Let the columns have these values."""
    rules = {"event": f"event IN ({events})", "status": f"status IN ({statuses})"}
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("event_deliveries") as table:
            for column, rule in rules.items():
                name = op.f(f"ck_event_deliveries_{column}")
                table.drop_constraint(name, type_="check")
                table.create_check_constraint(name, sa.text(rule))
        return
    for column, rule in rules.items():
        name = f"ck_event_deliveries_{column}"
        op.execute(f"ALTER TABLE event_deliveries DROP CONSTRAINT IF EXISTS {name}")
        op.execute(f"ALTER TABLE event_deliveries ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID")


def _validate() -> None:
    for column in ("event", "status"):
        op.execute(f"ALTER TABLE event_deliveries VALIDATE CONSTRAINT ck_event_deliveries_{column}")
