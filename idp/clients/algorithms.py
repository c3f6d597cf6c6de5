"""With which algorithms our answers to the applications in use are signed, and by which they
encrypt for us.
"""

from collections.abc import Mapping
from contextlib import suppress
from time import sleep
from typing import Any, Final

from sqlalchemy import select

from idp import concurrency_limit
from idp.clients.models import Client
from idp.database import after_commit
from idp.database.prepared import Prepared

FIELDS: Final = (
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "authorization_signed_response_alg",
)
"""The metadata that name one (OpenID Connect Registration §2, RFC 9701 §6, JARM §3)."""
ENCRYPTION_FIELD: Final = "request_object_encryption_alg"
"""The one by which an application encrypts for us."""
_NAMED: Final = [Client.metadata_[field].as_string() for field in (*FIELDS, ENCRYPTION_FIELD)]
_IN_USE: Final[Prepared[tuple[str | None, ...]]] = Prepared(
    select(*_NAMED).where(Client.disabled_at.is_(None)).distinct()
)
_SAME_KEY: Final = {"ECDH-ES+A256KW": "ECDH-ES"}


def key_for(alg: str) -> str:
    """The algorithm by which the key of this one is known."""
    return _SAME_KEY.get(alg, alg)


def in_use() -> frozenset[str]:
    """The algorithms that an enabled application is registered for; one query."""
    return frozenset(key_for(alg) for row in _IN_USE.all() for alg in row if alg)


ALWAYS: Final = frozenset({"RS256"})
"""What every provider offers (OpenID Connect Core §15.1)."""
SHOWN_WITHIN: Final = 1.0
"""Seconds for which a worker goes by the key set that it showed."""
_made: Final = [0]
"""How many changes this process has made."""


def show_before_telling(
    document: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Have whoever registers another algorithm wait, once that is committed, until no worker of any
    machine shows a key set from before: who has just registered reads it, keeps it for an hour, and
    needs the key of its first token in it. In the caller's transaction.

    ``before``: the registration so far; None where it was not in use.
    """
    if _named(document) - _named(before or {}) - ALWAYS:
        after_commit(_wait)


def changes() -> int:
    """What moves with each change that this process has made."""
    return _made[0]


def _wait() -> None:
    _made[0] += 1
    # It is registered: who finds all places taken after that is told so all the same
    with suppress(concurrency_limit.Crowded), concurrency_limit.released():
        sleep(SHOWN_WITHIN)


def _named(document: Mapping[str, Any]) -> frozenset[str]:
    named = (document.get(field) for field in (*FIELDS, ENCRYPTION_FIELD))
    return frozenset(key_for(alg) for alg in named if alg)
