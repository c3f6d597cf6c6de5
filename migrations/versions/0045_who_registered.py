"""Who registered an application, and who made a token by which applications register themselves.

Nothing is known of those from before; the previous release neither reads nor writes it.

Revision ID: 0045
Revises: 0044
"""

import sqlalchemy as sa
from alembic import op

from idp.database import OpaqueId

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("registration_tokens", "clients"):
        op.add_column(table, sa.Column("made_by", OpaqueId(length=32), nullable=True))


def downgrade() -> None:
    for table in ("clients", "registration_tokens"):
        op.drop_column(table, "made_by")
