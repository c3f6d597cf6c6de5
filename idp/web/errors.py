"""Error answers: a page that a parent can read, or JSON where a program asked.

Every answer carries the request's correlation id, which stands in the log and the audit
trail too, and says what to do next.
"""

import logging

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from idp import correlation
from idp.credentials.bcrypt_gate import Busy
from idp.database import db, refuses_writes
from idp.web.explanations import OAUTH_CODES, explanation

log = logging.getLogger(__name__)

TRY_AGAIN_IN = 5
"""Seconds in ``Retry-After`` where nothing better is known."""

MACHINE_PATHS = (
    "/oauth2/token",
    "/oauth2/userinfo",
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/oauth2/jwks",
    "/.well-known/",
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


class PageError(Exception):
    """Something that ends a walk through our pages.

    ``code``: one of ``idp.web.explanations``, or an OAuth error code, which is shown
    untranslated. ``retry_after``: seconds.
    """

    def __init__(self, code: str, status: int = 400, *, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.retry_after = retry_after


def init_app(app: Flask) -> None:
    """Answer every error in our own words."""
    app.register_error_handler(PageError, answer)
    app.register_error_handler(CSRFError, _form_not_accepted)
    app.register_error_handler(Busy, _busy)
    for lost in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(lost, _database_away)
    app.register_error_handler(InternalError, _database_refuses)
    app.register_error_handler(HTTPException, _http_error)


def answer(error: PageError) -> Response:
    """The answer to ``error``: JSON on a program's endpoint, a page elsewhere."""
    error = _without_cookies(error)
    log.info("answered %s %s", error.status, error.code)
    response = _json(error) if request.path.startswith(MACHINE_PATHS) else _page(error)
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def form_error() -> PageError:
    """Why a form's token was not accepted: no cookies at all, or a page left open too long."""
    return PageError("cookies_blocked" if not request.cookies else "expired_form")


def _without_cookies(error: PageError) -> PageError:
    # A browser that sends no cookie can't own an interaction: say so, rather than « expired ».
    if error.code == "expired_interaction" and not request.cookies:
        return PageError("cookies_blocked", error.status)
    return error


def _page(error: PageError) -> Response:
    return make_response(
        render_template(
            "errors/page.html",
            code=OAUTH_CODES.get(error.code, error.code),
            explanation=explanation(error.code),
            correlation_id=correlation.current().id,
        )
    )


def _json(error: PageError) -> Response:
    """RFC 6749 §5.2: a code that clients know, and words for the developer in ASCII."""
    code = "invalid_request"
    if error.status >= 500 or error.status == 429:
        code = "server_error" if error.status == 500 else "temporarily_unavailable"
    words = f"{error.code.replace('_', ' ')}; correlation id {correlation.current().id}"
    return jsonify(error=code, error_description=words)


def _form_not_accepted(_error: CSRFError) -> Response:
    return answer(form_error())


def _busy(error: Busy) -> Response:
    return answer(PageError("busy", 503, retry_after=error.retry_after))


def _database_away(error: Exception) -> Response:
    # The message may quote addresses and names; its type is enough (security rule L1).
    log.error("database away: %s", type(getattr(error, "orig", None) or error).__name__)
    g.pop("branding", None)
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
