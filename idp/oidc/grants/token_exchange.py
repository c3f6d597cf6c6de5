"""Token exchange (RFC 8693): an application makes a narrower token of its own about the same child.

For what it hands on to a resource server: fewer scopes, another audience, no longer life. Nobody
acts for anybody here: there is no actor token, and the child is never the actor.
"""

from datetime import timedelta
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError, UnauthorizedClientError

from idp import clock, settings
from idp.clients.metadata import TOKEN_EXCHANGE
from idp.oidc import access_token as access_tokens
from idp.oidc import registered, resources, sender, tokens
from idp.oidc.errors import InvalidTarget
from idp.oidc.grants import Exchange, GrantType
from idp.oidc.grants.first_tokens import token_answer
from idp.oidc.tokens import FoundToken

ACCESS_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
_UNUSABLE: Final = "The subject_token is not a live access token of this application"


def _check_client(exchange: Exchange[FoundToken]) -> None:
    if exchange.client.public:
        raise UnauthorizedClientError("Token exchange is for applications that prove themselves")


def _check_types(exchange: Exchange[FoundToken]) -> None:
    """§2.1: what comes in and what is wanted are access tokens."""
    form = exchange.form
    if form.get("subject_token_type") != ACCESS_TOKEN_TYPE:
        raise InvalidRequestError(f"The subject_token_type must be {ACCESS_TOKEN_TYPE}")
    if form.get("requested_token_type", ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE:
        raise InvalidRequestError(f"The requested_token_type must be {ACCESS_TOKEN_TYPE}")
    if "actor_token" in form or "actor_token_type" in form:
        raise InvalidRequestError("Nobody acts for a guardian: there is no actor_token")
    if "audience" in form:
        raise InvalidTarget("The target is named by resource, not by audience")


def _check_live(exchange: Exchange[FoundToken]) -> None:
    # §2.2.2: a subject token that is not valid for any reason is an invalid_request.
    token = exchange.presented
    if token.is_expired() or token.is_revoked() or token.live_grant() is None:
        raise InvalidRequestError(_UNUSABLE)


def _check_key(exchange: Exchange[FoundToken]) -> None:
    """Of a token that is bound to a key nobody makes one that is not, or is bound to another
    (RFC 9449 §5).
    """
    bound = exchange.presented.token.confirmation
    if bound is not None and not sender.is_same(bound, exchange.confirmation):
        raise InvalidRequestError("The subject_token is bound to a key that was not proved")


def _check_scope(exchange: Exchange[FoundToken]) -> None:
    token = exchange.presented
    registered.check_narrowing(token.token.scope, exchange.form.get("scope", ""), token.client)


def _redeem(exchange: Exchange[FoundToken]) -> dict[str, Any]:
    token = exchange.presented
    live = token.live_grant(tokens.narrowed(token.token.scope, exchange.form.get("scope")))
    if live is None:
        raise InvalidRequestError(_UNUSABLE)
    resource, lifetime = _resource(exchange), _lifetime(token)
    text = access_tokens.new(live, resource, exchange.confirmation, lifetime)
    row = tokens.access_row(text, live.grant, live.scope, exchange.confirmation, resource, lifetime)
    if not tokens.add_access(live, row):
        raise InvalidRequestError(_UNUSABLE)
    return {
        **token_answer(text, live.scope, exchange.confirmation),
        "expires_in": int(lifetime.total_seconds()),
        "issued_token_type": ACCESS_TOKEN_TYPE,
    }


def _resource(exchange: Exchange[FoundToken]) -> str | None:
    """For whom: as the subject token, or a resource server that it may name. What was for one
    resource server is never turned into a token for another, nor for ourselves.
    """
    held = exchange.presented.resource
    if "resource" not in exchange.form:
        resources.check_kept(held, exchange.client)
        return held
    wanted = resources.of_token(exchange.form, exchange.client, exchange.presented.grant.resource)
    if held is not None and wanted != held:
        raise InvalidTarget("The subject_token is for another resource")
    return wanted


def _lifetime(token: FoundToken) -> timedelta:
    """Never longer than the subject token's: whole seconds, and one for what we do meanwhile."""
    left = int((token.token.expires_at - clock.now()).total_seconds()) - 1
    if left <= 0:
        raise InvalidRequestError(_UNUSABLE)
    return min(timedelta(seconds=left), settings.current().access_token_lifetime)


GRANT_TYPE: Final = GrantType(
    name=TOKEN_EXCHANGE,
    parameter="subject_token",
    unknown=_UNUSABLE,
    refusal=InvalidRequestError,
    find=tokens.find_access,
    checks=(_check_client, _check_types, _check_live, _check_key, _check_scope),
    redeem=_redeem,
)
