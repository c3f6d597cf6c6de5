"""UserInfo (OpenID Connect Core §5.3): what the access token's scopes allow, now."""

from dataclasses import dataclass
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError

from idp.oidc import claims_parameter, sender, subjects, tokens
from idp.oidc.claims import CLAIMS_OF_SCOPE, child_claims, guardian_claims
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


def userinfo(request: ProtocolRequest, presented: PresentedToken) -> dict[str, Any]:
    """The claims for this token; the child only while the guardianship lives.

    Raises Authlib's ``InvalidTokenError`` (401) or ``InsufficientScopeError`` (403), and what
    ``sender.check_use`` raises.
    """
    live = _live(request, presented)
    if "openid" not in live.scopes:
        raise InsufficientScopeError
    return answer(live)


def answer(live: LiveGrant) -> dict[str, Any]:
    """What a live grant is told of its guardian and child."""
    requested = claims_parameter.requested_claims(live.grant.claims, "userinfo")
    names = set(requested).union(*(CLAIMS_OF_SCOPE.get(scope, ()) for scope in live.scopes))
    claims = {"sub": subjects.of_guardian(live.account, live.client)}
    claims.update(guardian_claims(live, names))
    if "child" in live.scopes or "child" in requested:
        claims.update(child_claims(live, userinfo=True))
    return claims


def _live(request: ProtocolRequest, presented: PresentedToken) -> LiveGrant:
    token = tokens.find_access(presented.text)
    if token is None or token.is_expired() or token.is_revoked():
        raise InvalidTokenError
    live = token.live_grant()
    if live is None:
        raise InvalidTokenError
    bound = token.token.confirmation
    sender.check_use(request, presented.scheme, presented.text, bound, token.client.id)
    return live
