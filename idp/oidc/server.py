"""Authlib's authorization server, wired to our clients, grants and endpoints."""

import json
from typing import Any, cast

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from flask import Flask, Response, current_app, g

from idp.database import retried, transaction
from idp.oidc import refusals, tokens
from idp.oidc.client_authentication import (
    METHODS,
    PrivateKeyJwt,
    check_one_client,
    explained,
    presented_client,
)
from idp.oidc.grants import authorization_code
from idp.oidc.grants.authorization_code import AuthorizationCodeGrant
from idp.oidc.grants.refresh_token import RefreshTokenGrant
from idp.oidc.introspection import Introspection
from idp.oidc.oauth_client import OAuthClient, query_client
from idp.oidc.requests import ProtocolRequest, check_content_type, check_parameters
from idp.oidc.revocation import Revocation

_NAME = "idp.authorization_server"
_PRESENTED = "client_of_what_is_presented"


class Server(AuthorizationServer):  # type: ignore[misc]
    """The authorization server. Its methods know our request class and our client."""

    def query_client(self, client_id: str) -> OAuthClient | None:
        known: OAuthClient | None = g.get(_PRESENTED)
        if known is not None and known.get_client_id() == client_id:
            return known
        return query_client(client_id)

    def authenticate_client(
        self, request: ProtocolRequest, methods: list[str], endpoint: str = "token"
    ) -> Any:
        try:
            return super().authenticate_client(request, methods, endpoint)
        except InvalidClientError as error:
            raise explained(request, error, query_client) from error

    def handle_error_response(self, request: ProtocolRequest, error: OAuth2Error) -> Response:
        refusals.note(
            request.uri.rpartition("/")[2],
            error.error,
            error.get_error_description(),
            presented_client(request)[0],
        )
        response: Response = super().handle_error_response(request, error)
        return response

    def create_oauth2_request(self, request: Any) -> ProtocolRequest:
        if isinstance(request, ProtocolRequest):
            return request
        from flask import request as current

        return ProtocolRequest(current._get_current_object())  # type: ignore[attr-defined]

    def validate_requested_scope(self, scope: str | None) -> None:
        """Unknown scopes are left out, not refused (OpenID Connect Core §3.1.2.1)."""

    def handle_response(self, status: int, payload: Any, headers: Any) -> Response:
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        return _with_realm(Response(body, status=status, headers=headers))


def init_app(app: Flask) -> None:
    """Make the application's authorization server."""
    server = Server()
    server.init_app(app)
    server.register_grant(AuthorizationCodeGrant)
    server.register_grant(RefreshTokenGrant)
    server.register_endpoint(Revocation)
    server.register_endpoint(Introspection)
    for method in METHODS:
        if method == "private_key_jwt":
            server.register_client_auth_method(method, PrivateKeyJwt())
    app.extensions[_NAME] = server


def server() -> Server:
    """The running application's authorization server."""
    return cast(Server, current_app.extensions[_NAME])


def token_response(request: ProtocolRequest) -> Response:
    """Answer the token endpoint. It reads and signs without a lock; what it changes is one
    transaction at the end, which decides once more (``idp.oidc.grants``, security rule R1).
    """
    return _answer(request, lambda: _redeem(request))


@retried
def endpoint_response(name: str, request: ProtocolRequest) -> Response:
    """Answer the revocation or introspection endpoint, in one transaction."""
    with transaction():
        return _answer(request, lambda: server().create_endpoint_response(name, request))


def _redeem(request: ProtocolRequest) -> Response:
    if not request.form.get("grant_type"):
        # RFC 6749 §5.2; Authlib would call a missing one unsupported.
        raise InvalidRequestError("The grant_type is missing")
    _present(request)
    return cast(Response, server().create_token_response(request))


def _present(request: ProtocolRequest) -> None:
    """Read what is presented together with its client, in one look-up instead of two.

    Nothing comes of it before the client has authenticated itself, and is that very client.
    """
    match request.form["grant_type"]:
        case "authorization_code":
            found: Any = authorization_code.find(request.form.get("code", ""))
        case "refresh_token":
            found = tokens.find_refresh(request.form.get("refresh_token", ""))
        case _:
            return
    request.presented = found
    if found is not None and found.client.disabled_at is None:
        setattr(g, _PRESENTED, OAuthClient(found.client))


def _answer(request: ProtocolRequest, make: Any) -> Response:
    try:
        check_content_type(request.content_type)
        check_parameters(request.form)
        if request.args:
            # RFC 6749 §3.2: nothing in the query; URLs are logged (security rule O13).
            raise InvalidRequestError("Parameters belong into the body")
        check_one_client(request)
        return cast(Response, make())
    except OAuth2Error as error:
        return server().handle_error_response(request, error)


def _with_realm(response: Response) -> Response:
    # RFC 7617 §2: a Basic challenge MUST have a realm; Authlib leaves it out.
    challenge = response.headers.get("WWW-Authenticate", "")
    if challenge.startswith("Basic ") and "realm=" not in challenge:
        rest = challenge.removeprefix("Basic ")
        response.headers["WWW-Authenticate"] = f'Basic realm="applications", {rest}'
    return response
