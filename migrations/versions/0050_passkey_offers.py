"""Whom a passkey was offered after a sign-in: once in the life of an account.

The previous release serves beside it as before.

Revision ID: 0050
Revises: 0049
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column("passkey_offered_at", idp.database.UtcDateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("accounts", "passkey_offered_at")
