"""Links that wait for a former guardian's yes.

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = idp.database.UtcDateTime(timezone=True)
    op.create_table(
        "link_requests",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("relationship", sa.String(length=16), nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("answered_at", moment, nullable=True),
        sa.Column("answer", sa.String(length=8), nullable=True),
        sa.CheckConstraint(
            "relationship IN ('parent', 'guardian', 'relative', 'aunt', 'uncle', 'father',"
            " 'mother', 'other')",
            name=op.f("ck_link_requests_relationship"),
        ),
        sa.CheckConstraint(
            "answer IN ('yes', 'no', 'linked')", name=op.f("ck_link_requests_answer")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_link_requests_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_link_requests_child_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_link_requests")),
    )
    op.create_index("ix_link_requests_account_id", "link_requests", ["account_id"])
    op.create_index("ix_link_requests_child_id", "link_requests", ["child_id"])
    op.create_index("ix_link_requests_expires_at", "link_requests", ["expires_at"])
    op.create_index(
        "uq_link_requests_open",
        "link_requests",
        ["account_id", "child_id"],
        unique=True,
        sqlite_where=sa.text("answered_at IS NULL"),
        postgresql_where=sa.text("answered_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("link_requests")
