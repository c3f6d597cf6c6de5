"""Pushed authorization requests (RFC 9126).

A new table: it locks nothing, and the previous release does not know of it.

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pushed_requests",
        sa.Column("uri_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("uri_hash", name=op.f("pk_pushed_requests")),
    )
    op.create_index(op.f("ix_pushed_requests_expires_at"), "pushed_requests", ["expires_at"])


def downgrade() -> None:
    op.drop_table("pushed_requests")
