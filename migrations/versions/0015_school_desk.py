"""Staff who may print letters, the school that may read an event, how far a token came.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "staff_roles",
        sa.Column("may_print", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("audit_events", sa.Column("school_id", sa.String(length=32), nullable=True))
    op.create_index("ix_audit_events_school_id_id", "audit_events", ["school_id", "id"])
    op.add_column(
        "one_time_tokens",
        sa.Column("opened_at", idp.database.UtcDateTime(timezone=True), nullable=True),
    )


def downgrade() -> None:
    op.drop_column("one_time_tokens", "opened_at")
    op.drop_index("ix_audit_events_school_id_id", table_name="audit_events")
    op.drop_column("audit_events", "school_id")
    op.drop_column("staff_roles", "may_print")
