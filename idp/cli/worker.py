"""What a worker process of ``idp serve`` begins with."""

import os
import signal
from typing import Any, Final

from idp import create_app, readiness, spans
from idp.cli import generations, heard, metrics

MAIN: Final = "SCHOOL_IDP_MAIN"
"""The variable in which ``idp serve`` tells its workers which process it is."""


def create() -> Any:
    """The application, in a process that ends when ``idp serve`` does."""
    heard.in_workers()
    generations.end_with_parent(int(os.environ.get(MAIN) or os.getppid()), signal.SIGTERM)
    app = create_app()
    with app.app_context():
        readiness.read_beginnings()
    metrics.begin_worker(app)
    if spans.is_wanted(os.environ):
        app.wsgi_app = spans.Spans(app.wsgi_app, spans.provider())  # type: ignore[method-assign]
    generations.say_ready()
    return app
