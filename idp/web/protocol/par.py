"""The pushed authorization request endpoint (RFC 9126)."""

import json

from flask import Response, request

from idp import settings
from idp.credentials import throttling
from idp.errors import Throttled
from idp.oidc import par_endpoint, pushed_requests
from idp.oidc.errors import OAuth2Error
from idp.oidc.requests import ProtocolRequest
from idp.oidc.server import server
from idp.web import browser
from idp.web.protocol import cors
from idp.web.protocol.blueprint import endpoints


@endpoints.route("/oauth2/par", methods=["POST", "OPTIONS"])
@cors.for_registered_origins
def par() -> Response:
    """A validated request in, its name out (RFC 9126 §2.2)."""
    pushed = ProtocolRequest(request._get_current_object())  # type: ignore[attr-defined]
    try:
        client, parameters = par_endpoint.pushed(pushed)
    except OAuth2Error as error:
        return cors.uncached(server().handle_error_response(pushed, error))
    if client.check_endpoint_auth_method("none", "par"):
        _spend_allowance()
    lifetime = settings.current().pushed_request_lifetime
    answer = {
        "request_uri": pushed_requests.keep(parameters),
        "expires_in": int(lifetime.total_seconds()),
    }
    return cors.uncached(Response(json.dumps(answer), status=201))


def _spend_allowance() -> None:
    """Whoever names a public client has proved nothing, and has something stored (rule N6)."""
    outcome = throttling.check_stranger(browser.client_address(), "pushed_request")
    if isinstance(outcome, throttling.Blocked):
        raise Throttled(outcome.retry_after)
