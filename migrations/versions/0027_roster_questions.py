"""What a person is asked about an import, and what they answered.

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roster_questions",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("subject", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("other_child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("other_account_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("answer", sa.String(length=8), nullable=True),
        sa.CheckConstraint(
            "kind IN ('pupil', 'guardian', 'renumbered', 'twin', 'disabled')",
            name=op.f("ck_roster_questions_kind"),
        ),
        sa.PrimaryKeyConstraint("run_id", "school_id", "subject", name=op.f("pk_roster_questions")),
    )
    op.create_table(
        "roster_answers",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.String(length=8), nullable=False),
        sa.Column("answered_by", sa.String(length=40), nullable=False),
        sa.Column("answered_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("answer IN ('same', 'another')", name=op.f("ck_roster_answers_answer")),
        sa.PrimaryKeyConstraint("run_id", "school_id", "key", name=op.f("pk_roster_answers")),
    )
    # Without default values to rewrite rows by: what the previous release adds has none of them
    op.add_column("roster_pupils", sa.Column("twin_of", sa.String(length=255), nullable=True))
    op.add_column("roster_guardians", sa.Column("disabled", sa.Boolean(), nullable=True))
    op.add_column("roster_changes", sa.Column("sourced_id", sa.String(length=255), nullable=True))


def downgrade() -> None:
    for table, column in (
        ("roster_changes", "sourced_id"),
        ("roster_guardians", "disabled"),
        ("roster_pupils", "twin_of"),
    ):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)
    op.drop_table("roster_answers")
    op.drop_table("roster_questions")
