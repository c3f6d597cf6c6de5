"""Signed answers of the introspection endpoint (RFC 9701)."""

from typing import Any, Final

from joserfc import jwt
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from idp import clock, settings
from idp.clients import profiles
from idp.oidc.keyring import keyring

TYPE: Final = "token-introspection+jwt"
MEDIA_TYPE: Final = f"application/{TYPE}"


def is_wanted(accept: str) -> bool:
    """Whether the caller accepts a signed answer, and names it (§4)."""
    named = parse_accept_header(accept, MIMEAccept)
    return any(media.lower() == MEDIA_TYPE and quality > 0 for media, quality in named)


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
