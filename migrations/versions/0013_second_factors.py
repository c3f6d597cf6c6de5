"""passkeys, authenticator apps, recovery codes, staff

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("credential_id", sa.String(length=1364), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("aaguid", sa.String(length=36), nullable=False),
        sa.Column("transports", sa.String(length=100), nullable=False),
        sa.Column("backup_eligible", sa.Boolean(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_passkeys_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_passkeys_credential_id")),
    )
    with op.batch_alter_table("passkeys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_passkeys_account_id"), ["account_id"], unique=False)

    op.create_table(
        "passkey_challenges",
        sa.Column("challenge_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("browser_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("spent_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("challenge_hash", name=op.f("pk_passkey_challenges")),
    )
    with op.batch_alter_table("passkey_challenges", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_passkey_challenges_browser_hash"), ["browser_hash"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_passkey_challenges_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "totp_secrets",
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_totp_secrets_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_totp_secrets")),
    )
    op.create_table(
        "totp_enrolments",
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("browser_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_totp_enrolments_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", "browser_hash", name=op.f("pk_totp_enrolments")),
    )
    with op.batch_alter_table("totp_enrolments", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_totp_enrolments_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "recovery_codes",
        sa.Column("code_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("used_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_recovery_codes_account_id")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_codes")),
    )
    with op.batch_alter_table("recovery_codes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_recovery_codes_account_id"), ["account_id"], unique=False
        )

    op.create_table(
        "staff_roles",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("granted_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('operator', 'manager', 'helper')", name=op.f("ck_staff_roles_role")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_staff_roles_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_staff_roles_school_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_roles")),
    )
    with op.batch_alter_table("staff_roles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_roles_school_id"), ["school_id"], unique=False)
        batch_op.create_index(
            "uq_staff_roles_at_school",
            ["account_id", "role", "school_id"],
            unique=True,
            sqlite_where=sa.text("school_id IS NOT NULL"),
            postgresql_where=sa.text("school_id IS NOT NULL"),
        )
        batch_op.create_index(
            "uq_staff_roles_everywhere",
            ["account_id", "role"],
            unique=True,
            sqlite_where=sa.text("school_id IS NULL"),
            postgresql_where=sa.text("school_id IS NULL"),
        )

    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("passkey_id", idp.database.OpaqueId(length=32), nullable=True)
        )
        batch_op.create_index(
            batch_op.f("ix_browser_sessions_passkey_id"), ["passkey_id"], unique=False
        )
    with op.batch_alter_table("interactions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pending_proof", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("pending_at", idp.database.UtcDateTime(timezone=True), nullable=True)
        )
        # The default serves workers of the version before, which go on meanwhile
        batch_op.add_column(
            sa.Column("goes_without", sa.Boolean(), nullable=False, server_default=sa.false())
        )


def downgrade() -> None:
    with op.batch_alter_table("interactions", schema=None) as batch_op:
        batch_op.drop_column("goes_without")
        batch_op.drop_column("pending_at")
        batch_op.drop_column("pending_proof")
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_browser_sessions_passkey_id"))
        batch_op.drop_column("passkey_id")
    op.drop_table("staff_roles")
    op.drop_table("recovery_codes")
    op.drop_table("totp_enrolments")
    op.drop_table("totp_secrets")
    op.drop_table("passkey_challenges")
    op.drop_table("passkeys")
