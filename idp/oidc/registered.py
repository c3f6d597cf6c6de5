"""What of a grant its client is registered for now (security rule O18).

A registration may get narrower while what was given by it lives on: it is asked once more wherever
a grant is read for an answer.
"""

from typing import Any

from authlib.oauth2.rfc6749 import InvalidScopeError

from idp.clients.models import ClientRow
from idp.oidc.claims_parameter import ALWAYS, SCOPE_OF_CLAIM, requested_claims


def scope(granted: str, client: ClientRow) -> str:
    """Of the scopes that were granted those that are registered still; it may be empty."""
    now: str = client.metadata_["scope"]
    if granted == now:  # as nearly always
        return granted
    words = now.split()
    return " ".join(each for each in granted.split() if each in words)


def claims(parameter: dict[str, Any] | None, place: str, client: ClientRow) -> dict[str, Any]:
    """Of the claims that were asked for by name those whose scope is registered still."""
    requested = requested_claims(parameter, place)
    if not requested:
        return requested
    words = client.metadata_["scope"].split()
    return {
        name: request
        for name, request in requested.items()
        if name in ALWAYS or SCOPE_OF_CLAIM.get(name) in words
    }


def check_narrowing(granted: str, requested: str, client: ClientRow) -> None:
    """Refuse a scope that was not granted at first, and one of which nothing is registered any
    more (RFC 6749 §5.2, §6). Raises ``InvalidScopeError``.
    """
    wanted = set(requested.split())
    if not wanted <= set(granted.split()) or (wanted and not scope(" ".join(wanted), client)):
        raise InvalidScopeError
