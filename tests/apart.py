"""A test client whose requests share nothing with the test but the database.

Flask takes over an application context that is already pushed: with the one that a test holds
for its factories, every request would share ``g`` and the database session, and a browser
without cookies would be signed in because another one was.
"""

from contextvars import Context
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class ApartClient(FlaskClient):
    """Each request runs with contexts of its own, as under a real server."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return Context().run(super().open, *args, **kwargs)
