"""An index of sign-ins alone, for the figures of the desk.

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_audit_events_sign_ins",
        "audit_events",
        ["at", "account_id"],
        sqlite_where=sa.text("event = 'sign_in'"),
        postgresql_where=sa.text("event = 'sign_in'"),
    )


def downgrade() -> None:
    op.drop_index("ix_audit_events_sign_ins", table_name="audit_events")
