"""How often an application's registration changed; its grants by time.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("version", sa.Integer(), server_default="0", nullable=False))
    # It serves the foreign key as well, so that sign-ins keep as many indexes as before.
    op.create_index("ix_grants_client_id_created_at", "grants", ["client_id", "created_at"])
    op.drop_index("ix_grants_client_id", table_name="grants")


def downgrade() -> None:
    op.create_index("ix_grants_client_id", "grants", ["client_id"])
    op.drop_index("ix_grants_client_id_created_at", table_name="grants")
    op.drop_column("clients", "version")
