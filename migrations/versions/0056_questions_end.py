"""A question to a former guardian may end without their answer: with access, or at the desk.

The previous release goes on beside it: it writes the answers that it knows, and takes whatever is
noted for an answer.

Revision ID: 0056
Revises: 0055
"""

import sqlalchemy as sa
from alembic import op

from idp.database.upgrade_costs import Cost

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None
cost = Cost(locks=("link_requests",), reads=("link_requests",))

_ANSWERS = "'yes', 'no', 'linked'"
_NAME = "ck_link_requests_answer"


def upgrade() -> None:
    _allow(f"{_ANSWERS}, 'ended'")
    if op.get_bind().dialect.name == "postgresql":
        with op.get_context().autocommit_block():  # the rows are looked at beside traffic
            _validate()


def downgrade() -> None:
    # Nobody said no, but to the release before a question that is answered is one that is over
    op.execute("UPDATE link_requests SET answer = 'no' WHERE answer = 'ended'")
    _allow(_ANSWERS)
    if op.get_bind().dialect.name == "postgresql":
        _validate()


def _allow(answers: str) -> None:
    rule = f"answer IN ({answers})"
    if op.get_bind().dialect.name == "sqlite":
        with op.batch_alter_table("link_requests") as table:
            table.drop_constraint(op.f(_NAME), type_="check")
            table.create_check_constraint(op.f(_NAME), sa.text(rule))
        return
    op.execute(f"ALTER TABLE link_requests DROP CONSTRAINT IF EXISTS {_NAME}")
    op.execute(f"ALTER TABLE link_requests ADD CONSTRAINT {_NAME} CHECK ({rule}) NOT VALID")


def _validate() -> None:
    op.execute(f"ALTER TABLE link_requests VALIDATE CONSTRAINT {_NAME}")
