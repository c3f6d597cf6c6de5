"""Forms that were sent, so that each is acted on once.

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form_submissions",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("key_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("browser_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("typed", sa.Text(), nullable=True),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_form_submissions")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_form_submissions_key_hash")),
    )
    op.create_index(op.f("ix_form_submissions_browser_hash"), "form_submissions", ["browser_hash"])
    op.create_index(op.f("ix_form_submissions_expires_at"), "form_submissions", ["expires_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_form_submissions_expires_at"), table_name="form_submissions")
    op.drop_index(op.f("ix_form_submissions_browser_hash"), table_name="form_submissions")
    op.drop_table("form_submissions")
