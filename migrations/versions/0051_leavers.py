"""How long each school keeps who left, and when it was noted that an account ends.

The previous release serves beside it as before.

Revision ID: 0051
Revises: 0050
"""

import sqlalchemy as sa
from alembic import op

import idp.database
from idp.database.upgrade_costs import Cost

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None
cost = Cost(locks=("accounts", "schools"))


def upgrade() -> None:
    op.add_column("schools", sa.Column("keep_leavers_days", sa.Integer(), nullable=True))
    op.add_column(
        "accounts",
        sa.Column("end_announced_at", idp.database.UtcDateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("accounts", "end_announced_at")
    op.drop_column("schools", "keep_leavers_days")
