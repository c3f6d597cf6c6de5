"""What is looked at before a request comes to its view: the database's past, HEAD, the address."""

from typing import Final
from urllib.parse import urlsplit

from flask import Flask, redirect, request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from idp.audit import continuity
from idp.web.errors import PageError

OPEN: Final = frozenset(
    {"static", "branding.stylesheet", "branding.logo", "health.live", "health.ready"}
)
"""The endpoints that prove nothing about anybody."""
TRY_AGAIN_IN: Final = 60  # seconds

GET_ACTS: Final = frozenset(
    {"oauth2.authorize", "oauth2.logout", "protocol.resume", "federation.callback"}
)
"""The endpoints whose GET the protocols give an effect."""


def init_app(app: Flask) -> None:
    """Look before anything is read or made."""
    app.before_request(restored_database_guard)
    app.before_request(head_guard)
    app.before_request(to_the_right_address)


def restored_database_guard() -> None:
    """Serve nothing from a database that was restored, until somebody was told (rules R9, R13)."""
    if request.endpoint not in OPEN and not continuity.goes_on():
        raise PageError("database_away", 503, retry_after=TRY_AGAIN_IN)


def head_guard() -> None:
    """Refuse HEAD where GET makes a code, ends a session or uses an answer up.

    Flask answers HEAD by running the view and dropping its body. That is right for pages, which
    only show (RFC 9110 §9.2.1, security rule P7); here whoever asks by HEAD could not even read
    what was made.
    """
    if request.method == "HEAD" and request.endpoint in GET_ACTS and request.url_rule:
        raise MethodNotAllowed(sorted((request.url_rule.methods or set()) - {"HEAD"}))


def to_the_right_address() -> Response | None:
    """By a path alone, for who reads a page; 404 for everything else (security rule O23).

    Werkzeug's own redirects – to the slash at the end, past doubled slashes – name the host that
    the request named, whoever wrote it there, and keep the body of a POST (rule S7).
    """
    wrong = request.routing_exception
    if not isinstance(wrong, RequestRedirect):
        return None
    right = urlsplit(wrong.new_url)
    if request.method not in {"GET", "HEAD"} or right.path.startswith("//"):
        raise NotFound
    return redirect(f"{right.path}?{right.query}" if right.query else right.path, 303)
