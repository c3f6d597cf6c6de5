"""The registered public keys of a client, parsed once a process."""

import json
from functools import lru_cache
from typing import Any, Final

from joserfc.jwk import Key, KeySet

from idp.clients.models import ClientRow

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
_KEY_TYPES: Final = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
MOST_KEPT: Final = 500


def has_keys(client: ClientRow) -> bool:
    """Whether this client has registered keys."""
    return "jwks" in client.metadata_


def verifying(client: ClientRow, alg: str, kid: Any) -> list[Key]:
    """The registered keys that may have signed: by ``kid`` where one is named, and of the type of
    the algorithm always (security rules O11, O12).
    """
    if not has_keys(client):
        return []
    return [
        key
        for key in _parsed(json.dumps(client.metadata_["jwks"])).keys
        if key.key_type == _KEY_TYPES[alg]
        and key.alg in (None, alg)
        and (kid is None or key.kid == kid)
    ]


@lru_cache(MOST_KEPT)
def _parsed(document: str) -> KeySet:
    return KeySet.import_key_set(json.loads(document))
