"""proofs in flight, and when a session was last proved

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        # The default serves workers of the version before, which go on meanwhile
        batch_op.add_column(
            sa.Column("credentials_epoch", sa.Integer(), nullable=False, server_default="0")
        )
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("proved_at", idp.database.UtcDateTime(timezone=True), nullable=True)
        )


def downgrade() -> None:
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.drop_column("proved_at")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_column("credentials_epoch")
