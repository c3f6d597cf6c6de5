"""Cross-origin requests: ``*`` for what is public, registered browser clients for the rest."""

from collections.abc import Callable
from functools import wraps
from time import monotonic
from typing import Final

from flask import Response, current_app, request

from idp.clients import registration
from idp.errors import Throttled
from idp.oidc import dpop
from idp.web import errors
from idp.web.headers import vary
from idp.web.protocol.blueprint import endpoints

View = Callable[[], Response]
_EXPOSED: Final = "WWW-Authenticate, DPoP-Nonce, Retry-After"
_KEPT = 30.0  # seconds that a worker remembers the registered origins
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
        return _readable_from(response, _kept_origins(), preflight=False)
    return response


def uncached(response: Response, content_type: str = "application/json") -> Response:
    """An answer that nobody keeps, in JSON unless it says otherwise (RFC 6749 §5.1)."""
    response.headers["Cache-Control"] = "no-store"
    response.content_type = content_type
    if "DPoP" in request.headers:
        response.headers["DPoP-Nonce"] = dpop.nonce()  # RFC 9449 §8.2: of each answer
    return response


def _readable(response: Response, preflight: bool) -> Response:
    origins = _registered_origins() if "Origin" in request.headers else frozenset()
    return _readable_from(response, origins, preflight=preflight)


def _readable_from(response: Response, origins: frozenset[str], *, preflight: bool) -> Response:
    origin = request.headers.get("Origin")
    vary(response, "Origin")
    if origin and origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, DPoP"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


def _kept_origins() -> frozenset[str]:
    kept = current_app.extensions.get("idp.origins")
    return kept[1] if kept else frozenset()


def _registered_origins() -> frozenset[str]:
    kept = current_app.extensions.get("idp.origins")
    if kept is None or kept[0] < monotonic():
        clients = registration.list_clients()
        origins = {o for c in clients if c.disabled_at is None for o in c.metadata_["origins"]}
        kept = (monotonic() + _KEPT, frozenset(origins))
        current_app.extensions["idp.origins"] = kept
    registered: frozenset[str] = kept[1]
    return registered
