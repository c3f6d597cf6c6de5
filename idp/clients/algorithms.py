"""With which algorithms our answers to the applications in use are signed, and by which they
encrypt for us.
"""

from typing import Final

from sqlalchemy import select

from idp.clients.models import Client
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
