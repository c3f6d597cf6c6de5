"""Authlib's authorization server, wired to our clients, grants and endpoints."""

import json
from typing import Any, cast

from authlib.consts import default_json_headers
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from flask import Flask, Response, current_app
from flask import request as current_request
from werkzeug.datastructures import MultiDict

from idp import measures
from idp.clients.metadata import normal_response_type
from idp.database import retried, transaction
from idp.oidc import authorization_request, refusals, response_types, token_endpoint
from idp.oidc.authorization_parameters import registered_redirect_uri
from idp.oidc.client_authentication import (
    authenticate,
    check_one_client,
    presented_client,
    read_keys,
)
from idp.oidc.device_authorization import DeviceAuthorization
from idp.oidc.errors import UntrustedRedirect
from idp.oidc.introspection import Introspection
from idp.oidc.oauth_client import OAuthClient, query_client
from idp.oidc.requests import Payload, ProtocolRequest, check_request
from idp.oidc.revocation import Revocation

_NAME = "idp.authorization_server"


class Server(AuthorizationServer):  # type: ignore[misc]
    """The authorization server. Its methods know our request class and our client."""

    def query_client(self, client_id: str) -> OAuthClient | None:
        return query_client(client_id)

    def authenticate_client(
        self, request: ProtocolRequest, methods: list[str], endpoint: str = "token"
    ) -> OAuthClient:
        return authenticate(request, methods, endpoint)

    def handle_error_response(self, request: ProtocolRequest, error: OAuth2Error) -> Response:
        refusals.note(
            request.uri.rpartition("/")[2],
            error.error,
            getattr(error, "reason", None) or error.get_error_description(),
            presented_client(request)[0],
        )
        response: Response = super().handle_error_response(request, error)
        return response

    def create_oauth2_request(self, request: Any) -> ProtocolRequest:
        if isinstance(request, ProtocolRequest):
            return request
        return ProtocolRequest(current_request._get_current_object())  # type: ignore[attr-defined]

    def validate_requested_scope(self, scope: str | None) -> None:
        """Unknown scopes are left out, not refused (OpenID Connect Core §3.1.2.1)."""

    def handle_response(self, status: int, payload: Any, headers: Any) -> Response:
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        return _with_realm(Response(body, status=status, headers=headers))


class _Knowing:
    """The server to a request whose client was looked up already: it is not looked up again."""

    def __init__(self, server: Server, client: OAuthClient) -> None:
        self._server, self._client = server, client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def query_client(self, client_id: str) -> OAuthClient | None:
        known = client_id == self._client.get_client_id()
        return self._client if known else self._server.query_client(client_id)


class AuthorizationRequestGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """The authorization endpoint's half of the code grant (RFC 6749 §4.1.1), and of the flows that
    give an ID token at once.
    """

    def __init__(self, request: ProtocolRequest, server: Server) -> None:
        known = request.client
        super().__init__(request, server if known is None else _Knowing(server, known))

    @classmethod
    def check_authorization_endpoint(cls, request: Any) -> bool:
        return normal_response_type(request.payload.response_type) in response_types.supported()

    @staticmethod
    def validate_authorization_redirect_uri(request: Any, client: Any) -> str:
        redirect_uri = request.payload.redirect_uri
        if not redirect_uri or not client.check_redirect_uri(redirect_uri):
            raise UntrustedRedirect("The redirect_uri is not registered", error="invalid_request")
        return str(redirect_uri)

    def validate_requested_scope(self) -> None:
        """Called once client and redirect URI are trusted: our own rules follow here."""
        authorization_request.check(self.request.payload.data, self.request.client)


def init_app(app: Flask) -> None:
    """Make the application's authorization server."""
    server = Server()
    server.init_app(app)
    server.register_grant(AuthorizationRequestGrant)
    server.register_endpoint(Revocation)
    server.register_endpoint(Introspection)
    server.register_endpoint(DeviceAuthorization)
    app.extensions[_NAME] = server


def server() -> Server:
    """The running application's authorization server."""
    return cast(Server, current_app.extensions[_NAME])


def validated(parameters: MultiDict[str, str], known: OAuthClient | None = None) -> OAuthClient:
    """The client of an authorization request whose parameters have been read. ``known``: where it
    was looked up for that.

    Raises ``OAuth2Error``, its ``redirect_uri`` if that is trusted.
    """
    try:
        authorization_request.check_response_type(parameters)
    except OAuth2Error as error:
        error.redirect_uri = registered_redirect_uri(parameters)
        raise
    request = ProtocolRequest(current_request._get_current_object())  # type: ignore[attr-defined]
    request.payload = Payload(parameters)
    request.client = known
    return cast(OAuthClient, server().get_consent_grant(request).request.client)


def token_response(request: ProtocolRequest) -> Response:
    """Answer the token endpoint."""
    try:
        return server().handle_response(200, token_endpoint.answer(request), default_json_headers)
    except OAuth2Error as error:
        measures.token(token_endpoint.known_grant(request), str(error.error))
        return server().handle_error_response(request, error)


def endpoint_response(name: str, request: ProtocolRequest) -> Response:
    """Answer the revocation, introspection or device authorization endpoint."""
    read_keys(request)
    return _in_one_transaction(name, request)


@retried
def _in_one_transaction(name: str, request: ProtocolRequest) -> Response:
    with transaction():
        try:
            check_request(request)
            check_one_client(request)
            return cast(Response, server().create_endpoint_response(name, request))
        except OAuth2Error as error:
            return server().handle_error_response(request, error)


def _with_realm(response: Response) -> Response:
    # RFC 7617 §2: a Basic challenge MUST have a realm; Authlib leaves it out.
    challenge = response.headers.get("WWW-Authenticate", "")
    if challenge.startswith("Basic ") and "realm=" not in challenge:
        rest = challenge.removeprefix("Basic ")
        response.headers["WWW-Authenticate"] = f'Basic realm="applications", {rest}'
    return response
