"""Dynamic client registration (RFC 7591, OpenID Connect Registration 1.0, RFC 7592).

The address of a client's registration is its own: the token that was given with it opens it.
"""

import json
from typing import Any, Final

from flask import Response, request

from idp import settings
from idp.clients.models import Client
from idp.errors import Conflict, Invalid, NotFound, Throttled
from idp.lifecycle import self_registration
from idp.lifecycle.self_registration import NotManaged, SelfRegistered
from idp.oidc import refusals
from idp.oidc.registration_errors import registration_sentence
from idp.web import browser
from idp.web.errors import PageError
from idp.web.protocol import cors
from idp.web.protocol.blueprint import endpoints

_CONFLICTS: Final = {
    "must_not_be_sent": "The request must not hold {field}",
    "other_client_id": "The client_id must be that of the registration",
    "other_client_secret": "The client_secret is not the present one",
    "outdated": "The registration was changed at the same moment",
}


@endpoints.post("/oauth2/register")
def register_client() -> Response:
    """RFC 7591 §3."""
    _check_on()
    try:
        made = self_registration.register(_document(), _bearer(), browser.client_address())
    except (Invalid, NotFound, Throttled) as refused:
        return _refusal(refused)
    return _answer(_information(made), 201)


@endpoints.get("/oauth2/register/<client_id>")
def read_client(client_id: str) -> Response:
    """RFC 7592 §2.1. The secret is stored as a hash, so that it does not come again."""
    _check_on()
    token = _bearer() or ""
    try:
        client = self_registration.managed(client_id, token)
    except (NotFound, NotManaged) as refused:
        return _refusal(refused)
    return _answer(_information(SelfRegistered(client, token)))


@endpoints.put("/oauth2/register/<client_id>")
def replace_client(client_id: str) -> Response:
    """RFC 7592 §2.2."""
    _check_on()
    try:
        made = self_registration.replace(client_id, _bearer() or "", _document())
    except (Invalid, Conflict, NotFound, NotManaged) as refused:
        return _refusal(refused)
    return _answer(_information(made))


@endpoints.delete("/oauth2/register/<client_id>")
def remove_client(client_id: str) -> Response:
    """RFC 7592 §2.3."""
    _check_on()
    try:
        self_registration.remove(client_id, _bearer() or "")
    except (NotFound, NotManaged) as refused:
        return _refusal(refused)
    return cors.uncached(Response(status=204))


def _check_on() -> None:
    if settings.current().dynamic_registration == "off":
        raise PageError("not_found", 404)


def _document() -> dict[str, Any]:
    """The JSON object of the body (RFC 7591 §3.1). Raises ``Invalid``."""
    if request.mimetype != "application/json":
        raise Invalid("document", "no_json")
    try:
        document = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise Invalid("document", "no_json") from None
    if not isinstance(document, dict):
        raise Invalid("document", "no_json")
    return document


def _bearer() -> str | None:
    """The token of the request (RFC 6750 §2.1); None where it came without one."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _information(made: SelfRegistered) -> dict[str, Any]:
    """What a client learns of its registration (RFC 7591 §3.2.1, RFC 7592 §3)."""
    client: Client = made.client
    secret = {} if made.secret is None else {"client_secret": made.secret}
    expires = {"client_secret_expires_at": 0} if client.secret_hash else {}
    return {
        "client_id": client.id,
        "client_id_issued_at": int(client.created_at.timestamp()),
        **secret,
        **expires,
        "registration_access_token": made.token,
        "registration_client_uri": f"{settings.current().issuer}/oauth2/register/{client.id}",
        **client.metadata_,
    }


def _answer(document: dict[str, Any], status: int = 200) -> Response:
    response = cors.uncached(Response(json.dumps(document), status=status))
    response.headers["Pragma"] = "no-cache"
    return response


def _refusal(
    refused: Invalid | Conflict | NotFound | NotManaged | Throttled,
) -> Response:
    """RFC 7591 §3.2.2, RFC 6750 §3.1."""
    status, error, description = _words_of(refused)
    refusals.note("register", error, description, None)
    response = _answer({"error": error, "error_description": description}, status)
    if status == 401:
        challenge = f'Bearer error="{error}"' if _bearer() is not None else "Bearer"
        response.headers["WWW-Authenticate"] = challenge
    if isinstance(refused, Throttled):
        response.headers["Retry-After"] = str(refused.retry_after)
    return response


def _words_of(
    refused: Invalid | Conflict | NotFound | NotManaged | Throttled,
) -> tuple[int, str, str]:
    match refused:
        case Invalid(field="document"):
            return 400, "invalid_client_metadata", "The body must be a JSON object"
        case Invalid(field="redirect_uris"):
            return 400, "invalid_redirect_uri", registration_sentence(refused)
        case Invalid():
            return 400, "invalid_client_metadata", registration_sentence(refused)
        case Conflict(code=code, values=values):
            return 400, "invalid_request", _CONFLICTS[code].format(**values)
        case NotManaged():
            return 403, "access_denied", "The client may not manage its registration any more"
        case Throttled():
            return 429, "temporarily_unavailable", "Too many registrations: try again later"
    return 401, "invalid_token", "The token is missing, or works no more"
