"""A test client whose requests share nothing with the test but the database.

Flask takes over an application context that is already pushed: with the one that a test holds
for its factories, every request would share ``g`` and the database session, and a browser
without cookies would be signed in because another one was.
"""

from contextvars import Context
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class ApartClient(FlaskClient):
    """Each request runs with contexts of its own, as under a real server.

    A form that is answered with a page is answered by a redirect to it (security rule N5), which is
    followed as browsers do: what comes back is the page. ``open_once`` gives the redirect itself.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        answer = self.open_once(*args, **kwargs)
        location = urlsplit(answer.headers.get("Location", ""))
        if answer.status_code != 303 or "kept" not in parse_qs(location.query) or location.scheme:
            return answer
        same = {name: kwargs[name] for name in ("headers", "base_url") if name in kwargs}
        return self.open_once(f"{location.path}?{location.query}", method="GET", **same)

    def open_once(self, *args: Any, **kwargs: Any) -> TestResponse:
        """The answer to this request, with no redirect followed."""
        return Context().run(super().open, *args, **kwargs)
