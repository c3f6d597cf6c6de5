"""The ``claims`` parameter (OpenID Connect Core §5.5): individual claims, asked for by name."""

import json
from typing import Any, Final

from authlib.oauth2.rfc6749 import InvalidRequestError

SCOPE_OF_CLAIM: Final = {
    "name": "profile",
    "given_name": "profile",
    "family_name": "profile",
    "preferred_username": "profile",
    "locale": "profile",
    "updated_at": "profile",
    "email": "email",
    "email_verified": "email",
    "child": "child",
}
"""The scope under which a client is registered for each claim (security rule O18)."""
ALWAYS: Final = frozenset({"sub", "acr", "auth_time"})
"""What every client may ask for."""
_MOST_BYTES: Final = 4000


def parse(text: str | None, registered_scopes: list[str]) -> dict[str, dict[str, Any]] | None:
    """What of the parameter we support and the client may ask; None where it asks nothing.

    Returns ``{"id_token": {claim: {"essential": True, "values": […]} | None}, "userinfo": {…}}``.
    Raises ``InvalidRequestError`` for what is not a JSON object.
    """
    if not text:
        return None
    try:
        document = json.loads(text) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidRequestError("The claims parameter is not a JSON object")
    kept = {
        place: _supported(document[place], registered_scopes)
        for place in ("id_token", "userinfo")
        if isinstance(document.get(place), dict)
    }
    return {place: claims for place, claims in kept.items() if claims} or None


def requested_claims(claims: dict[str, Any] | None, place: str) -> dict[str, Any]:
    """The claims asked for in ``id_token`` or ``userinfo``."""
    requested: dict[str, Any] = (claims or {}).get(place, {})
    return requested


def required_values(
    claims: dict[str, Any] | None, name: str, *, essential: bool
) -> list[str] | None:
    """The values that the ID token's claim must have, or None where any will do."""
    request = requested_claims(claims, "id_token").get(name)
    if not isinstance(request, dict) or (essential and request.get("essential") is not True):
        return None
    values: list[str] | None = request.get("values")
    return values


def _supported(claims: dict[str, Any], registered_scopes: list[str]) -> dict[str, Any]:
    return {
        name: _supported_request(request)
        for name, request in claims.items()
        if name in ALWAYS or SCOPE_OF_CLAIM.get(name) in registered_scopes
    }


def _supported_request(request: Any) -> dict[str, Any] | None:
    """What of one claim's request we act on. Nothing else is kept: deep or odd JSON would
    come up again where it is stored.
    """
    if not isinstance(request, dict):
        return None
    kept: dict[str, Any] = {"essential": True} if request.get("essential") is True else {}
    values = request.get("values", [request["value"]] if "value" in request else None)
    if isinstance(values, list):
        kept["values"] = [value for value in values if isinstance(value, str)]
    return kept or None
