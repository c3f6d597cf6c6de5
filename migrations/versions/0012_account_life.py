"""an account's life: changes of address, proved addresses, requests for erasure

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = idp.database.UtcDateTime(timezone=True)
    # SQLite adds a column in place; a copy of the table would lose rows that refer to it
    op.add_column("accounts", sa.Column("email_verified_at", moment, nullable=True))
    op.add_column("accounts", sa.Column("first_sign_in_at", moment, nullable=True))
    op.add_column(
        "one_time_tokens",
        sa.Column("sent_to", idp.database.KeyedHash(length=43), nullable=True),
    )
    op.create_table(
        "email_changes",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("old_email", sa.String(length=254), nullable=True),
        sa.Column("new_email", sa.String(length=254), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("confirmed_at", moment, nullable=True),
        sa.Column("undone_at", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_email_changes_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_changes")),
    )
    op.create_index("ix_email_changes_account_id", "email_changes", ["account_id", "asked_at"])
    op.create_index("ix_email_changes_expires_at", "email_changes", ["expires_at"])
    op.create_table(
        "email_change_links",
        sa.Column("secret_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("change_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("outbox_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint(
            "purpose IN ('confirm', 'undo')", name=op.f("ck_email_change_links_purpose")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"],
            ["email_changes.id"],
            name=op.f("fk_email_change_links_change_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_email_change_links")),
    )
    op.create_index("ix_email_change_links_change_id", "email_change_links", ["change_id"])
    op.create_index("ix_email_change_links_outbox_id", "email_change_links", ["outbox_id"])
    op.create_table(
        "erasure_requests",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("closed_at", moment, nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('done', 'declined', 'taken_back')",
            name=op.f("ck_erasure_requests_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_erasure_requests_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_requests")),
    )
    op.create_index("ix_erasure_requests_account_id", "erasure_requests", ["account_id"])
    op.create_index(
        "uq_erasure_requests_open",
        "erasure_requests",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    # A page of an account's history reads the newest of its events, in the order of their ids
    op.create_index("ix_audit_events_account_id_id", "audit_events", ["account_id", "id"])
    op.drop_index("ix_audit_events_account_id_at", table_name="audit_events")


def downgrade() -> None:
    op.create_index("ix_audit_events_account_id_at", "audit_events", ["account_id", "at"])
    op.drop_index("ix_audit_events_account_id_id", table_name="audit_events")
    op.drop_table("erasure_requests")
    op.drop_table("email_change_links")
    op.drop_table("email_changes")
    op.drop_column("one_time_tokens", "sent_to")
    op.drop_column("accounts", "first_sign_in_at")
    op.drop_column("accounts", "email_verified_at")
