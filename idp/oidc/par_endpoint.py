"""The pushed authorization request endpoint (RFC 9126 §2): authenticate, read, check."""

from dataclasses import replace
from typing import Final

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from werkzeug.datastructures import MultiDict

from idp.oidc import authorization_parameters, authorization_request, logout, sender, server
from idp.oidc.authorization_parameters import Refused
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.client_authentication import METHODS, authenticate, check_one_client
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import ProtocolRequest, check_request

_OF_AUTHENTICATION: Final = ("client_secret", "client_assertion", "client_assertion_type")


def pushed(request: ProtocolRequest) -> tuple[OAuthClient, AuthorizationRequest]:
    """The validated request of a client that has proved itself. Raises ``OAuth2Error``."""
    check_request(request)
    check_one_client(request)
    client = authenticate(request, METHODS, "par")
    try:
        read = _read(_parameters(request, client), client)
        return client, _bound(request, client, read)
    except OAuth2Error as error:
        error.redirect_uri = None  # RFC 9126 §2.3: the answer is JSON, whoever could be sent on
        raise


def _parameters(request: ProtocolRequest, client: OAuthClient) -> MultiDict[str, str]:
    """What the authorization endpoint would get (RFC 9126 §2.1)."""
    if "request_uri" in request.form:
        raise InvalidRequestError("A pushed request has no request_uri")
    kept = {name: value for name, value in request.form.items() if name not in _OF_AUTHENTICATION}
    return MultiDict({**kept, "client_id": client.get_client_id()})


def _bound(
    request: ProtocolRequest, client: OAuthClient, read: AuthorizationRequest
) -> AuthorizationRequest:
    """RFC 9449 §10.1: a DPoP proof that comes with the push names the key of the code."""
    jkt = sender.proved_with_push(request, client, read.dpop_jkt)
    return replace(read, dpop_jkt=jkt)


def _read(parameters: MultiDict[str, str], client: OAuthClient) -> AuthorizationRequest:
    read = authorization_parameters.read(parameters, known=client)
    if isinstance(read, Refused):
        raise read.error
    assert isinstance(read, authorization_parameters.Read)  # none that was pushed before
    server.validated(read.parameters, read.client)
    authorization_parameters.check_way(read, client, pushed=True)
    hint = logout.hinted_subject(read.parameters.get("id_token_hint"), client.record)
    return authorization_request.parse(read.parameters, client, hinted_subject=hint)
