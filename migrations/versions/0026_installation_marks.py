"""What the machines of an installation tell each other: a few rows, one for each name.

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation_marks",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation_marks")),
    )


def downgrade() -> None:
    op.drop_table("installation_marks")
