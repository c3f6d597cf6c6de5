"""Staff who may print letters, and the school that may read an event.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

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


def downgrade() -> None:
    op.drop_index("ix_audit_events_school_id_id", table_name="audit_events")
    op.drop_column("audit_events", "school_id")
    op.drop_column("staff_roles", "may_print")
