"""foreign identities, and the walks to their providers

Revision ID: 0011
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0011"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = idp.database.UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "federated_links",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("linked_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_federated_links_account_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_links")),
        sa.UniqueConstraint("account_id", "issuer", name="uq_federated_links_account_issuer"),
        sa.UniqueConstraint("issuer", "subject", name="uq_federated_links_identity"),
    )
    op.create_table(
        "federation_states",
        sa.Column("state_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("browser_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("interaction_id", idp.database.OpaqueId(length=32), nullable=True),
        sa.Column("account_id", sa.String(length=32), nullable=True),
        sa.Column("session_id", sa.String(length=32), nullable=True),
        sa.Column("token_id", sa.String(length=32), nullable=True),
        sa.Column("max_age", sa.Integer(), nullable=True),
        sa.Column("next_path", sa.String(length=4000), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("spent_at", TIME, nullable=True),
        sa.CheckConstraint(
            "purpose IN ('sign_in', 'claim', 'link', 'step_up')",
            name=op.f("ck_federation_states_purpose"),
        ),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_federation_states_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_federation_states")),
    )
    with op.batch_alter_table("federation_states", schema=None) as batch_op:
        batch_op.create_index(
            "ix_federation_states_browser", ["browser_hash", "created_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_federation_states_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_federation_states_interaction_id"), ["interaction_id"], unique=False
        )
    op.create_table(
        "pending_links",
        sa.Column("interaction_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("browser_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("shown", sa.String(length=254), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["interaction_id"],
            ["interactions.id"],
            name=op.f("fk_pending_links_interaction_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("interaction_id", name=op.f("pk_pending_links")),
    )
    with op.batch_alter_table("pending_links", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_pending_links_expires_at"), ["expires_at"], unique=False
        )
    op.create_table(
        "deletion_requests",
        sa.Column("code_hash", idp.database.KeyedHash(length=43), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("link_ended", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_deletion_requests")),
    )
    with op.batch_alter_table("deletion_requests", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_deletion_requests_created_at"), ["created_at"], unique=False
        )
    for table in ("browser_sessions", "grants"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            # The default serves workers of the version before, which go on meanwhile
            batch_op.add_column(
                sa.Column(
                    "auth_time_proved", sa.Boolean(), nullable=False, server_default=sa.true()
                )
            )
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("link_id", sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_browser_sessions_link_id"), ["link_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("browser_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_browser_sessions_link_id"))
        batch_op.drop_column("link_id")
    for table in ("grants", "browser_sessions"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("auth_time_proved")
    op.drop_table("deletion_requests")
    op.drop_table("pending_links")
    op.drop_table("federation_states")
    op.drop_table("federated_links")
