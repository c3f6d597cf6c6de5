"""Signed answers of the introspection endpoint (RFC 9701)."""

import re
from typing import Any, Final

from joserfc import jwt

from idp import clock, settings
from idp.clients import profiles
from idp.oidc.keyring import keyring

TYPE: Final = "token-introspection+jwt"
MEDIA_TYPE: Final = f"application/{TYPE}"
_REFUSAL: Final = re.compile(r"q=0(\.0{0,3})?")
"""RFC 9110 §12.4.2."""


def is_wanted(accept: str) -> bool:
    """Whether the caller accepts a signed answer, and names it (§4)."""
    for part in accept.lower().split(","):
        media, *parameters = (each.strip() for each in part.split(";"))
        if media == MEDIA_TYPE:
            return not any(_REFUSAL.fullmatch(each) for each in parameters)
    return False


def signed(answer: dict[str, Any], client_id: str, metadata: dict[str, Any]) -> str:
    """The answer as a JWT for this client (§5): no ``sub``, no ``exp`` at its top, so that it is
    no token itself.
    """
    alg = _algorithm_of(metadata)
    key = keyring().signing_key(alg)
    header = {"alg": alg, "kid": key.kid, "typ": TYPE}
    claims = {
        "iss": settings.current().issuer,
        "aud": client_id,
        "iat": clock.timestamp(),
        "token_introspection": answer,
    }
    return jwt.encode(header, claims, key, algorithms=[alg])


def _algorithm_of(metadata: dict[str, Any]) -> str:
    """As registered; RS256 where nothing is said (§6), or what FAPI 2.0 lets its ID tokens have."""
    usual = metadata["id_token_signed_response_alg"] if profiles.is_fapi2(metadata) else "RS256"
    return str(metadata.get("introspection_signed_response_alg", usual))
