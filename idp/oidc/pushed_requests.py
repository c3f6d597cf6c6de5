"""Pushed authorization requests (RFC 9126): kept until a guardian's browser brings their name.

A request that was pushed is answered once. It is used up by its answer, not by the first page:
a page may be loaded again, and by programs that look at links ahead of people.
"""

import secrets
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, select, update

from idp import clock, settings
from idp.clients import used
from idp.database import keyed_hash, transaction
from idp.database.atomic_insert import AtomicInsert, Fate, InsertOnce
from idp.database.prepared import Prepared, columns, only
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.models import PushedRequest, PushedRequestRow

PREFIX: Final = "urn:ietf:params:oauth:request_uri:"
_ROWS: Final = (PushedRequest.__table__, ("uri_hash", "client_id", "request", "expires_at"))
# What a database that broke down has forgotten is pushed again
_KEEP: Final = AtomicInsert(_ROWS, waits=False)
_KEEP_ONCE: Final = InsertOnce(used.ROWS, _ROWS, waits=False)
_FIND: Final[Prepared[PushedRequestRow]] = Prepared(
    select(*columns(PushedRequest, PushedRequestRow)).where(
        PushedRequest.uri_hash == bindparam("uri_hash"),
        PushedRequest.client_id == bindparam("client_id"),
    ),
    PushedRequestRow,
    into=only,
)
_BY_HASH: Final[Prepared[PushedRequestRow]] = Prepared(
    select(*columns(PushedRequest, PushedRequestRow)).where(
        PushedRequest.uri_hash == bindparam("uri_hash")
    ),
    PushedRequestRow,
    into=only,
)
USE: Final = (
    update(PushedRequest)
    .where(PushedRequest.uri_hash == bindparam("pushed"), PushedRequest.used_at.is_(None))
    .values(used_at=bindparam("used_at"))
)
"""Uses a request up: for one of many answers it changes a row."""
_USE: Final[Prepared[Any]] = Prepared(USE)


def keep(request: AuthorizationRequest) -> str:
    """Keep a validated request; returns its ``request_uri``. One insert."""
    name, row = _named(request)
    _KEEP.execute(pushed_requests=row)
    return name


def keep_once(request: AuthorizationRequest, proof: dict[str, Any]) -> str | None:
    """``keep``, and the row of the proof that came with it; None where that was used before."""
    name, row = _named(request)
    fate = _KEEP_ONCE.execute(used_assertions=proof, pushed_requests=row)
    return name if fate is Fate.IN else None


def _named(request: AuthorizationRequest) -> tuple[str, dict[str, Any]]:
    """A name for a request, and its row."""
    name = secrets.token_urlsafe(32)  # RFC 9126 §7.1: nobody guesses it
    return PREFIX + name, {
        "uri_hash": _hash(name),
        "client_id": request.client_id,
        "request": request.as_json(),
        "expires_at": clock.now() + settings.current().pushed_request_lifetime,
    }


def find(request_uri: str, client_id: str) -> PushedRequestRow | None:
    """What this client has pushed under this name, used and expired ones too; one query."""
    return _FIND.one_or_none(uri_hash=hash_of(request_uri), client_id=client_id)


def hash_of(request_uri: str) -> str:
    """The key of the row of this name."""
    return _hash(request_uri.removeprefix(PREFIX))


def is_open(row: PushedRequestRow, now: datetime) -> bool:
    """Whether the name still works (RFC 9126 §2.2, §4)."""
    return row.used_at is None and row.expires_at > now


def using(request: AuthorizationRequest) -> dict[str, Any]:
    """The parameters of ``USE`` for a request that was pushed."""
    return {"pushed": request.pushed, "used_at": clock.now()}


def use(request: AuthorizationRequest) -> bool:
    """Use up what was pushed, if it was: false where another answer was first."""
    return request.pushed is None or _used(request)


def waits(request: AuthorizationRequest) -> bool:
    """Whether what was pushed has had no answer yet."""
    row = _BY_HASH.one_or_none(uri_hash=request.pushed)
    return row is not None and row.used_at is None


def _used(request: AuthorizationRequest) -> bool:
    with transaction():
        return _USE.execute(**using(request)) == 1


def _hash(name: str) -> str:
    return keyed_hash("pushed request", name)
