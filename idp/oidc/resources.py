"""Resource indicators (RFC 8707): for which resource server an application wants a token.

A registration names the resource servers that it may ask for (``resources``). Without one, an
access token is for the provider itself, that is for UserInfo.
"""

import json

from werkzeug.datastructures import MultiDict

from idp.oidc import protected_resource
from idp.oidc.errors import InvalidTarget
from idp.oidc.oauth_client import OAuthClient
from idp.oidc.requests import REPEATABLE


def of_request(parameters: MultiDict[str, str], client: OAuthClient) -> str | None:
    """The resources of an authorization request, separated by spaces; None where it names none
    but ourselves. Raises ``InvalidTarget``.
    """
    if not _registered(client):
        # Unrecognised (RFC 6749 §3.1), as it was before an application could be registered for any
        return None
    own = protected_resource.own_resources()
    requested = [each for each in _named(parameters) if each not in own]
    for each in requested:
        _check_registered(each, client)
    return " ".join(dict.fromkeys(requested)) or None


def check_kept(resource: str | None, client: OAuthClient) -> None:
    """Whether the client is registered for what ``of_request`` has read before. Raises
    ``InvalidTarget``.
    """
    for each in (resource or "").split():
        _check_registered(each, client)


def of_token(
    parameters: MultiDict[str, str], client: OAuthClient, granted: str | None
) -> str | None:
    """The resource of one access token; None for ourselves. Raises ``InvalidTarget``.

    ``granted``: the resources of the authorization request, beyond which nothing goes (§2.2).
    """
    requested = parameters.getlist(REPEATABLE)
    if granted is None and not (requested and _registered(client)):
        return None
    names = requested or (granted or "").split()
    if len(names) > 1:
        # RFC 9068 §5: a token for two is worth as much as the weaker of them keeps it.
        raise InvalidTarget("An access token is for one resource: name it")
    (name,) = names
    if name in protected_resource.own_resources():
        return None
    if granted is not None and name not in granted.split():
        raise InvalidTarget("The authorization request did not name this resource")
    _check_registered(name, client)
    return name


def _named(parameters: MultiDict[str, str]) -> list[str]:
    """All that are named. A request object has several as an array (RFC 9101 §4)."""
    names = parameters.getlist(REPEATABLE)
    if len(names) != 1 or not names[0].startswith("["):
        return names
    try:
        return [str(each) for each in json.loads(names[0])]
    except (ValueError, RecursionError):
        return names


def _check_registered(name: str, client: OAuthClient) -> None:
    if name not in _registered(client):
        raise InvalidTarget("The application is not registered for this resource")


def _registered(client: OAuthClient) -> list[str]:
    resources: list[str] = client.client_metadata.get("resources", [])
    return resources
