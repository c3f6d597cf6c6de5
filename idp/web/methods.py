"""HEAD, where GET does something.

Flask answers HEAD by running the view and dropping its body. That is right for pages, which
only show (RFC 9110 §9.2.1, security rule P7), and wrong where GET makes a code, ends a session
or uses an answer up: whoever asks by HEAD could not even read what was made.
"""

from typing import Final

from flask import Flask, request
from werkzeug.exceptions import MethodNotAllowed

GET_ACTS: Final = frozenset(
    {"oauth2.authorize", "oauth2.logout", "protocol.resume", "federation.callback"}
)
"""The endpoints whose GET the protocols give an effect."""


def init_app(app: Flask) -> None:
    """Refuse HEAD there, before anything is read or made."""
    app.before_request(_refuse_head)


def _refuse_head() -> None:
    if request.method == "HEAD" and request.endpoint in GET_ACTS and request.url_rule:
        raise MethodNotAllowed(sorted((request.url_rule.methods or set()) - {"HEAD"}))
