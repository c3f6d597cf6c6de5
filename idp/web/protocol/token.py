"""Token, revocation and introspection endpoints: POST forms in, JSON out."""

from flask import Response, request

from idp.credentials import throttling
from idp.errors import Throttled
from idp.lifecycle import self_registration
from idp.oidc import introspection_jwt, server
from idp.oidc.client_authentication import presented_client
from idp.oidc.oauth_client import OAuthClient, query_client
from idp.oidc.requests import ProtocolRequest
from idp.web import browser
from idp.web.protocol import cors
from idp.web.protocol.blueprint import endpoints


@endpoints.route("/oauth2/token", methods=["POST", "OPTIONS"])
@cors.for_registered_origins
def token() -> Response:
    """RFC 6749 §3.2."""
    return _uncached(server.token_response(_protocol_request()))


@endpoints.route("/oauth2/revoke", methods=["POST", "OPTIONS"])
@cors.for_registered_origins
def revoke() -> Response:
    """RFC 7009."""
    return _uncached(server.endpoint_response("revocation", _protocol_request()))


@endpoints.post("/oauth2/introspect")
def introspect() -> Response:
    """RFC 7662, RFC 9701."""
    response = server.endpoint_response("introspection", _protocol_request())
    if response.mimetype == introspection_jwt.MEDIA_TYPE:
        return _uncached(response, introspection_jwt.MEDIA_TYPE)
    return _uncached(response)


@endpoints.route("/oauth2/device_authorization", methods=["POST", "OPTIONS"])
@cors.for_registered_origins
def device_authorization() -> Response:
    """RFC 8628 §3.1."""
    protocol_request = _protocol_request()
    _spend_allowance(protocol_request)
    return _uncached(server.endpoint_response("device_authorization", protocol_request))


def _spend_allowance(protocol_request: ProtocolRequest) -> None:
    """Whoever names a public client has proved nothing, and has something stored (rule N6); nor has
    an application that registered itself where everybody may. It is counted before anything is
    judged, and outside of the endpoint's transaction.
    """
    # Where a client names itself, whatever stands beside it (RFC 6749 §3.2.1)
    proves, _method = presented_client(protocol_request)
    for named in {protocol_request.form.get("client_id"), proves}:
        client = query_client(named or "")
        if client is not None and isinstance(outcome := _budget_of(client), throttling.Blocked):
            raise Throttled(outcome.retry_after)


def _budget_of(client: OAuthClient) -> throttling.Allowed | throttling.Blocked:
    client_id = client.get_client_id()
    if client.public:
        return throttling.check_stranger(browser.client_address(), "device_code", client_id)
    if self_registration.is_strangers(client.record):
        return throttling.check_unvetted(client_id)
    return throttling.Allowed()


def _protocol_request() -> ProtocolRequest:
    return ProtocolRequest(request._get_current_object())  # type: ignore[attr-defined]


def _uncached(response: Response, content_type: str = "application/json") -> Response:
    response.headers["Pragma"] = "no-cache"  # RFC 6749 §5.1
    return cors.uncached(response, content_type)
