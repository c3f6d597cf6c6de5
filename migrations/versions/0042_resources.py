"""Which resource servers a grant and an access token are for.

Nothing: the provider itself, as for all that there was before. The previous release leaves both
columns empty.

Revision ID: 0042
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("resource", sa.Text(), nullable=True))
    op.add_column("access_tokens", sa.Column("resource", sa.String(length=500), nullable=True))


def downgrade() -> None:
    # A token for another resource would be one for UserInfo to the release before
    op.execute("DELETE FROM access_tokens WHERE resource IS NOT NULL")
    op.execute(
        "DELETE FROM refresh_tokens WHERE grant_id IN"
        " (SELECT id FROM grants WHERE resource IS NOT NULL)"
    )
    op.drop_column("access_tokens", "resource")
    op.drop_column("grants", "resource")
