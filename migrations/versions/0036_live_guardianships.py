"""« A guardianship is live » as a view, which every query joins.

It takes no lock that traffic would wait for; the previous release does not know of it. A later
revision that makes one of its tables anew, or a column that it names, drops it first.

Revision ID: 0036
Revises: 0035
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE VIEW live_guardianships AS"
        " SELECT guardianships.id, guardianships.account_id, guardianships.child_id,"
        " guardianships.relationship, guardianships.created_at,"
        " children.school_id, children.class_name"
        " FROM guardianships JOIN children ON children.id = guardianships.child_id"
        " WHERE guardianships.ended_at IS NULL AND children.left_at IS NULL"
    )


def downgrade() -> None:
    op.execute("DROP VIEW live_guardianships")
