"""What applications are told of: sessions, guardianships and permissions that end.

The previous release does not know of it, and tells nobody.

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_WAITING = sa.text("status = 'waiting'")
_EVENTS = (
    "event IN ('logout', 'session-replaced', 'session-revoked', 'guardianship-ended',"
    " 'consent-withdrawn', 'account-disabled')"
)


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    moment = idp.database.UtcDateTime(timezone=True)
    op.create_table(
        "event_deliveries",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=20), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("session_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'told', 'refused', 'given_up', 'dropped')",
            name=op.f("ck_event_deliveries_status"),
        ),
        sa.CheckConstraint(_EVENTS, name=op.f("ck_event_deliveries_event")),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_event_deliveries_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_event_deliveries_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_event_deliveries_child_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_deliveries")),
    )
    op.create_index(
        "ix_event_deliveries_due",
        "event_deliveries",
        ["due_at"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    for name, *columns in (
        ("ix_event_deliveries_client_id_id", "client_id", "id"),
        ("ix_event_deliveries_account_id_id", "account_id", "id"),
        (op.f("ix_event_deliveries_child_id"), "child_id"),
        (op.f("ix_event_deliveries_created_at"), "created_at"),
    ):
        op.create_index(name, "event_deliveries", columns)


def downgrade() -> None:
    op.drop_table("event_deliveries")
