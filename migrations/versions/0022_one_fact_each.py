"""When an account was claimed and last used, and what a mail server's answer means.

The columns alone, so that no lock is held for longer than a moment; 0023 fills them.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = idp.database.UtcDateTime(timezone=True)
    op.add_column("accounts", sa.Column("last_sign_in_at", moment, nullable=True))
    op.add_column("accounts", sa.Column("claimed_at", moment, nullable=True))
    op.add_column("outbox", sa.Column("meaning", sa.String(length=20), nullable=True))


def downgrade() -> None:
    op.drop_column("outbox", "meaning")
    op.drop_column("accounts", "claimed_at")
    op.drop_column("accounts", "last_sign_in_at")
