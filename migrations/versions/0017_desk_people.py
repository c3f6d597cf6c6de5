"""Accounts that the next guardianship opens again, reasons of ends, each school's own answer.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OPEN_REQUESTS = """
INSERT INTO erasure_answers (request_id, school_id)
SELECT DISTINCT z.id, c.school_id
FROM erasure_requests z
JOIN guardianships w ON w.account_id = z.account_id AND w.ended_at IS NULL
JOIN children c ON c.id = w.child_id AND c.left_at IS NULL
WHERE z.closed_at IS NULL
"""
"""A request that was open went to the schools of the guardian's children."""


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column("closed_at", idp.database.UtcDateTime(timezone=True), nullable=True),
    )
    op.add_column("guardianships", sa.Column("ended_code", sa.String(length=16), nullable=True))
    op.create_table(
        "erasure_answers",
        sa.Column("request_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("answered_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('done', 'declined', 'taken_back')",
            name=op.f("ck_erasure_answers_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["erasure_requests.id"],
            name=op.f("fk_erasure_answers_request_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_erasure_answers_school_id")
        ),
        sa.PrimaryKeyConstraint("request_id", "school_id", name=op.f("pk_erasure_answers")),
    )
    op.create_index("ix_erasure_answers_school_id", "erasure_answers", ["school_id"])
    op.execute(_OPEN_REQUESTS)


def downgrade() -> None:
    op.drop_table("erasure_answers")
    op.drop_column("guardianships", "ended_code")
    op.drop_column("accounts", "closed_at")
