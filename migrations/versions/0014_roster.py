"""The import of rosters: what is kept, staged and undone.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "roster_changes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("guardianship_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("subject_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("username", sa.String(length=64), nullable=True),
        sa.Column("given_name", sa.String(length=120), nullable=True),
        sa.Column("family_name", sa.String(length=120), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", sa.String(length=254), nullable=True),
        sa.Column("class_name", sa.String(length=40), nullable=True),
        sa.Column("pupil_number", sa.String(length=64), nullable=True),
        sa.Column("relationship", sa.String(length=16), nullable=True),
        sa.Column("old_given_name", sa.String(length=120), nullable=True),
        sa.Column("old_family_name", sa.String(length=120), nullable=True),
        sa.Column("old_email", sa.String(length=254), nullable=True),
        sa.Column("old_email_key", sa.String(length=254), nullable=True),
        sa.Column("old_class_name", sa.String(length=40), nullable=True),
        sa.Column("old_pupil_number", sa.String(length=64), nullable=True),
        sa.Column("old_relationship", sa.String(length=16), nullable=True),
        sa.Column("old_left_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_changes")),
    )
    with op.batch_alter_table("roster_changes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_roster_changes_run", ["run_id", "school_id", "kind"], unique=False
        )

    op.create_table(
        "roster_classes",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("sourced_id", sa.String(length=255), nullable=False),
        sa.Column("title", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "school_id", "sourced_id", name=op.f("pk_roster_classes")
        ),
    )
    op.create_table(
        "roster_guardians",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sourced_id", sa.String(length=255), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=False),
        sa.Column("name_key", sa.String(length=241), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", sa.String(length=254), nullable=True),
        sa.Column("relationship", sa.String(length=16), nullable=True),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("lists_agents", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_roster_guardians")),
    )
    with op.batch_alter_table("roster_guardians", schema=None) as batch_op:
        batch_op.create_index(
            "ix_roster_guardians_sourced_id", ["run_id", "sourced_id"], unique=True
        )

    op.create_table(
        "roster_links",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pupil_sourced_id", sa.String(length=255), nullable=False),
        sa.Column("guardian_sourced_id", sa.String(length=255), nullable=False),
        sa.Column("relationship", sa.String(length=16), nullable=True),
        sa.Column("new_guardianship_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_roster_links")),
    )
    with op.batch_alter_table("roster_links", schema=None) as batch_op:
        batch_op.create_index(
            "ix_roster_links_guardian", ["run_id", "guardian_sourced_id"], unique=False
        )
        batch_op.create_index("ix_roster_links_pupil", ["run_id", "pupil_sourced_id"], unique=False)

    op.create_table(
        "roster_matches",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("sourced_id", sa.String(length=255), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("how", sa.String(length=10), nullable=False),
        sa.Column("subject_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("username", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint(
            "run_id", "school_id", "sourced_id", name=op.f("pk_roster_matches")
        ),
    )
    with op.batch_alter_table("roster_matches", schema=None) as batch_op:
        batch_op.create_index(
            "ix_roster_matches_account_id", ["run_id", "school_id", "account_id"], unique=False
        )

    op.create_table(
        "roster_pairs",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("relationship", sa.String(length=16), nullable=True),
        sa.Column("new_guardianship_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "school_id", "child_id", "account_id", name=op.f("pk_roster_pairs")
        ),
    )
    op.create_table(
        "roster_pupils",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("sourced_id", sa.String(length=255), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=False),
        sa.Column("name_key", sa.String(length=241), nullable=False),
        sa.Column("class_name", sa.String(length=40), nullable=True),
        sa.Column("pupil_number", sa.String(length=64), nullable=True),
        sa.Column("present", sa.Boolean(), nullable=False),
        sa.Column("lists_agents", sa.Boolean(), nullable=False),
        sa.Column("keeps_guardians", sa.Boolean(), nullable=False),
        sa.Column("new_child_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("new_subject_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("how", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_roster_pupils")),
    )
    with op.batch_alter_table("roster_pupils", schema=None) as batch_op:
        batch_op.create_index(
            "ix_roster_pupils_child_id", ["run_id", "school_id", "child_id"], unique=False
        )
        batch_op.create_index(
            "ix_roster_pupils_sourced_id", ["run_id", "school_id", "sourced_id"], unique=True
        )

    op.create_table(
        "roster_rejections",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("file", sa.String(length=80), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=30), nullable=False),
        sa.Column("about", sa.String(length=80), nullable=False),
        sa.Column("cells", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_roster_rejections")),
    )
    op.create_table(
        "roster_runs",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("delta", sa.Boolean(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("district", sa.String(length=255), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("reading", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "status IN ('reading', 'checked', 'applying', 'applied', 'undone', 'refused')",
            name=op.f("ck_roster_runs_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_runs")),
    )
    with op.batch_alter_table("roster_runs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_roster_runs_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_roster_runs_fingerprint"), ["fingerprint"], unique=False
        )

    op.create_table(
        "roster_run_schools",
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("org_sourced_id", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("applied_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("undone_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('waiting', 'held_back', 'applied', 'undone')",
            name=op.f("ck_roster_run_schools_state"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["roster_runs.id"],
            name=op.f("fk_roster_run_schools_run_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_roster_run_schools_school_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "school_id", name=op.f("pk_roster_run_schools")),
    )
    with op.batch_alter_table("roster_run_schools", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_roster_run_schools_school_id"), ["school_id"], unique=False
        )

    op.create_table(
        "roster_sources",
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("org_sourced_id", sa.String(length=255), nullable=True),
        sa.Column("district", sa.String(length=255), nullable=True),
        sa.Column("username_pattern", sa.String(length=64), nullable=False),
        sa.Column("mapping", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("updated_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_roster_sources_school_id")
        ),
        sa.PrimaryKeyConstraint("school_id", name=op.f("pk_roster_sources")),
    )
    with op.batch_alter_table("roster_sources", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_roster_sources_district"), ["district"], unique=False)

    op.create_table(
        "roster_identities",
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("sourced_id", sa.String(length=255), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("label", sa.String(length=40), nullable=True),
        sa.Column("lists_agents", sa.Boolean(), nullable=False),
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("undone_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('pupil', 'guardian', 'class')", name=op.f("ck_roster_identities_kind")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_roster_identities_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_roster_identities_child_id")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_roster_identities_school_id")
        ),
        sa.PrimaryKeyConstraint(
            "school_id", "kind", "sourced_id", name=op.f("pk_roster_identities")
        ),
    )
    with op.batch_alter_table("roster_identities", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_roster_identities_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_roster_identities_child_id"), ["child_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_roster_identities_run_id"), ["run_id"], unique=False)
        batch_op.create_index("ix_roster_identities_sourced_id", ["sourced_id"], unique=False)

    op.create_table(
        "roster_guardianships",
        sa.Column("guardianship_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("run_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["guardianship_id"],
            ["guardianships.id"],
            name=op.f("fk_roster_guardianships_guardianship_id"),
        ),
        sa.PrimaryKeyConstraint("guardianship_id", name=op.f("pk_roster_guardianships")),
    )
    with op.batch_alter_table("roster_guardianships", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_roster_guardianships_run_id"), ["run_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("roster_guardianships", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roster_guardianships_run_id"))

    op.drop_table("roster_guardianships")
    with op.batch_alter_table("roster_identities", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_identities_sourced_id")
        batch_op.drop_index(batch_op.f("ix_roster_identities_run_id"))
        batch_op.drop_index(batch_op.f("ix_roster_identities_child_id"))
        batch_op.drop_index(batch_op.f("ix_roster_identities_account_id"))

    op.drop_table("roster_identities")
    with op.batch_alter_table("roster_sources", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roster_sources_district"))

    op.drop_table("roster_sources")
    with op.batch_alter_table("roster_run_schools", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roster_run_schools_school_id"))

    op.drop_table("roster_run_schools")
    with op.batch_alter_table("roster_runs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_roster_runs_fingerprint"))
        batch_op.drop_index(batch_op.f("ix_roster_runs_created_at"))

    op.drop_table("roster_runs")
    op.drop_table("roster_rejections")
    with op.batch_alter_table("roster_pupils", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_pupils_sourced_id")
        batch_op.drop_index("ix_roster_pupils_child_id")

    op.drop_table("roster_pupils")
    op.drop_table("roster_pairs")
    with op.batch_alter_table("roster_matches", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_matches_account_id")

    op.drop_table("roster_matches")
    with op.batch_alter_table("roster_links", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_links_pupil")
        batch_op.drop_index("ix_roster_links_guardian")

    op.drop_table("roster_links")
    with op.batch_alter_table("roster_guardians", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_guardians_sourced_id")

    op.drop_table("roster_guardians")
    op.drop_table("roster_classes")
    with op.batch_alter_table("roster_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_changes_run")

    op.drop_table("roster_changes")
