"""The token endpoint (RFC 6749 §3.2): parse, find, authenticate, check, redeem, answer."""

from typing import Any, Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    InvalidRequestError,
    UnauthorizedClientError,
    UnsupportedGrantTypeError,
)

from idp import measures
from idp.oidc import sender
from idp.oidc.client_authentication import METHODS, authenticate, check_one_client
from idp.oidc.grants import (
    Exchange,
    GrantType,
    authorization_code,
    device_code,
    refresh_token,
    token_exchange,
)
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import ProtocolRequest, check_request

GRANT_TYPES: Final[dict[str, GrantType[Any]]] = {
    each.GRANT_TYPE.name: each.GRANT_TYPE
    for each in (authorization_code, refresh_token, device_code, token_exchange)
}


def answer(request: ProtocolRequest) -> dict[str, Any]:
    """The successful answer (RFC 6749 §5.1); raises ``OAuth2Error`` for any other.

    It reads and signs without a lock; what it changes is one transaction at the end, which
    decides once more (security rule R1).
    """
    check_request(request)
    check_one_client(request)
    grant_type = _grant_type(request)
    text = request.form.get(grant_type.parameter)
    # Found together with its client, in one look-up for both. Nothing comes of it before the
    # client has proved itself, and is that very client.
    presented = grant_type.find(text) if text else None
    client = authenticate(request, METHODS, read=presented.client if presented else None)
    _check_registered(client, grant_type)
    if not text:
        raise InvalidRequestError(f"Missing '{grant_type.parameter}' in request.")
    if presented is None or presented.client.id != client.get_client_id():
        raise grant_type.refusal(grant_type.unknown)
    proved = sender.proved_at_token_endpoint(request, client)
    exchange = Exchange(request.form, client, presented, proved.confirmation, proved.proof)
    redeemed = _redeemed(exchange, grant_type)
    measures.token(grant_type.name, "ok")
    return redeemed


def _redeemed(exchange: Exchange[Any], grant_type: GrantType[Any]) -> dict[str, Any]:
    """What is given for it. A proof works once (RFC 9449 §11.1), in a request that is refused,
    too; and one that was used before is refused whatever else is wrong.
    """
    if not grant_type.spends_proof:
        exchange.spend_proof()
    try:
        for check in grant_type.checks:
            check(exchange)
        return grant_type.redeem(exchange)
    except OAuth2Error:
        exchange.spend_proof()
        raise


def known_grant(request: ProtocolRequest) -> str:
    """The grant that a request names, where it is one of ours."""
    name = request.form.get("grant_type", "")
    return name if name in GRANT_TYPES else "unknown"


def _grant_type(request: ProtocolRequest) -> GrantType[Any]:
    name = request.form.get("grant_type")
    if not name:
        raise InvalidRequestError("The grant_type is missing")  # RFC 6749 §5.2
    if name not in GRANT_TYPES:
        raise UnsupportedGrantTypeError(name)
    return GRANT_TYPES[name]


def _check_registered(client: OAuthClient, grant_type: GrantType[Any]) -> None:
    if not client.check_grant_type(grant_type.name):
        raise UnauthorizedClientError(
            f"The client is not authorized to use 'grant_type={grant_type.name}'"
        )
