"""Resets of a second step that wait for a second person.

Revision ID: 0032
Revises: 0031
"""

import sqlalchemy as sa
from alembic import op

import idp.database

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = idp.database.UtcDateTime(timezone=True)
    account = idp.database.OpaqueId(length=32)
    op.create_table(
        "factor_resets",
        sa.Column("id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("account_id", account, nullable=False),
        sa.Column("asked_by", account, nullable=False),
        sa.Column("asked_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("closed_by", account, nullable=True),
        sa.Column("closed_at", moment, nullable=True),
        sa.Column("outcome", sa.String(length=8), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('done', 'declined', 'void')", name=op.f("ck_factor_resets_outcome")
        ),
        *(
            sa.ForeignKeyConstraint([name], ["accounts.id"], name=op.f(f"fk_factor_resets_{name}"))
            for name in ("account_id", "asked_by", "closed_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_factor_resets")),
    )
    for name in ("account_id", "asked_by", "closed_by", "expires_at"):
        op.create_index(f"ix_factor_resets_{name}", "factor_resets", [name])
    op.create_index(
        "uq_factor_resets_open",
        "factor_resets",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("factor_resets")
