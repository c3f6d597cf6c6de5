"""Why an application was refused, and when last, for its developer.

Revision ID: 0031
Revises: 0030
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_refusals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=20), nullable=False),
        sa.Column("error", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("last_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_client_refusals_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_refusals")),
    )
    op.create_index(
        "uq_client_refusals_reason",
        "client_refusals",
        ["client_id", "endpoint", "error", "reason"],
        unique=True,
    )


def downgrade() -> None:
    op.drop_index("uq_client_refusals_reason", table_name="client_refusals")
    op.drop_table("client_refusals")
