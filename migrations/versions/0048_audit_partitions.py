"""The audit trail in partitions on PostgreSQL, so that its age removes whole ones.

By number, which grows with time: so ``id`` stays the primary key, the table that is there becomes
the first partition as it stands, and its indexes become those of the whole. No row is moved or
looked at. The previous release goes on beside it: names, columns and the numbers' sequence stay.

Revision ID: 0048
Revises: 0047
"""

from typing import Any

from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

TABLE = "audit_events"
FIRST = "audit_events_first"

_KIND = "SELECT relkind::text AS kind FROM pg_class WHERE oid = 'audit_events'::regclass"
_INDEXES = """
SELECT c.relname, i.indisvalid, pg_get_indexdef(c.oid) AS words
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = '{table}'::regclass AND NOT i.indisprimary
"""
_PARTS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'audit_events'::regclass
ORDER BY coalesce(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM .''(\\d+)')::bigint, -1)
"""
_INDEXES_OF_PART = """
SELECT whole.relname AS whole, part.relname AS part, i.indisprimary
FROM pg_inherits h
JOIN pg_class whole ON whole.oid = h.inhparent JOIN pg_class part ON part.oid = h.inhrelid
JOIN pg_index i ON i.indexrelid = h.inhrelid
WHERE i.indrelid = '{part}'::regclass
"""
_SHARED = """
SELECT a.privilege_type AS what, CASE WHEN a.grantee = 0 THEN 'PUBLIC'
  ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.oid = '{table}'::regclass AND a.grantee <> c.relowner
"""
_OWNER = """
SELECT quote_ident(pg_get_userbyid(relowner)) AS name FROM pg_class WHERE oid = '{table}'::regclass
"""
_NOT_CHANGED = (
    "CREATE TRIGGER audit_events_append_only BEFORE UPDATE ON audit_events"
    " FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
)
_NOT_DELETED = (
    "CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events"
    " FOR EACH ROW EXECUTE FUNCTION refuse_audit_removal()"
)
_NOT_EMPTIED = (
    "CREATE TRIGGER audit_events_kept_whole BEFORE TRUNCATE ON audit_events"
    " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_removal()"
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return
    if not _is_partitioned():  # as an attempt that was cut short has left it
        op.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
        _become_first(_take_indexes())
    with op.get_context().autocommit_block():
        # Of the whole; PostgreSQL does that by itself for each partition alone
        op.execute(f"ANALYZE {TABLE}")


def _is_partitioned() -> bool:
    return bool(_asked(_KIND)[0].kind == "p")


def _take_indexes() -> dict[str, str]:
    """Name each as the first partition's; returns what each is made of."""
    made_of = {}
    for name, is_valid, words in _asked(_INDEXES.format(table=TABLE)):
        if not is_valid:  # half of one, which is made again at the end
            op.execute(f'DROP INDEX "{name}"')
            continue
        made_of[name] = words.partition(" USING ")[2]
        op.execute(f'ALTER INDEX "{name}" RENAME TO "{name}_first"')
    op.execute(f"ALTER TABLE {TABLE} RENAME CONSTRAINT pk_{TABLE} TO pk_{TABLE}_first")
    return made_of


def _become_first(indexes: dict[str, str]) -> None:
    op.execute(f"ALTER TABLE {TABLE} RENAME TO {FIRST}")
    op.execute(f"CREATE TABLE {TABLE} (LIKE {FIRST} INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    _hand_on(FIRST, TABLE)
    op.execute(f"ALTER SEQUENCE {TABLE}_id_seq OWNED BY {TABLE}.id")
    # The whole's count for each of its partitions; against TRUNCATE each has its own
    op.execute(f"DROP TRIGGER audit_events_append_only ON {FIRST}")
    op.execute(f"DROP TRIGGER audit_events_kept ON {FIRST}")
    for words in (_NOT_CHANGED, _NOT_DELETED, _NOT_EMPTIED):
        op.execute(words)
    # Open at both ends, which every number keeps: no row is looked at
    op.execute(
        f"ALTER TABLE {TABLE} ATTACH PARTITION {FIRST} FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"
    )
    op.execute(f"ALTER TABLE ONLY {TABLE} ADD CONSTRAINT pk_{TABLE} PRIMARY KEY (id)")
    op.execute(f"ALTER INDEX pk_{TABLE} ATTACH PARTITION pk_{TABLE}_first")
    for name, words in indexes.items():
        op.execute(f'CREATE INDEX "{name}" ON ONLY {TABLE} USING {words}')
        op.execute(f'ALTER INDEX "{name}" ATTACH PARTITION "{name}_first"')


def _hand_on(source: str, to: str) -> None:
    """The owner, and who else may do what: with one of the tables alone, past default privileges."""
    op.execute(f'ALTER TABLE "{to}" OWNER TO {_asked(_OWNER.format(table=source))[0].name}')
    for who in {each.who for each in _asked(_SHARED.format(table=to))}:
        op.execute(f'REVOKE ALL ON "{to}" FROM {who}')
    for what, who in _asked(_SHARED.format(table=source)):
        op.execute(f'GRANT {what} ON "{to}" TO {who}')
        op.execute(f'REVOKE ALL ON "{source}" FROM {who}')


def downgrade() -> None:
    """One table again: the rows of later partitions are moved, and nobody writes meanwhile."""
    if op.get_bind().dialect.name == "sqlite" or not _is_partitioned():
        return
    op.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
    first, *others = (row.relname for row in _asked(_PARTS))
    indexes = _asked(_INDEXES_OF_PART.format(part=first))
    for part in (first, *others):
        op.execute(f'ALTER TABLE {TABLE} DETACH PARTITION "{part}"')
    op.execute(f'ALTER TABLE "{first}" DROP CONSTRAINT IF EXISTS {TABLE}_end')
    for part in others:
        op.execute(f'INSERT INTO "{first}" SELECT * FROM "{part}"')  # noqa: S608
        op.execute(f'DROP TABLE "{part}"')
    op.execute(f'ALTER SEQUENCE {TABLE}_id_seq OWNED BY "{first}".id')
    _hand_on(TABLE, first)
    op.execute(f"DROP TABLE {TABLE}")
    op.execute(f'ALTER TABLE "{first}" RENAME TO {TABLE}')
    for whole, part, is_primary in indexes:
        if is_primary:
            op.execute(f'ALTER TABLE {TABLE} RENAME CONSTRAINT "{part}" TO "{whole}"')
        else:
            op.execute(f'ALTER INDEX "{part}" RENAME TO "{whole}"')
    for words in (_NOT_CHANGED, _NOT_DELETED):
        op.execute(words)


def _asked(words: str) -> list[Any]:
    return list(op.get_bind().exec_driver_sql(words))
