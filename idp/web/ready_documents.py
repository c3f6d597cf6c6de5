"""Public documents as they last left us: discovery, key set and descriptions.

They change with the keys, and are the same for everybody. A worker keeps each for a second at the
most (``algorithms.SHOWN_WITHIN``), and no longer than the list of keys stays as it was.

A database that was restored is noticed by the next document that is made, within that second: what
stands in these is the settings' and the key files', and proves nothing about anybody (rule R9).

The key set changes with registrations at other workers, too: whoever registers another algorithm
is answered once all workers show its key (``algorithms.show_before_telling``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from flask import Flask, Response

from idp import correlation
from idp.clients import algorithms
from idp.oidc.keyring import keyring_of
from idp.oidc.keys import KeyTrouble

REQUEST_ID: Final = "X-Request-Id"
_OF_THE_BODY: Final = frozenset({"content-type", "content-length"})

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class _Ready:
    until: float
    made_for: object
    headers: Headers
    body: bytes
    etag: str


class ReadyDocuments:
    """The documents of one process: one for each path that the short way knows."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._kept: dict[str, _Ready] = {}

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> list[bytes] | None:
        """Answer a GET as the last one was answered; None where the view has to."""
        ready = self._kept.get(environ["PATH_INFO"])
        if ready is None or environ["REQUEST_METHOD"] != "GET":
            return None
        if monotonic() >= ready.until or ready.made_for != self.stamp():
            return None
        headers = [*ready.headers, (REQUEST_ID, correlation.current().id)]
        condition = environ.get("HTTP_IF_NONE_MATCH")
        if condition is None:
            start_response("200 OK", headers)
            return [ready.body]
        if condition != ready.etag:
            return None
        start_response("304 NOT MODIFIED", _without_body(headers))
        return []

    def keep(
        self, environ: dict[str, Any], response: Response, made_for: object, began: float
    ) -> None:
        """Keep an answer to GET that has nothing of its request in it. ``made_for`` and ``began``:
        stamp and time from before it was made, for what changes meanwhile may not be in it.
        """
        etag = response.headers.get("ETag")
        if environ["REQUEST_METHOD"] != "GET" or response.status_code != 200 or etag is None:
            return
        body = response.get_data()
        headers = [each for each in response.headers if each[0] != REQUEST_ID]
        if not any(name.lower() == "content-length" for name, _ in headers):
            headers.append(("Content-Length", str(len(body))))
        self._kept[environ["PATH_INFO"]] = _Ready(
            began + algorithms.SHOWN_WITHIN, made_for, headers, body, etag
        )

    def stamp(self) -> object:
        """What moves with all that the documents are made of."""
        try:
            return keyring_of(self._app).stamp(), algorithms.changes()
        except KeyTrouble:
            return object()  # unlike any other


def _without_body(headers: Headers) -> Headers:
    return [each for each in headers if each[0].lower() not in _OF_THE_BODY]
