"""What works once: the ``jti`` of assertions and proofs that were accepted (RFC 7523 §3)."""

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

from idp.clients.models import UsedAssertion
from idp.database import ID_LENGTH, db, keyed_hash, transaction
from idp.database.prepared import Prepared

_COLUMNS: Final = UsedAssertion.__table__.c


def first_use(kind: str, owner: str, jti: str, client_id: str, until: float) -> bool:
    """True for the first use of a ``jti`` of this kind and owner; two workers at once are told
    apart by the primary key. One indexed insert.

    ``until``: the second from which the JWT would be refused for its age.
    """
    row = {
        "jti_hash": keyed_hash(kind, f"{owner}\0{jti}"),
        "client_id": client_id[:ID_LENGTH],
        "expires_at": datetime.fromtimestamp(until, UTC),
    }
    dialect = db.engine.dialect.name
    # On PostgreSQL one statement is a transaction of its own: one round trip in place of three.
    with transaction() if dialect == "sqlite" else nullcontext():
        return _KEEP[dialect].execute(**row) == 1


def _kept(dialect: Any) -> Prepared[Any]:
    values = {
        name: bindparam(name, type_=_COLUMNS[name].type, required=True)
        for name in ("jti_hash", "client_id", "expires_at")
    }
    return Prepared(dialect.insert(UsedAssertion).values(values).on_conflict_do_nothing())


_KEEP: Final = {each.dialect.name: _kept(each) for each in (postgresql, sqlite)}
