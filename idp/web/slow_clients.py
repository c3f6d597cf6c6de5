"""Clients that send or fetch slowly: they hold no thread that others need (security rule R7).

The server gives a thread to each request as soon as its headers are there. Whatever makes that
thread wait for its client – a body with a length or without one, after ``Expect: 100-continue``,
a byte a second – has one bound in bytes, one in number and one in time, with a proxy in front or
without.
"""

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from ipaddress import IPv4Network, IPv6Network
from itertools import chain
from typing import Any, Final

from idp.concurrency_limit import REFUSALS
from idp.credentials.throttling import address_prefix
from idp.settings.networks import is_within
from idp.web.readers import Places, TooMany, TooSlow, in_time

READERS: Final = 40
"""Bodies that a worker waits for at once; ``idp serve`` has more threads than that."""
SHARE: Final = 24
"""How many of these may come from one address, so that nobody holds every place."""
PATIENCE: Final = 0.3
"""Seconds that a body waits for a place: a storm of quick ones passes, slow ones do not."""
SECONDS: Final = 10.0
"""How long a form may take from its first byte to its last."""
LONGEST: Final = 64 * 1024  # bytes; Flask answers 413 to one that says it is longer
WHOLE: Final = 4 * 1024 * 1024
"""Bytes of an answer that is handed over at once, so that nobody waits until it is fetched."""

Application = Callable[..., Iterable[bytes]]
Networks = tuple[IPv4Network | IPv6Network, ...]


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

    def __init__(
        self,
        application: Application,
        proxies: Networks = (),
        readers: int = READERS,
        seconds: float = SECONDS,
    ) -> None:
        self.application = application
        self._proxies = proxies
        self._seconds = seconds
        self._places = Places(readers, min(SHARE, readers))

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        length = length_of(environ)
        if length is not None and not 0 < length <= LONGEST:
            return self.application(environ, start_response)
        try:
            body = self._read(environ["wsgi.input"], length, self._sender(environ))
        except Refusal as refusal:
            return _refuse(refusal, start_response)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = BytesIO(body)
        return self.application(environ, start_response)

    def _sender(self, environ: dict[str, Any]) -> str | None:
        """Who holds the place; None for a proxy of ours, which sends for everybody."""
        address = environ.get("REMOTE_ADDR", "")
        return None if is_within(address, self._proxies) else address_prefix(address)

    def _read(self, stream: Any, length: int | None, sender: str | None) -> bytes:
        size = LONGEST + 1 if length is None else length
        try:
            place = self._places.take(sender, PATIENCE)
            body: bytes | None = in_time(lambda: stream.read(size), self._seconds, place)
        except TooMany:
            words = "Too many requests are being read. Try again in a moment."
            raise Refusal(BUSY, words) from None
        except TooSlow:
            raise Refusal("408 Request Timeout", "The request took too long.") from None
        if body is None or (length is not None and len(body) < length):
            raise Refusal("400 Bad Request", "The request ended before its body did.")
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
        *REFUSALS,
    ]
    start_response(refusal.status, headers)
    return [f"{refusal.words}\n".encode()]


def length_of(environ: dict[str, Any]) -> int | None:
    """How long the body is; None where it does not tell (RFC 9112 §6.3)."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return None
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else LONGEST + 1
