"""What works once: the ``jti`` of assertions and proofs that were accepted (RFC 7523 §3)."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

from idp.clients.models import UsedAssertion
from idp.database import ID_LENGTH, db, hashes, in_transaction, keyed_hash, transaction, upserting
from idp.database.atomic_insert import unwaited
from idp.database.prepared import Prepared

ROWS: Final = (UsedAssertion.__table__, ("jti_hash", "client_id", "expires_at"))
"""What ``row`` fills, for whoever keeps it together with other rows."""
_COLUMNS: Final = UsedAssertion.__table__.c


def row(kind: str, owner: str, jti: str, client_id: str, until: float) -> dict[str, Any]:
    """What is kept of the first use of a ``jti``, of this kind and owner.

    ``until``: the second from which the JWT would be refused for its age.
    """
    return {
        "jti_hash": keyed_hash(kind, f"{owner}\0{jti}"),
        "client_id": client_id[:ID_LENGTH],
        "expires_at": datetime.fromtimestamp(until, UTC),
    }


def first_use(kind: str, owner: str, jti: str, client_id: str, until: float) -> bool:
    """True for the first use of a ``jti`` of this kind and owner; two workers at once are told
    apart by the primary key. One indexed insert.
    """
    return is_first(row(kind, owner, jti, client_id, until))


def is_first(kept: dict[str, Any]) -> bool:
    """Keep a ``row``; whether it was not there."""
    hashed = kept["jti_hash"]
    if isinstance(hashed, hashes.Hashes):
        return _first_under_any_key(hashed, kept)
    if db.engine.dialect.name == "sqlite":
        with transaction():
            return _ON_SQLITE.execute(**kept) == 1
    # One statement is a transaction of its own there: one round trip in place of three
    return (_KEEP if in_transaction() else _KEEP_UNWAITED).execute(**kept) == 1


def _first_under_any_key(hashed: hashes.Hashes, kept: dict[str, Any]) -> bool:
    """A worker whose newest key is another one keeps it too under each: all come in, or it was
    used. In one order, so that nobody waits in a circle.
    """
    rows = [{**kept, "jti_hash": each} for each in sorted(hashed.all)]
    with transaction() as writes:
        all_in = upserting(UsedAssertion).values(rows).on_conflict_do_nothing()
        came_in = writes.execute(all_in.returning(UsedAssertion.jti_hash)).all()
    return len(came_in) == len(rows)


def _once(statement: Any) -> Prepared[Any]:
    return Prepared(statement.on_conflict_do_nothing())


_VALUES: Final = {
    name: bindparam(name, type_=_COLUMNS[name].type, required=True) for name in ROWS[1]
}
_ON_SQLITE: Final = _once(sqlite.insert(UsedAssertion).values(_VALUES))
_KEEP: Final = _once(postgresql.insert(UsedAssertion).values(_VALUES))
_KEEP_UNWAITED: Final = _once(
    postgresql.insert(UsedAssertion).from_select(
        list(_VALUES), unwaited(*_VALUES.values()), include_defaults=False
    )
)
"""Three of them in a flow need not wait for the disk three times: what is lost by it is that a
``jti`` of the last half second could come again, once, after the database server broke down.
"""
