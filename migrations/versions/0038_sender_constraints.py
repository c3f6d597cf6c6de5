"""The key that a code or a token is bound to: DPoP, or a client certificate.

Empty columns: nothing is rewritten, and the previous release inserts without them.

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

COLUMNS = (
    ("authorization_codes", "dpop_jkt", 43),
    ("access_tokens", "confirmation", 64),
    ("refresh_tokens", "confirmation", 64),
)


def upgrade() -> None:
    for table, name, length in COLUMNS:
        op.add_column(table, sa.Column(name, sa.String(length), nullable=True))


def downgrade() -> None:
    # To the release before, a token that is bound to a key would be anybody's
    for table, name, _length in COLUMNS:
        op.execute(f"DELETE FROM {table} WHERE {name} IS NOT NULL")  # noqa: S608 – names above
    for table, name, _length in reversed(COLUMNS):
        with op.batch_alter_table(table) as change:
            change.drop_column(name)
