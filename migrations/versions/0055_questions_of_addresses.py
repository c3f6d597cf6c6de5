"""Two more kinds of question about a file: which of several namesakes, and whose address.

The previous release goes on beside it: it asks what it asked before.

Revision ID: 0055
Revises: 0054
"""

import sqlalchemy as sa
from alembic import op

from idp.database.upgrade_costs import Cost

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None
cost = Cost(locks=("roster_questions",))

_KINDS = "'pupil', 'guardian', 'renumbered', 'twin', 'disabled'"
_NAME = "ck_roster_questions_kind"


def upgrade() -> None:
    _allow(f"{_KINDS}, 'namesake', 'address'")


def downgrade() -> None:
    # Staging: what was read is compared anew, and asked in the words of the release before
    op.execute("DELETE FROM roster_questions WHERE kind IN ('namesake', 'address')")
    _allow(_KINDS)


def _allow(kinds: str) -> None:
    rule = f"kind IN ({kinds})"
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("roster_questions") as table:
            table.drop_constraint(op.f(_NAME), type_="check")
            table.create_check_constraint(op.f(_NAME), sa.text(rule))
        return
    # Of a run or two: nobody waits for the rows to be looked at
    op.execute(f"ALTER TABLE roster_questions DROP CONSTRAINT IF EXISTS {_NAME}")
    op.execute(f"ALTER TABLE roster_questions ADD CONSTRAINT {_NAME} CHECK ({rule})")
