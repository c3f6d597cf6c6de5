"""Signing keys in the database, sealed: where ``IDP_KEYS_IN`` says so.

The previous release, which knows the folder alone, serves beside it as before.

Revision ID: 0052
Revises: 0051
"""

import sqlalchemy as sa
from alembic import op

from idp.database.upgrade_costs import Cost

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None
cost = Cost()


def upgrade() -> None:
    op.create_table(
        "stored_keys",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("alg", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.String(length=40), nullable=False),
        sa.Column("public", sa.JSON(), nullable=False),
        sa.Column("signs_since", sa.String(length=40), nullable=True),
        sa.Column("retired_at", sa.String(length=40), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("private", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_stored_keys")),
    )
    op.create_table(
        "key_lists",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_lists")),
    )


def downgrade() -> None:
    op.drop_table("key_lists")
    op.drop_table("stored_keys")
