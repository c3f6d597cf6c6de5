"""Clients that send or fetch slowly: they hold no thread that others need (security rule R7).

The server gives a thread to each request as soon as its headers are there. Whatever makes that
thread wait for its client – a body with a length or without one, after ``Expect: 100-continue``,
a byte a second – has one bound in bytes and one in number. The proxy in front has the deadline.
"""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from itertools import chain
from threading import BoundedSemaphore
from typing import Any, Final

READERS: Final = 40
"""Bodies that a worker waits for at once; ``idp serve`` has more threads than that."""
LONGEST: Final = 64 * 1024  # bytes; Flask answers 413 to one that says it is longer
WHOLE: Final = 4 * 1024 * 1024
"""Bytes of an answer that is handed over at once, so that nobody waits until it is fetched."""

Application = Callable[..., Iterable[bytes]]


class Refusal(Exception):
    """Why a body is not read."""

    def __init__(self, status: str, words: str) -> None:
        super().__init__(status)
        self.status = status
        self.words = words


BUSY: Final = "503 Service Unavailable"


class BoundedBodies:
    """WSGI middleware: hands the application a body that is already here.

    One that says it is longer than ``LONGEST`` stays unread: it is refused, or an upload that a
    guarded view accepts (``idp.web.bodies``).
    """

    def __init__(self, application: Application, readers: int = READERS) -> None:
        self.application = application
        self._places = BoundedSemaphore(readers)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = length_of(environ)
        if length is not None and not 0 < length <= LONGEST:
            return self.application(environ, start_response)
        try:
            body = self._read(environ["wsgi.input"], length)
        except Refusal as refusal:
            return _refuse(refusal, start_response)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = BytesIO(body)
        return self.application(environ, start_response)

    def _read(self, stream: Any, length: int | None) -> bytes:
        if not self._places.acquire(blocking=False):
            raise Refusal(BUSY, "Too many requests are being read. Try again in a moment.")
        try:
            body: bytes = stream.read(LONGEST + 1 if length is None else length)
        finally:
            self._places.release()
        if len(body) > LONGEST:
            raise Refusal("413 Content Too Large", "The request is too long.")
        return body


class WholeAnswers:
    """WSGI middleware: gives the server an answer in one piece, unless it is very long.

    The server sends a list by itself; from anything else it fetches piece by piece, in this
    thread, as fast as the client reads.
    """

    def __init__(self, application: Application, longest: int = WHOLE) -> None:
        self.application = application
        self._longest = longest

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        answer = self.application(environ, start_response)
        pieces: list[bytes] = []
        size = 0
        rest = iter(answer)
        for piece in rest:
            pieces.append(piece)
            size += len(piece)
            if size > self._longest:
                return _Long(chain(pieces, rest), answer)
        _close(answer)
        return pieces


class _Long:
    def __init__(self, pieces: Iterator[bytes], answer: Iterable[bytes]) -> None:
        self._pieces, self._answer = pieces, answer

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        _close(self._answer)


def _close(answer: Iterable[bytes]) -> None:
    if (close := getattr(answer, "close", None)) is not None:
        close()


def _refuse(refusal: Refusal, start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Connection", "close"),  # what is left of the body is not waited for
        *([("Retry-After", "5")] if refusal.status == BUSY else []),
    ]
    start_response(refusal.status, headers)
    return [f"{refusal.words}\n".encode()]


def length_of(environ: dict[str, Any]) -> int | None:
    """How long the body is; None where it does not tell (RFC 9112 §6.3)."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else LONGEST + 1
