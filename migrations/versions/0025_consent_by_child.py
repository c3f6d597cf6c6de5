"""Consent is kept for each child, and a choice of a child knows for whom it was made.

The column ``consents.child_fields`` stays for the release before, which may serve beside this
one; nothing reads it any more. What was allowed goes to the child that it was given for: the one
that the grant right after it names, or the only one that there is. Where neither tells, nothing
is kept, and the guardian is asked again; grants that name a child whom nobody allowed end.

Revision ID: 0025
Revises: 0024
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

import idp.database
from idp import clock

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

BATCH = 500
"""Each is committed by itself: nobody waits for the whole table."""
RIGHT_AFTER = timedelta(minutes=1)
"""Within which the grant follows the click on « Allow »: one redirect leads to the other."""

_TIME = idp.database.UtcDateTime(timezone=True)
consents = sa.table(
    "consents",
    sa.column("account_id", sa.String),
    sa.column("client_id", sa.String),
    sa.column("scope", sa.String),
    sa.column("child_fields", sa.String),
    sa.column("granted_at", _TIME),
    sa.column("withdrawn_at", _TIME),
)
child_consents = sa.table(
    "child_consents",
    sa.column("account_id", sa.String),
    sa.column("client_id", sa.String),
    sa.column("child_id", sa.String),
    sa.column("fields", sa.String),
    sa.column("granted_at", _TIME),
)
grants = sa.table(
    "grants",
    sa.column("id", sa.String),
    sa.column("account_id", sa.String),
    sa.column("client_id", sa.String),
    sa.column("child_id", sa.String),
    sa.column("created_at", _TIME),
    sa.column("ended_at", _TIME),
    sa.column("ended_reason", sa.String),
)
clients = sa.table("clients", sa.column("id", sa.String), sa.column("metadata", sa.JSON))
client_schools = sa.table(
    "client_schools", sa.column("client_id", sa.String), sa.column("school_id", sa.String)
)
children = sa.table("children", sa.column("id", sa.String), sa.column("school_id", sa.String))
guardianships = sa.table(
    "guardianships",
    sa.column("account_id", sa.String),
    sa.column("child_id", sa.String),
    sa.column("ended_at", _TIME),
)


def upgrade() -> None:
    op.create_table(
        "child_consents",
        sa.Column("account_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("child_id", idp.database.OpaqueId(length=32), nullable=False),
        sa.Column("fields", sa.String(length=200), nullable=False),
        sa.Column("granted_at", _TIME, nullable=False),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_child_consents_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_child_consents_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_child_consents_child_id")
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "client_id", "child_id", name=op.f("pk_child_consents")
        ),
        if_not_exists=True,
    )
    op.create_index(
        "ix_child_consents_client_id", "child_consents", ["client_id"], if_not_exists=True
    )
    op.create_index(
        "ix_child_consents_child_id", "child_consents", ["child_id"], if_not_exists=True
    )
    if "client_id" not in _columns_of("child_choices"):
        op.add_column(
            "child_choices",
            sa.Column("client_id", sa.String(length=64), nullable=True),
        )
    with op.get_context().autocommit_block():
        op.get_bind().execute(sa.delete(child_consents))  # of an attempt that was cut short
        for batch in _consents_about_a_child():
            _narrow(batch)
        _end_what_nobody_allowed()


def downgrade() -> None:
    with op.batch_alter_table("child_choices") as batch_op:
        batch_op.drop_column("client_id")
    op.drop_table("child_consents")


def _columns_of(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}


def _consents_about_a_child() -> Iterator[Sequence[Any]]:
    last: tuple[str, str] = ("", "")
    while True:
        batch = (
            op.get_bind()
            .execute(
                sa.select(consents)
                .where(
                    consents.c.child_fields != "",
                    consents.c.withdrawn_at.is_(None),
                    sa.tuple_(consents.c.account_id, consents.c.client_id) > sa.tuple_(*last),
                )
                .order_by(consents.c.account_id, consents.c.client_id)
                .limit(BATCH)
            )
            .all()
        )
        if not batch:
            return
        yield batch
        last = (batch[-1].account_id, batch[-1].client_id)


def _narrow(batch: Sequence[Any]) -> None:
    accounts = {each.account_id for each in batch}
    named, only = _named_by_grants(accounts), _only_children(accounts)
    rows = []
    for each in batch:
        pair = (each.account_id, each.client_id)
        child = _first_after(each.granted_at, named.get(pair, [])) or only.get(pair)
        if child:
            rows.append(
                {
                    "account_id": each.account_id,
                    "client_id": each.client_id,
                    "child_id": child,
                    "fields": each.child_fields,
                    "granted_at": each.granted_at,
                }
            )
    if rows:
        op.get_bind().execute(sa.insert(child_consents), rows)


def _first_after(granted_at: datetime, named: Sequence[tuple[datetime, str]]) -> str | None:
    soon = [each for each in named if granted_at <= each[0] <= granted_at + RIGHT_AFTER]
    return min(soon)[1] if soon else None


def _named_by_grants(accounts: set[str]) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    found: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    rows = op.get_bind().execute(
        sa.select(
            grants.c.account_id, grants.c.client_id, grants.c.created_at, grants.c.child_id
        ).where(grants.c.account_id.in_(accounts), grants.c.child_id.is_not(None))
    )
    for account_id, client_id, created_at, child_id in rows:
        found.setdefault((account_id, client_id), []).append((created_at, child_id))
    return found


def _only_children(accounts: set[str]) -> dict[tuple[str, str], str]:
    """Who ever had one child alone at the schools of an application, and has it still."""
    pair = (guardianships.c.account_id, client_schools.c.client_id)
    rows = op.get_bind().execute(
        sa.select(*pair, sa.func.min(guardianships.c.child_id))
        .join(children, children.c.id == guardianships.c.child_id)
        .join(client_schools, client_schools.c.school_id == children.c.school_id)
        .where(guardianships.c.account_id.in_(accounts))
        .group_by(*pair)
        .having(
            sa.func.count(guardianships.c.child_id.distinct()) == 1,
            sa.func.count(guardianships.c.ended_at) == 0,
        )
    )
    return {(account_id, client_id): child_id for account_id, client_id, child_id in rows}


def _end_what_nobody_allowed() -> None:
    """Grants of third parties that name a child whom no consent covers."""
    allowed = sa.exists().where(
        child_consents.c.account_id == grants.c.account_id,
        child_consents.c.client_id == grants.c.client_id,
        child_consents.c.child_id == grants.c.child_id,
    )
    for client_id, metadata in op.get_bind().execute(sa.select(clients)).all():
        if metadata["first_party"]:
            continue
        op.get_bind().execute(
            sa.update(grants)
            .where(
                grants.c.client_id == client_id,
                grants.c.child_id.is_not(None),
                grants.c.ended_at.is_(None),
                ~allowed,
            )
            .values(ended_at=clock.now(), ended_reason="consent is kept for each child")
        )
