"""Applications that register themselves: tokens of ours, and those with which they manage it.

The new columns hold nothing for clients that were registered before; the previous release
neither reads nor writes them.

Revision ID: 0039
Revises: 0038
"""

import sqlalchemy as sa
from alembic import op

from idp.database import KeyedHash, OpaqueId, UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "registration_tokens",
        sa.Column("id", OpaqueId(length=32), nullable=False),
        sa.Column("token_hash", KeyedHash(length=43), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("schools", sa.JSON(), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("pkce_optional", sa.Boolean(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_registration_tokens_token_hash")),
    )
    op.add_column("clients", sa.Column("registered_by", OpaqueId(length=32), nullable=True))
    op.add_column(
        "clients", sa.Column("registration_token_hash", KeyedHash(length=43), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("clients", "registration_token_hash")
    op.drop_column("clients", "registered_by")
    op.drop_table("registration_tokens")
