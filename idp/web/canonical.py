"""One address for each page: no answer of ours is made from the ``Host`` header (rule O23).

Werkzeug's own redirects – to the slash at the end, past doubled slashes – name the host that the
request named, whoever wrote it there, and keep the body of a POST (rule S7).
"""

from urllib.parse import urlsplit

from flask import Flask, redirect, request
from werkzeug.exceptions import NotFound
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response


def init_app(app: Flask) -> None:
    """Answer before werkzeug does."""
    app.before_request(to_the_right_address)


def to_the_right_address() -> Response | None:
    """By a path alone, for who reads a page; 404 for everything else."""
    wrong = request.routing_exception
    if not isinstance(wrong, RequestRedirect):
        return None
    right = urlsplit(wrong.new_url)
    if request.method not in {"GET", "HEAD"} or right.path.startswith("//"):
        raise NotFound
    return redirect(f"{right.path}?{right.query}" if right.query else right.path, 303)
