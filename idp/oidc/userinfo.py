"""UserInfo (OpenID Connect Core §5.3): what the access token's scopes allow, now."""

import json
from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError
from joserfc import jws

from idp import settings
from idp.oidc import bound_tokens, encryption, sender, subjects
from idp.oidc.claims import CLAIMS_OF_SCOPE, child_claims, guardian_claims
from idp.oidc.keyring import keyring
from idp.oidc.oauth_client import OAuthClient, note_asking
from idp.oidc.requests import ProtocolRequest
from idp.oidc.tokens import LiveGrant

SCHEMES: Final = ("bearer", "dpop")


class NoToken(InvalidTokenError):  # type: ignore[misc]
    """RFC 6750 §3.1: a request without any token is told no error code."""


@dataclass(frozen=True)
class PresentedToken:
    """An access token, and the scheme by which it came: ``bearer`` or ``dpop``."""

    scheme: str
    text: str


def one_token(authorization: str, body: list[str], *, in_query: bool) -> PresentedToken:
    """The one token of a request. In a query it is refused (RFC 9700 §4.3.2, rule O13).

    Raises ``InvalidRequestError`` or ``NoToken``.
    """
    if in_query:
        raise InvalidRequestError("A token must not stand in the query")
    scheme, _, header = authorization.partition(" ")
    presented = [PresentedToken("bearer", text) for text in body]
    if scheme.lower() in SCHEMES:
        presented.append(PresentedToken(scheme.lower(), header.strip()))
    if len(presented) > 1:
        raise InvalidRequestError("More than one token")
    if not presented:
        raise NoToken
    return presented[0]


def userinfo(request: ProtocolRequest, presented: PresentedToken) -> tuple[str, str]:
    """The claims for this token, as its client wants them, and their content type; the child only
    while the guardianship lives.

    Raises Authlib's ``InvalidTokenError`` (401) or ``InsufficientScopeError`` (403), and what
    ``sender.check_use`` raises.
    """
    live = _live(request, presented)
    if "openid" not in live.scopes:
        raise InsufficientScopeError
    return _for_client(live, answer(live))


def _for_client(live: LiveGrant, claims: dict[str, Any]) -> tuple[str, str]:
    """JSON, or a JWT that is signed, encrypted, or both (Core §5.3.2)."""
    metadata = live.client.metadata_
    alg = metadata.get("userinfo_signed_response_alg")
    encrypted = metadata.get("userinfo_encrypted_response_alg") is not None
    if alg is None and not encrypted:
        return json.dumps(claims), "application/json"
    text = json.dumps(claims)
    if alg is not None:
        key = keyring().signing_key(alg)
        about = {**claims, "iss": settings.current().issuer, "aud": live.client.id}
        # Without a typ: such a JWT is no ID token, and no hint of one (security rule O15)
        text = jws.serialize_compact(
            {"alg": alg, "kid": key.kid}, json.dumps(about), key, algorithms=[alg]
        )
    answered = encryption.for_client("userinfo", text, live.client, nested=alg is not None)
    return answered, "application/jwt"


def answer(live: LiveGrant) -> dict[str, Any]:
    """What a live grant is told of its guardian and child."""
    requested = live.requested("userinfo")
    names = set(requested).union(*(CLAIMS_OF_SCOPE.get(scope, ()) for scope in live.scopes))
    claims = {"sub": subjects.of_guardian(live.account, live.client)}
    claims.update(guardian_claims(live, names))
    if "child" in live.scopes or "child" in requested:
        claims.update(child_claims(live, userinfo=True))
    return claims


def _live(request: ProtocolRequest, presented: PresentedToken) -> LiveGrant:
    proof = sender.proof_beforehand(request, presented.scheme, presented.text)
    token = bound_tokens.find(presented.text, proof)
    if token is None or token.is_expired() or token.is_revoked():
        raise InvalidTokenError
    note_asking(OAuthClient(token.client))
    if token.resource is not None:
        # RFC 9068 §4: whoever is not the audience refuses; what a resource server holds opens
        # nothing here.
        raise InvalidTokenError("The token is for another resource")
    live = token.live_grant()
    if live is None:
        raise InvalidTokenError
    bound = token.token.confirmation
    sender.check_use(request, presented.scheme, presented.text, bound, token.client.id, proof)
    return live
