"""How many attempts a counter has refused: counted there, not in an audit row for each.

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("throttle_counters") as table:
        table.add_column(
            sa.Column("refused", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
        )


def downgrade() -> None:
    with op.batch_alter_table("throttle_counters") as table:
        table.drop_column("refused")
