"""Who may take a change of address back, and since when a password was never set by a token.

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # All nullable or with a default: the release before writes rows without them meanwhile
    op.add_column(
        "email_changes",
        sa.Column("by_school", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("email_changes", sa.Column("undoable", sa.Boolean(), nullable=True))
    op.add_column("email_changes", sa.Column("undo_email", sa.String(length=254), nullable=True))
    op.add_column(
        "email_changes",
        sa.Column("disputed_until", idp.database.UtcDateTime(timezone=True), nullable=True),
    )
    op.add_column(
        "passwords",
        sa.Column("rooted_at", idp.database.UtcDateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("passwords", "rooted_at")
    op.drop_column("email_changes", "disputed_until")
    op.drop_column("email_changes", "undo_email")
    op.drop_column("email_changes", "undoable")
    op.drop_column("email_changes", "by_school")
