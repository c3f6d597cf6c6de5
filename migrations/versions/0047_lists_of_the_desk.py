"""Indexes of what operators read in the logbook, and the figures that are counted beside pages.

The previous release serves beside them as before.

Revision ID: 0047
Revises: 0046
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

OF_SCHOOLS = sa.text("school_id IS NOT NULL")
OF_PLATFORM = sa.text(
    "school_id IS NULL AND event IN ('access_closed', 'account_changed', 'account_disabled', "
    "'account_enabled', 'accounts_merged', 'client_changed', 'client_created', "
    "'client_disabled', 'client_enabled', 'client_secret_ended', 'client_secret_rotated', "
    "'database_restored', 'email_way_back_ended', 'erasure_closed', 'factors_reset', "
    "'factors_reset_asked', 'factors_reset_declined', 'key_made', 'key_retired', "
    "'key_rotated', 'mail_asked_again', 'person_email_corrected', 'person_language_set', "
    "'registration_token_ended', 'registration_token_made', 'role_changed', 'role_granted', "
    "'role_revoked', 'roster_begun', 'settings_agreed', 'token_sent', 'username_changed')"
)


def upgrade() -> None:
    for name, which in (("of_schools", OF_SCHOOLS), ("of_platform", OF_PLATFORM)):
        op.create_index(
            f"ix_audit_events_{name}",
            "audit_events",
            ["id"],
            sqlite_where=which,
            postgresql_where=which,
        )
    op.create_table(
        "platform_counts",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("counted_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_platform_counts")),
    )


def downgrade() -> None:
    op.drop_table("platform_counts")
    for name in ("of_platform", "of_schools"):
        op.drop_index(f"ix_audit_events_{name}", table_name="audit_events")
