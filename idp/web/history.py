"""Nothing is served from a database that was restored from a backup, until somebody was told."""

from flask import Flask, request

from idp.audit import continuity
from idp.web.errors import PageError

OPEN = frozenset({"static", "branding.stylesheet", "branding.logo", "health.live", "health.ready"})
"""What proves nothing about anybody."""
TRY_AGAIN_IN = 60


def init_app(app: Flask) -> None:
    """Look at the history of the database before a request is answered (rules R9 and R13)."""
    app.before_request(_refuse_a_past)


def _refuse_a_past() -> None:
    if request.endpoint not in OPEN and not continuity.goes_on():
        raise PageError("database_away", 503, retry_after=TRY_AGAIN_IN)
