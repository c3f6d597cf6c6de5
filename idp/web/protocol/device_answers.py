"""Answers that leave us for a screen (RFC 8628): it polls for them, and here a page says so."""

from typing import Any

from flask import render_template
from werkzeug.wrappers import Response

from idp.clients import registration
from idp.oidc import device_codes
from idp.oidc.authorization import Proceed
from idp.oidc.authorization_request import AuthorizationRequest
from idp.oidc.device_codes import State
from idp.oidc.errors import OAuth2Error
from idp.oidc.oauth_client import OAuthClient
from idp.sessions.models import Interaction


def allow(
    auth_request: AuthorizationRequest,
    client: OAuthClient,
    proceed: Proceed,
    interaction: Interaction,
) -> Response:
    """The screen gets its grant, unless it was answered before or has waited for too long."""
    device_codes.allow(auth_request, client.record, proceed, interaction)
    return last_page(interaction.request)


def refuse(auth_request: AuthorizationRequest, error: OAuth2Error) -> Response:
    """The screen is told ``access_denied``, and why."""
    code_id = auth_request.device or ""
    device_codes.deny(code_id, error.get_error_description() or str(error.error))
    return last_page(auth_request.as_json())


def state_of(request: dict[str, Any]) -> State:
    """What became of the screen that a request is about."""
    device = device_codes.find(request["device"])
    return device.state if device is not None else State.OVER


def last_page(request: dict[str, Any]) -> Response:
    """Back to the screen, or why not."""
    client = registration.find(request["client_id"])
    page = render_template(
        "protocol/device_done.html",
        state=state_of(request).value,
        client_name=client.name if client else "",
    )
    return Response(page, content_type="text/html; charset=utf-8")
