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

View = Callable[[], Response]
_EXPOSED: Final = "WWW-Authenticate, DPoP-Nonce, Retry-After"
_KEPT = 30.0  # seconds that a worker remembers the registered origins


def public(response: Response) -> Response:
    """Readable from any page, without credentials (security rule S9)."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def for_registered_origins(view: View) -> View:
    """Decorates a view: its answers, and those to a preflight, can be read from the origins of
    registered browser clients.
    """

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


def uncached(response: Response, content_type: str = "application/json") -> Response:
    """An answer that nobody keeps, in JSON unless it says otherwise (RFC 6749 §5.1)."""
    response.headers["Cache-Control"] = "no-store"
    response.content_type = content_type
    if "DPoP" in request.headers:
        response.headers["DPoP-Nonce"] = dpop.nonce()  # RFC 9449 §8.2: of each answer
    return response


def _readable(response: Response, preflight: bool) -> Response:
    origin = request.headers.get("Origin")
    vary(response, "Origin")
    if origin and origin in _registered_origins():
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, DPoP"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


def _registered_origins() -> frozenset[str]:
    kept = current_app.extensions.get("idp.origins")
    if kept is None or kept[0] < monotonic():
        clients = registration.list_clients()
        origins = {o for c in clients if c.disabled_at is None for o in c.metadata_["origins"]}
        kept = (monotonic() + _KEPT, frozenset(origins))
        current_app.extensions["idp.origins"] = kept
    registered: frozenset[str] = kept[1]
    return registered
