"""Cross-origin requests: ``*`` for what is public, registered browser clients for the rest."""

from collections.abc import Callable
from functools import wraps
from typing import Final

from flask import Response, request

from idp.clients import origins
from idp.errors import Throttled
from idp.oidc import dpop, oauth_client
from idp.web import errors
from idp.web.headers import vary
from idp.web.protocol.blueprint import endpoints

View = Callable[[], Response]
_EXPOSED: Final = "WWW-Authenticate, DPoP-Nonce, Retry-After"
_READABLE: Final[set[str]] = set()
"""The endpoints whose answers registered origins may read."""
_PUBLIC: Final = frozenset(
    f"{endpoints.name}.{name}"
    for name in ("configuration", "description", "jwks", "protected_resource_metadata")
)


def public(response: Response) -> Response:
    """Readable from any page, without credentials (security rule S9)."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def for_registered_origins(view: View) -> View:
    """Decorates a view: its answers, and those to a preflight, can be read from the origins of
    registered browser clients.
    """

    _READABLE.add(f"{endpoints.name}.{view.__name__}")

    @wraps(view)
    def answer() -> Response:
        preflight = request.method == "OPTIONS"
        return _readable(uncached(Response(status=204)) if preflight else judged(), preflight)

    def judged() -> Response:
        try:
            return view()
        except Throttled as refused:  # a browser's application has to learn that it waits
            return uncached(errors.throttled(refused))

    return answer


@endpoints.after_request
def let_errors_be_read(response: Response) -> Response:
    """Let a browser's application read what is told where its view was not reached, or was left:
    that we are busy, or away. By what this process knows; nothing is asked for it.
    """
    if response.status_code < 500 or "Access-Control-Allow-Origin" in response.headers:
        return response
    if request.endpoint in _PUBLIC:
        return public(response)
    if request.endpoint in _READABLE:
        known = origins.is_known(request.headers.get("Origin", ""))
        return _readable_from(response, allowed=known, preflight=False)
    return response


def uncached(response: Response, content_type: str = "application/json") -> Response:
    """An answer that nobody keeps, in JSON unless it says otherwise (RFC 6749 §5.1)."""
    response.headers["Cache-Control"] = "no-store"
    response.content_type = content_type
    if "DPoP" in request.headers:
        response.headers["DPoP-Nonce"] = dpop.nonce()  # RFC 9449 §8.2: of each answer
    return response


def _readable(response: Response, preflight: bool) -> Response:
    origin = request.headers.get("Origin")
    allowed = bool(origin) and _is_registered(str(origin))
    return _readable_from(response, allowed=allowed, preflight=preflight)


def _is_registered(origin: str) -> bool:
    """Whether an application names it: first of all the one that this request came from, which was
    looked up a moment ago.
    """
    asking = oauth_client.asking()
    if asking is not None and origin in asking.client_metadata["origins"]:
        return True
    return origins.is_registered(origin)


def _readable_from(response: Response, *, allowed: bool, preflight: bool) -> Response:
    vary(response, "Origin")
    if allowed:
        origin = request.headers["Origin"]
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, DPoP"
            response.headers["Access-Control-Max-Age"] = "600"
    return response
