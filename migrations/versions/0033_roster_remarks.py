"""Whom an import's findings and questions are about, one by one.

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roster_remarks",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=False),
        sa.Column("new", sa.Text(), nullable=False),
        sa.Column("lines", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "school_id", "kind", "number", name=op.f("pk_roster_remarks")
        ),
    )


def downgrade() -> None:
    op.drop_table("roster_remarks")
