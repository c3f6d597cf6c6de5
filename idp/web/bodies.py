"""Request bodies: read before anything else, by so many threads at once and no more.

The server gives a thread to whoever begins a form and never ends it. Here such clients can
hold some of the threads, but not those that answer all others (security rule R7).
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from threading import BoundedSemaphore
from typing import Any, Final

READERS: Final = 40
"""Threads of a worker that may wait for bodies at once; ``idp serve`` has more than that."""
LONGEST: Final = 64 * 1024  # bytes; Flask answers 413 to a longer one without reading it
RETRY_AFTER: Final = "5"


class BoundedBodies:
    """WSGI middleware: hands the application a body that is already here."""

    def __init__(self, application: Callable[..., Iterable[bytes]], readers: int = READERS) -> None:
        self.application = application
        self._places = BoundedSemaphore(readers)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = _length(environ)
        if not 0 < length <= LONGEST:
            return self.application(environ, start_response)
        if not self._places.acquire(blocking=False):
            start_response(
                "503 Service Unavailable",
                [("Retry-After", RETRY_AFTER), ("Content-Type", "text/plain; charset=utf-8")],
            )
            return [b"Too many requests are being read. Try again in a moment.\n"]
        try:
            environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
        finally:
            self._places.release()
        return self.application(environ, start_response)


def _length(environ: dict[str, Any]) -> int:
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
