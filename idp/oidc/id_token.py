"""The ID token (OpenID Connect Core §2): made once a token answer, signed with a parsed key."""

import hashlib
from typing import Any, Final

from joserfc import jwt

from idp import clock, settings
from idp.database import base64url
from idp.oidc import encryption, subjects
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.claims import (
    CLAIMS_OF_SCOPE,
    child_claims,
    guardian_claims,
    registered_for_id_token,
)
from idp.oidc.keyring import keyring
from idp.oidc.keys import SigningKey
from idp.oidc.tokens import LiveGrant

_HALF_HASH: Final = {
    **dict.fromkeys(("RS256", "PS256", "ES256"), hashlib.sha256),
    "EdDSA": hashlib.sha512,
}


def issue(live: LiveGrant, *, access_token: str, nonce: str | None) -> str:
    """An ID token for a live grant, signed and perhaps encrypted. ``nonce`` is returned to the
    letter.
    """
    return _for_client(live, claims(live, access_token=access_token, nonce=nonce))


def on_the_way(live: LiveGrant, request: AuthorizationRequest, *, code: str | None) -> str:
    """A signed ID token that the browser itself carries to the application, beside a code or alone
    (Core §3.2.2.10, §3.3.2.11). Without a code it holds what the scopes say (§5.4).
    """
    alg: str = live.client.metadata_["id_token_signed_response_alg"]
    claims = {**_claims(live), "nonce": request.nonce}
    if code is None:
        names = set().union(*(CLAIMS_OF_SCOPE.get(scope, ()) for scope in live.scopes))
        claims |= guardian_claims(live, names)
    else:
        claims["c_hash"] = _half_hash(code, alg)
    if request.state is not None:
        claims["s_hash"] = _half_hash(request.state, alg)
    return _for_client(live, claims)


def _for_client(live: LiveGrant, claims: dict[str, Any]) -> str:
    alg: str = live.client.metadata_["id_token_signed_response_alg"]
    token = signed(claims, alg, keyring().signing_key(alg))
    return encryption.for_client("id_token", token, live.client, nested=True)


def signed(claims: dict[str, Any], alg: str, key: SigningKey, *, typ: str = "JWT") -> str:
    """The claims as a token that ``key`` has signed. ``typ``: what it is (RFC 8725 §3.11)."""
    header = {"typ": typ, "alg": alg, "kid": key.kid}
    return jwt.encode(header, claims, key, algorithms=[alg])


def claims(live: LiveGrant, *, access_token: str, nonce: str | None) -> dict[str, Any]:
    """What the ID token of a live grant says."""
    claims = _claims(live)
    claims["at_hash"] = _half_hash(
        access_token, live.client.metadata_["id_token_signed_response_alg"]
    )
    if nonce is not None:
        claims["nonce"] = nonce
    return claims


def _claims(live: LiveGrant) -> dict[str, Any]:
    config = settings.current()
    now = clock.timestamp()
    grant = live.grant
    claims: dict[str, Any] = {
        "iss": config.issuer,
        "sub": subjects.of_guardian(live.account, live.client),
        "aud": live.client.id,
        "iat": now,
        "exp": now + int(config.id_token_lifetime.total_seconds()),
        "amr": grant.amr.split(),
        "acr": grant.acr,
        "sid": subjects.of_session(grant.session_id, live.client),
    }
    if grant.auth_time_proved:
        claims["auth_time"] = int(grant.auth_time.timestamp())
    # Core §5.4: with a code, profile and e-mail claims are UserInfo's, unless the request asks
    # for them by name or the registration says that the software looks nowhere else.
    requested = live.requested("id_token")
    claims.update(guardian_claims(live, {*requested, *registered_for_id_token(live)}))
    if "child" in live.scopes or "child" in requested:
        claims.update(child_claims(live, userinfo=False))
    return claims


def _half_hash(value: str, alg: str) -> str:
    """The left half of the hash (Core §3.1.3.6; for Ed25519 its own SHA-512)."""
    digest = _HALF_HASH[alg](value.encode()).digest()
    return base64url(digest[: len(digest) // 2])
