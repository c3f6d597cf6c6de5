"""The pushed authorization request endpoint (RFC 9126)."""

import json

from flask import Response, request

from idp import settings
from idp.credentials import throttling
from idp.errors import Throttled
from idp.lifecycle import self_registration
from idp.oidc import par_endpoint
from idp.oidc.errors import OAuth2Error
from idp.oidc.oauth_client import OAuthClient
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
        read = par_endpoint.pushed(pushed)
        _spend_allowance(read.client)
        request_uri = read.keep()
    except OAuth2Error as error:
        return cors.uncached(server().handle_error_response(pushed, error))
    lifetime = settings.current().pushed_request_lifetime
    answer = {"request_uri": request_uri, "expires_in": int(lifetime.total_seconds())}
    return cors.uncached(Response(json.dumps(answer), status=201))


def _spend_allowance(client: OAuthClient) -> None:
    """Whoever names a public client has proved nothing, and has something stored (rule N6); whoever
    registered itself where everybody may has proved no more than that.
    """
    outcome: throttling.Allowed | throttling.Blocked = throttling.Allowed()
    if client.public:
        outcome = throttling.check_stranger(browser.client_address(), "pushed_request")
    elif self_registration.is_strangers(client.record):
        outcome = throttling.check_unvetted(client.get_client_id())
    if isinstance(outcome, throttling.Blocked):
        raise Throttled(outcome.retry_after)
