"""The directory: by what the desk finds people, its index of three letters each; and classes.

On SQLite an FTS5 table that triggers keep; on PostgreSQL a GIN index of ``pg_trgm``.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import context, op
from alembic.util.exc import CommandError
from sqlalchemy.exc import DBAPIError

from idp.people import search_index

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

NO_EXTENSION = (
    "the search of the desk needs the PostgreSQL extension pg_trgm: install the package"
    " postgresql-contrib, or have a superuser run CREATE EXTENSION pg_trgm in this database, and"
    " run `idp db upgrade` again"
)

# Positions of letters are not kept (detail=none): a third of the size; what is found is
# compared with the text itself.
_INDEX = """
CREATE VIRTUAL TABLE directory_index USING fts5(
    place, text, content='directory_entries', content_rowid='id', tokenize='trigram', detail='none'
)
"""
_ADDED = "INSERT INTO directory_index(rowid, place, text) VALUES (new.id, new.place, new.text);"
_REMOVED = (
    "INSERT INTO directory_index(directory_index, rowid, place, text)"
    " VALUES ('delete', old.id, old.place, old.text);"
)
_TRIGGERS = {
    "directory_entries_added": f"AFTER INSERT ON directory_entries BEGIN {_ADDED} END",
    "directory_entries_removed": f"AFTER DELETE ON directory_entries BEGIN {_REMOVED} END",
    "directory_entries_changed": (
        f"AFTER UPDATE OF place, text ON directory_entries BEGIN {_REMOVED} {_ADDED} END"
    ),
}


def upgrade() -> None:
    op.create_index("ix_children_school_id_class_name", "children", ["school_id", "class_name"])
    op.create_index("ix_guardianships_account_id", "guardianships", ["account_id"])
    _table()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(_INDEX)
        for name, what in _TRIGGERS.items():
            op.execute(f"CREATE TRIGGER {name} {what}")
    _fill()
    if op.get_bind().dialect.name == "postgresql":
        _extend()
        op.execute(
            "CREATE INDEX ix_directory_entries_text ON directory_entries"
            " USING gin (text gin_trgm_ops)"
        )
        op.execute("ANALYZE directory_entries")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for name in _TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
        op.execute("DROP TABLE directory_index")
    op.drop_table("directory_entries")  # the extension may be somebody else's, too: it stays
    op.drop_index("ix_guardianships_account_id", table_name="guardianships")
    op.drop_index("ix_children_school_id_class_name", table_name="children")


def _table() -> None:
    op.create_table(
        "directory_entries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=True),
        sa.Column("child_id", sa.String(length=32), nullable=True),
        sa.Column("school_id", sa.String(length=32), nullable=True),
        sa.Column("place", sa.String(length=3), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('guardian', 'pupil')", name=op.f("ck_directory_entries_kind")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_directory_entries_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["child_id"], ["children.id"], name=op.f("fk_directory_entries_child_id")
        ),
        sa.ForeignKeyConstraint(
            ["school_id"], ["schools.id"], name=op.f("fk_directory_entries_school_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_entries")),
    )
    op.create_index(
        "uq_directory_entries_guardian",
        "directory_entries",
        ["account_id", "school_id"],
        unique=True,
    )
    op.create_index("uq_directory_entries_child_id", "directory_entries", ["child_id"], unique=True)
    op.create_index(op.f("ix_directory_entries_school_id"), "directory_entries", ["school_id"])


def _fill() -> None:
    if not context.is_offline_mode():
        search_index.fill(op.get_bind())
    # Written out as SQL, the table stays empty: `idp directory rebuild` fills it


def _extend() -> None:
    """The extension is a trusted one: whoever may create in the database may make it."""
    if context.is_offline_mode():
        op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        return
    there = sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")
    if op.get_bind().execute(there).scalar_one():
        return
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE EXTENSION pg_trgm")
    except DBAPIError as error:
        raise CommandError(NO_EXTENSION) from error
