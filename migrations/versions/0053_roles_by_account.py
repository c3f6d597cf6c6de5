"""Indexes for what each sign-in asks: the roles of an account, what waits for a browser.

The previous release serves beside them as before.

Revision ID: 0053
Revises: 0052
"""

from alembic import op

from idp.database.upgrade_costs import Cost

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None
cost = Cost(reads=("pending_links", "staff_roles"))

_INDEXES = (
    ("staff_roles", ("account_id",)),
    ("pending_links", ("browser_hash",)),
    ("pending_links", ("issuer", "subject")),
)


def upgrade() -> None:
    for table, columns in _INDEXES:
        op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def downgrade() -> None:
    for table, columns in reversed(_INDEXES):
        op.drop_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table_name=table)
