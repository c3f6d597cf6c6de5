"""Requests of screens without a keyboard (RFC 8628), until a parent answers them elsewhere.

The previous release does not know of them.

Revision ID: 0043
Revises: 0042
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_codes",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("device_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("user_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("poll_interval", sa.Integer(), nullable=False),
        sa.Column("next_poll_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("grant_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("denied_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("denied_because", sa.String(length=200), nullable=True),
        sa.Column("redeemed_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_device_codes_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["grants.id"],
            name=op.f("fk_device_codes_grant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_codes")),
        sa.UniqueConstraint("device_hash", name=op.f("uq_device_codes_device_hash")),
        sa.UniqueConstraint("user_hash", name=op.f("uq_device_codes_user_hash")),
    )
    for name in ("client_id", "expires_at", "grant_id"):
        op.create_index(op.f(f"ix_device_codes_{name}"), "device_codes", [name])


def downgrade() -> None:
    op.drop_table("device_codes")
