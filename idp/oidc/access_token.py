"""An access token: opaque for ourselves, signed and readable for a resource server (RFC 9068)."""

import secrets
from datetime import timedelta
from typing import Any, Final

from idp import clock, settings
from idp.database import base64url
from idp.oidc import id_token, sender, subjects, tokens
from idp.oidc.claims import child_claims
from idp.oidc.keyring import keyring
from idp.oidc.tokens import LiveGrant

_TYPE: Final = "at+jwt"  # §2.1: by which nobody takes it for an ID token


def new(
    live: LiveGrant,
    resource: str | None,
    confirmation: str | None = None,
    lifetime: timedelta | None = None,
) -> str:
    """The text of a new access token. ``resource``: whom it is for; None: ourselves.
    ``confirmation``: the key that it is bound to.

    Both kinds are kept by their hash, so that introspection and the end of a guardianship work
    alike.
    """
    if resource is None:
        return tokens.new_text()
    alg: str = live.client.metadata_["id_token_signed_response_alg"]
    key = keyring().signing_key(alg)
    claims = {**_claims(live, resource, lifetime), **sender.cnf(confirmation)}
    return id_token.signed(claims, alg, key, typ=_TYPE)


def _claims(live: LiveGrant, resource: str, lifetime: timedelta | None) -> dict[str, Any]:
    """RFC 9068 §2.2. Of the guardian it says who, and of the child what an ID token would."""
    config, now, grant = settings.current(), clock.timestamp(), live.grant
    lasts = config.access_token_lifetime if lifetime is None else lifetime
    claims: dict[str, Any] = {
        "iss": config.issuer,
        "aud": resource,
        "sub": subjects.of_guardian(live.account, live.client),
        "client_id": live.client.id,
        "scope": live.scope,
        "iat": now,
        "exp": now + int(lasts.total_seconds()),
        "jti": base64url(secrets.token_bytes(16)),
        "acr": grant.acr,
        "amr": grant.amr.split(),
    }
    if grant.auth_time_proved:
        claims["auth_time"] = int(grant.auth_time.timestamp())
    if "child" in live.scopes:
        claims.update(child_claims(live, userinfo=False))
    return claims
