"""Consent remembers which fields of the child claim it was about.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ALWAYS_NAMED = {"sub", "given_name", "school.id", "school.name"}
ALWAYS_NAMED |= {"selection", "selected_at", "switchable"}
"""What the page said with « which child you chose, with first name and school »."""
NAMED_IF_REGISTERED = {"family_name", "class"}

consents = sa.table(
    "consents",
    sa.column("account_id", sa.String),
    sa.column("client_id", sa.String),
    sa.column("scope", sa.String),
    sa.column("child_fields", sa.String),
)
clients = sa.table("clients", sa.column("id", sa.String), sa.column("metadata", sa.JSON))


def upgrade() -> None:
    with op.batch_alter_table("consents") as batch_op:
        batch_op.add_column(
            sa.Column("child_fields", sa.String(length=200), nullable=False, server_default="")
        )
    _keep_what_was_named()


def downgrade() -> None:
    with op.batch_alter_table("consents") as batch_op:
        batch_op.drop_column("child_fields")


def _keep_what_was_named() -> None:
    """Whoever consented is asked again only about fields that the page did not name."""
    connection = op.get_bind()
    for client_id, metadata in connection.execute(sa.select(clients)).all():
        registered = set(metadata["child_fields"])
        named = registered & (ALWAYS_NAMED | NAMED_IF_REGISTERED)
        connection.execute(
            sa.update(consents)
            .where(
                consents.c.client_id == client_id,
                (" " + consents.c.scope + " ").like("% child %"),
            )
            .values(child_fields=" ".join(sorted(named)))
        )
