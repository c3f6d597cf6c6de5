"""An index of each account's sign-ins: those of one school are counted by its guardians.

The previous release serves beside it as before.

Revision ID: 0054
Revises: 0053
"""

import sqlalchemy as sa
from alembic import op

from idp.database.upgrade_costs import Cost

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None
cost = Cost(reads=("audit_events",))

NAME = "ix_audit_events_sign_ins_of_account"


def upgrade() -> None:
    op.create_index(
        NAME,
        "audit_events",
        ["account_id", "at"],
        sqlite_where=sa.text("event = 'sign_in'"),
        postgresql_where=sa.text("event = 'sign_in'"),
    )


def downgrade() -> None:
    op.drop_index(NAME, table_name="audit_events")
