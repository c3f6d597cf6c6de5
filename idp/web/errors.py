"""Error answers: a page that a parent can read, or JSON where a program asked.

Every answer carries the request's correlation id, which stands in the log and the audit
log too, and says what to do next.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import (
    Flask,
    Response,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
)
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from idp import correlation
from idp.concurrency_limit import Crowded
from idp.credentials.bcrypt_gate import Busy
from idp.database import db, refuses_writes
from idp.errors import NotFound, Throttled
from idp.web.explanations import OAUTH_CODES, explanation
from idp.web.i18n import current_page
from idp.web.start_pages import start_of

log = logging.getLogger(__name__)

TRY_AGAIN_IN = 5
"""Seconds in ``Retry-After`` where nothing better is known."""

TRIED = "cookies"
"""In an address, and in the browser's cookie: that we have tried to set one."""

MACHINE_PATHS = (
    "/oauth2/token",
    "/oauth2/par",
    "/oauth2/userinfo",
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/oauth2/device_authorization",
    "/oauth2/register",
    "/oauth2/jwks",
    "/.well-known/",
    "/openapi.json",
    "/health/",
)

CODES = {
    400: "bad_request",
    401: "forbidden",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
    431: "too_large",
    503: "busy",
}
"""Our code for a bare HTTP status; any other 4xx is a bad request, any other 5xx our fault."""


@dataclass(frozen=True)
class WayBack:
    """A button that takes an error back to the application, for who wants to press it."""

    application: str
    place: str
    """The host that it leads to, or the scheme of an app's own address."""
    address: str
    fields: Sequence[tuple[str, str]] = ()
    """What goes there by a form; empty where the address says it all."""


class PageError(Exception):
    """Something that ends the way through our pages.

    ``code``: one of ``idp.web.explanations``, or an OAuth error code, which is shown
    untranslated. ``retry_after``: seconds. ``client_id``: the application whose start page is the
    way on. ``reason``: a sentence of ours for the application's developer, in English as in the
    log. ``way_back``: to the application, if its address is registered.
    """

    def __init__(
        self,
        code: str,
        status: int = 400,
        *,
        retry_after: int | None = None,
        client_id: str | None = None,
        reason: str | None = None,
        way_back: WayBack | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after
        self.client_id = client_id
        self.reason = reason
        self.way_back = way_back


def init_app(app: Flask) -> None:
    """Answer every error in our own words."""
    app.register_error_handler(PageError, answer)
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(Throttled, throttled)
    for crowd in (Busy, Crowded):
        app.register_error_handler(crowd, _busy)
    for lost in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(lost, _database_away)
    app.register_error_handler(InternalError, _database_refuses)
    app.register_error_handler(HTTPException, _http_error)


def answer(error: PageError) -> Response:
    """The answer to ``error``: JSON on a program's endpoint, a page elsewhere."""
    if (once_more := _try_cookies(error)) is not None:
        return once_more
    log.info("answered %s %s", error.status, error.code)
    response = _json(error) if request.path.startswith(MACHINE_PATHS) else _page(error)
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 408:
        response.headers["Connection"] = "close"  # RFC 9110 §15.5.9: its rest is not waited for
    return response


def form_error() -> PageError:
    """Why a form's token was not accepted: no cookies at all, or a page left open too long."""
    return PageError("no_cookies" if not request.cookies else "expired_form")


def _try_cookies(error: PageError) -> Response | None:
    """A browser that brings no cookie blocks them, or has none of us: it was never here, or its
    address was opened elsewhere. One redirect with a cookie tells which.
    """
    if request.cookies or error.code not in {"expired_interaction", "no_cookies"}:
        return None
    if TRIED in request.args:
        error.code = "cookies_blocked"
        return None
    session[TRIED] = True
    path, _query, query = current_page().partition("?")
    again = f"{path}?{query}&{TRIED}=1" if query else f"{path}?{TRIED}=1"
    return redirect(again, 303)  # type: ignore[return-value]


def _page(error: PageError) -> Response:
    return make_response(
        render_template(
            "errors/page.html",
            code=OAUTH_CODES.get(error.code, error.code),
            explanation=explanation(error.code),
            correlation_id=correlation.current().id,
            start=start_of(error.client_id) if error.client_id else None,
            reason=error.reason,
            way_back=error.way_back,
        )
    )


def _json(error: PageError) -> Response:
    """RFC 6749 §5.2: a code that clients know, and words for the developer in ASCII."""
    code = "invalid_request"
    if error.status >= 500 or error.status == 429:
        code = "server_error" if error.status == 500 else "temporarily_unavailable"
    words = f"{error.code.replace('_', ' ')}; correlation id {correlation.current().id}"
    return jsonify(error=code, error_description=words)


def _not_found(_error: NotFound) -> Response:
    return answer(PageError("not_found", 404))


def throttled(error: Throttled) -> Response:
    """The answer to who has to wait first."""
    return answer(PageError("throttled", 429, retry_after=error.retry_after))


def _busy(error: Busy | Crowded) -> Response:
    return answer(PageError("busy", 503, retry_after=error.retry_after))


def _database_away(error: Exception) -> Response:
    # The message may quote addresses and names; its type is enough (security rule L1).
    log.error("database away: %s", type(getattr(error, "orig", None) or error).__name__)
    for read in ("branding", "interaction"):  # nothing of it can be asked any more
        g.pop(read, None)
    db.session.remove()
    return answer(PageError("database_away", 503, retry_after=TRY_AGAIN_IN))


def _database_refuses(error: InternalError) -> Response:
    """A standby and a database in maintenance can be read: for us they are away (rule R2)."""
    if not refuses_writes(error):
        raise error
    return _database_away(error)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code = CODES.get(status, "bad_request" if status < 500 else "server_error")
    retry_after = TRY_AGAIN_IN if status in {429, 503} else None
    response = answer(PageError(code, status, retry_after=retry_after))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)


def is_id(text: str) -> bool:
    """Whether this could be an id of ours."""
    return _ID.fullmatch(text) is not None


def known_id(text: str) -> str:
    """An id as we make them; anything else is not found."""
    if not is_id(text):
        raise PageError("not_found", 404)
    return text
