"""What a school shows of itself: its languages, its providers, its own words in mails.

Revision ID: 0019
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0019"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "schools", sa.Column("languages", sa.String(length=20), server_default="", nullable=False)
    )
    op.add_column(
        "schools", sa.Column("hidden_providers", sa.Text(), server_default="", nullable=False)
    )
    op.add_column("schools", sa.Column("version", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "school_texts",
        sa.Column("school_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("locale", sa.String(length=2), nullable=False),
        sa.Column("opening", sa.String(length=600), nullable=False),
        sa.Column("closing", sa.String(length=600), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('invitation', 'fresh_token', 'password_reset')",
            name=op.f("ck_school_texts_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_school_texts_school_id_schools")
        ),
        sa.PrimaryKeyConstraint("school_id", "kind", "locale", name=op.f("pk_school_texts")),
    )
    op.create_index("ix_outbox_fate", "outbox", ["status", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_outbox_fate", table_name="outbox")
    op.drop_table("school_texts")
    op.drop_column("schools", "version")
    op.drop_column("schools", "hidden_providers")
    op.drop_column("schools", "languages")
