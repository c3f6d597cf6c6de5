"""first schema

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("subject_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("username_key", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("email_key", sa.String(length=254), nullable=True),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=False),
        sa.Column("locale", sa.String(length=2), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('invited', 'active', 'disabled')", name=op.f("ck_accounts_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_accounts_subject_id")),
        sa.UniqueConstraint("username_key", name=op.f("uq_accounts_username_key")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_accounts_email_key"), ["email_key"], unique=False)

    op.create_table(
        "audit_events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=True),
        sa.Column("child_id", sa.String(length=32), nullable=True),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("session_id", sa.String(length=32), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("correlation_id", sa.String(length=32), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index("ix_audit_events_account_id_at", ["account_id", "at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_events_at"), ["at"], unique=False)

    op.create_table(
        "clients",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("sector", sa.String(length=200), nullable=False),
        sa.Column("secret_hash", idp.database.KeyedHash(length=43), nullable=True),
        sa.Column("previous_secret_hash", idp.database.KeyedHash(length=43), nullable=True),
        sa.Column(
            "previous_secret_expires_at", idp.database.UtcDateTime(timezone=True), nullable=True
        ),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("recipient_hash", sa.String(length=43), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("due_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'sent', 'refused', 'dropped')", name=op.f("ck_outbox_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_created_at"), ["created_at"], unique=False)
        batch_op.create_index("ix_outbox_due", ["status", "due_at"], unique=False)
        batch_op.create_index("ix_outbox_recipient", ["recipient_hash", "created_at"], unique=False)

    op.create_table(
        "schools",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("colour", sa.String(length=7), nullable=False),
        sa.Column("logo_png", sa.LargeBinary(), nullable=True),
        sa.Column("logo_digest", sa.String(length=64), nullable=True),
        sa.Column("contact_name", sa.String(length=120), nullable=False),
        sa.Column("contact_email", sa.String(length=254), nullable=False),
        sa.Column("contact_phone", sa.String(length=40), nullable=False),
        sa.Column("locale", sa.String(length=2), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schools")),
    )
    op.create_table(
        "throttle_counters",
        sa.Column("key", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("blocked_until", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("updated_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle_counters")),
    )
    with op.batch_alter_table("throttle_counters", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_throttle_counters_updated_at"), ["updated_at"], unique=False
        )

    op.create_table(
        "used_assertions",
        sa.Column("jti_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("client_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("jti_hash", name=op.f("pk_used_assertions")),
    )
    with op.batch_alter_table("used_assertions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_used_assertions_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "browser_sessions",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("secret_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("auth_time", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("amr", sa.String(length=100), nullable=False),
        sa.Column("acr", sa.String(length=100), nullable=False),
        sa.Column("device", sa.String(length=100), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_browser_sessions_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_browser_sessions")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_browser_sessions_secret_hash")),
    )
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_browser_sessions_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_browser_sessions_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "children",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("subject_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("given_name", sa.String(length=120), nullable=False),
        sa.Column("family_name", sa.String(length=120), nullable=False),
        sa.Column("class_name", sa.String(length=40), nullable=False),
        sa.Column("sourced_id", sa.String(length=64), nullable=True),
        sa.Column("left_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["school_id"], ["schools.id"], name=op.f("fk_children_school_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_children")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_children_subject_id")),
    )
    with op.batch_alter_table("children", schema=None) as batch_op:
        batch_op.create_index(
            "ix_children_school_id_sourced_id", ["school_id", "sourced_id"], unique=True
        )

    op.create_table(
        "client_schools",
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_client_schools_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_client_schools_school_id")
        ),
        sa.PrimaryKeyConstraint("client_id", "school_id", name=op.f("pk_client_schools")),
    )
    with op.batch_alter_table("client_schools", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_client_schools_school_id"), ["school_id"], unique=False
        )

    op.create_table(
        "consents",
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("granted_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_consents_account_id")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_consents_client_id")),
        sa.PrimaryKeyConstraint("account_id", "client_id", name=op.f("pk_consents")),
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_consents_client_id"), ["client_id"], unique=False)

    op.create_table(
        "known_devices",
        sa.Column("device_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("last_seen_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_known_devices_account_id")
        ),
        sa.PrimaryKeyConstraint("device_hash", "account_id", name=op.f("pk_known_devices")),
    )
    with op.batch_alter_table("known_devices", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_known_devices_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_known_devices_last_seen_at"), ["last_seen_at"], unique=False
        )

    op.create_table(
        "one_time_tokens",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("token_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("outbox_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("spent_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "purpose IN ('first_sign_in', 'password_reset')",
            name=op.f("ck_one_time_tokens_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_one_time_tokens_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_one_time_tokens_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_one_time_tokens_token_hash")),
    )
    with op.batch_alter_table("one_time_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_one_time_tokens_account_id"), ["account_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_one_time_tokens_client_id"), ["client_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_one_time_tokens_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_one_time_tokens_outbox_id"), ["outbox_id"], unique=False
        )

    op.create_table(
        "passwords",
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("hash", sa.String(length=200), nullable=False),
        sa.Column("set_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_passwords_account_id")
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_passwords")),
    )
    op.create_table(
        "child_choices",
        sa.Column("session_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("school_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("selected_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_child_choices_child_id")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_child_choices_school_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["browser_sessions.id"],
            name=op.f("fk_child_choices_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", "school_id", name=op.f("pk_child_choices")),
    )
    with op.batch_alter_table("child_choices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_child_choices_child_id"), ["child_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_child_choices_school_id"), ["school_id"], unique=False)

    op.create_table(
        "grants",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("session_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("child_selection", sa.String(length=10), nullable=True),
        sa.Column("child_selected_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("child_switchable", sa.Boolean(), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("claims", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("auth_time", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("amr", sa.String(length=100), nullable=False),
        sa.Column("acr", sa.String(length=100), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(length=60), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_grants_account_id")),
        sa.ForeignKeyConstraint(["child_id"], ["children.id"], name=op.f("fk_grants_child_id")),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_grants_client_id")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["browser_sessions.id"], name=op.f("fk_grants_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.create_index(
            "ix_grants_account_id_client_id", ["account_id", "client_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_grants_child_id"), ["child_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_grants_client_id"), ["client_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_grants_created_at"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_grants_session_id"), ["session_id"], unique=False)

    op.create_table(
        "guardianships",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("relationship", sa.String(length=16), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "relationship IN ('parent', 'guardian', 'relative', 'aunt', 'uncle', 'father', 'mother', 'other')",
            name=op.f("ck_guardianships_relationship"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_guardianships_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_guardianships_child_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardianships")),
    )
    with op.batch_alter_table("guardianships", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_guardianships_child_id"), ["child_id"], unique=False)
        batch_op.create_index(
            "uq_guardianships_live",
            ["account_id", "child_id"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "interactions",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("browser_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("created_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("completed_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("sealed_token", sa.Text(), nullable=True),
        sa.Column("verified_token_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("signed_in_session_id", sa.String(length=32), nullable=True),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("consented", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_interactions_child_id")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_interactions_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["verified_token_id"],
            ["one_time_tokens.id"],
            name=op.f("fk_interactions_verified_token_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_interactions")),
    )
    with op.batch_alter_table("interactions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_interactions_browser", ["browser_hash", "created_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_interactions_child_id"), ["child_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_interactions_client_id"), ["client_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_interactions_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_interactions_verified_token_id"), ["verified_token_id"], unique=False
        )

    op.create_table(
        "access_tokens",
        sa.Column("token_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("grant_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("issued_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grants.id"], name=op.f("fk_access_tokens_grant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_access_tokens")),
    )
    with op.batch_alter_table("access_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_access_tokens_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_access_tokens_grant_id"), ["grant_id"], unique=False)

    op.create_table(
        "authorization_codes",
        sa.Column("code_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("grant_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("redirect_uri", sa.String(length=2000), nullable=False),
        sa.Column("nonce", sa.String(length=1000), nullable=True),
        sa.Column("code_challenge", sa.String(length=128), nullable=True),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("redeemed_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["grants.id"],
            name=op.f("fk_authorization_codes_grant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_authorization_codes")),
    )
    with op.batch_alter_table("authorization_codes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_authorization_codes_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_authorization_codes_grant_id"), ["grant_id"], unique=False
        )

    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("grant_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("scope", sa.String(length=200), nullable=False),
        sa.Column("issued_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", idp.database.UtcDateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", idp.database.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["grants.id"], name=op.f("fk_refresh_tokens_grant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_refresh_tokens")),
    )
    with op.batch_alter_table("refresh_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_refresh_tokens_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_refresh_tokens_grant_id"), ["grant_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("refresh_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refresh_tokens_grant_id"))
        batch_op.drop_index(batch_op.f("ix_refresh_tokens_expires_at"))

    op.drop_table("refresh_tokens")
    with op.batch_alter_table("authorization_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_authorization_codes_grant_id"))
        batch_op.drop_index(batch_op.f("ix_authorization_codes_expires_at"))

    op.drop_table("authorization_codes")
    with op.batch_alter_table("access_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_access_tokens_grant_id"))
        batch_op.drop_index(batch_op.f("ix_access_tokens_expires_at"))

    op.drop_table("access_tokens")
    with op.batch_alter_table("interactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_interactions_verified_token_id"))
        batch_op.drop_index(batch_op.f("ix_interactions_expires_at"))
        batch_op.drop_index(batch_op.f("ix_interactions_client_id"))
        batch_op.drop_index(batch_op.f("ix_interactions_child_id"))
        batch_op.drop_index("ix_interactions_browser")

    op.drop_table("interactions")
    with op.batch_alter_table("guardianships", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_guardianships_live",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_guardianships_child_id"))

    op.drop_table("guardianships")
    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_grants_session_id"))
        batch_op.drop_index(batch_op.f("ix_grants_created_at"))
        batch_op.drop_index(batch_op.f("ix_grants_client_id"))
        batch_op.drop_index(batch_op.f("ix_grants_child_id"))
        batch_op.drop_index("ix_grants_account_id_client_id")

    op.drop_table("grants")
    with op.batch_alter_table("child_choices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_child_choices_school_id"))
        batch_op.drop_index(batch_op.f("ix_child_choices_child_id"))

    op.drop_table("child_choices")
    op.drop_table("passwords")
    with op.batch_alter_table("one_time_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_one_time_tokens_outbox_id"))
        batch_op.drop_index(batch_op.f("ix_one_time_tokens_expires_at"))
        batch_op.drop_index(batch_op.f("ix_one_time_tokens_client_id"))
        batch_op.drop_index(batch_op.f("ix_one_time_tokens_account_id"))

    op.drop_table("one_time_tokens")
    with op.batch_alter_table("known_devices", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_known_devices_last_seen_at"))
        batch_op.drop_index(batch_op.f("ix_known_devices_account_id"))

    op.drop_table("known_devices")
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consents_client_id"))

    op.drop_table("consents")
    with op.batch_alter_table("client_schools", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_schools_school_id"))

    op.drop_table("client_schools")
    with op.batch_alter_table("children", schema=None) as batch_op:
        batch_op.drop_index("ix_children_school_id_sourced_id")

    op.drop_table("children")
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_browser_sessions_expires_at"))
        batch_op.drop_index(batch_op.f("ix_browser_sessions_account_id"))

    op.drop_table("browser_sessions")
    with op.batch_alter_table("used_assertions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_assertions_expires_at"))

    op.drop_table("used_assertions")
    with op.batch_alter_table("throttle_counters", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_throttle_counters_updated_at"))

    op.drop_table("throttle_counters")
    op.drop_table("schools")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_recipient")
        batch_op.drop_index("ix_outbox_due")
        batch_op.drop_index(batch_op.f("ix_outbox_created_at"))
        batch_op.drop_index(batch_op.f("ix_outbox_account_id"))

    op.drop_table("outbox")
    op.drop_table("clients")
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_events_at"))
        batch_op.drop_index("ix_audit_events_account_id_at")

    op.drop_table("audit_events")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_accounts_email_key"))

    op.drop_table("accounts")
