"""Browsers that stay signed in, for how long each school lets them, and who asked to.

The previous release serves beside them as before: it knows no device key.

Revision ID: 0049
Revises: 0048
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

OF_DEVICES = sa.text("persistent_login_id IS NOT NULL")
_SESSIONS = "ix_browser_sessions_persistent_login_id"


def upgrade() -> None:
    op.create_table(
        "persistent_logins",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("family_hash", sa.String(length=43), nullable=False),
        sa.Column("secret_hash", sa.String(length=43), nullable=False),
        sa.Column("previous_hash", sa.String(length=43), nullable=True),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=32), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_persistent_logins_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["browser_sessions.id"],
            name=op.f("fk_persistent_logins_session_id"),
            ondelete="CASCADE",  # the previous release's purge knows of no key
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persistent_logins")),
        sa.UniqueConstraint("family_hash", name=op.f("uq_persistent_logins_family_hash")),
    )
    for column in ("account_id", "session_id", "expires_at"):
        op.create_index(op.f(f"ix_persistent_logins_{column}"), "persistent_logins", [column])
    op.add_column("schools", sa.Column("stay_signed_in_days", sa.Integer(), nullable=True))
    op.add_column(
        "interactions",
        sa.Column("stays", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column(
        "browser_sessions", sa.Column("persistent_login_id", sa.String(length=32), nullable=True)
    )
    # Here and at once, all or nothing; a table that has grown gets it afterwards, beside traffic
    op.create_index(
        _SESSIONS,
        "browser_sessions",
        ["persistent_login_id"],
        sqlite_where=OF_DEVICES,
        postgresql_where=OF_DEVICES,
    )


def downgrade() -> None:
    op.drop_index(_SESSIONS, table_name="browser_sessions")
    op.drop_column("browser_sessions", "persistent_login_id")
    op.drop_column("interactions", "stays")
    op.drop_column("schools", "stay_signed_in_days")
    op.drop_table("persistent_logins")
