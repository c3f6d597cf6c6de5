"""Requests to reset a second step wait side by side: one school's does not stop another's.

The previous release reads the oldest one under the account's lock, as before.

Revision ID: 0035
Revises: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_OPEN = sa.text("closed_at IS NULL")


def upgrade() -> None:
    _index("uq_factor_resets_asked", "account_id", "asked_by")
    op.drop_index("uq_factor_resets_open", "factor_resets")


def downgrade() -> None:
    # Of several that wait for one account the oldest stays
    op.execute(
        "UPDATE factor_resets SET closed_at = asked_at, outcome = 'void'"
        " WHERE closed_at IS NULL AND EXISTS (SELECT 1 FROM factor_resets AS older"
        " WHERE older.account_id = factor_resets.account_id AND older.closed_at IS NULL"
        " AND (older.asked_at < factor_resets.asked_at"
        " OR (older.asked_at = factor_resets.asked_at AND older.id < factor_resets.id)))"
    )
    _index("uq_factor_resets_open", "account_id")
    op.drop_index("uq_factor_resets_asked", "factor_resets")


def _index(name: str, *columns: str) -> None:
    op.create_index(
        name,
        "factor_resets",
        list(columns),
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
