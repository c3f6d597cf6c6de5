"""What workers do with an import, and what its dry run found.

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roster_jobs",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("task", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("how", sa.JSON(), nullable=False),
        sa.Column("asked_by", sa.String(length=40), nullable=False),
        sa.Column("asked_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("upload", sa.String(length=120), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=True),
        sa.Column("lease_until", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "task IN ('open', 'read', 'look', 'apply', 'undo', 'drop')",
            name=op.f("ck_roster_jobs_task"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'working', 'mapping', 'done', 'failed')",
            name=op.f("ck_roster_jobs_state"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["roster_runs.id"],
            name=op.f("fk_roster_jobs_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_roster_jobs")),
    )
    op.create_index("ix_roster_jobs_state", "roster_jobs", ["state", "asked_at"])
    op.create_table(
        "roster_previews",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "school_id", name=op.f("pk_roster_previews")),
    )


def downgrade() -> None:
    op.drop_table("roster_previews")
    op.drop_index("ix_roster_jobs_state", table_name="roster_jobs")
    op.drop_table("roster_jobs")
