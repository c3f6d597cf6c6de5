"""Request bodies: read before anything else, by so many threads at once and no more.

The server gives a thread to whoever begins a form and never ends it. Here such clients can
hold some of the threads, but not those that answer all others (security rule R7).

A form is at most ``LONGEST`` bytes long. A view that takes files says so (``accepts_uploads``);
its larger bodies are read only once the view's own guard has let their sender in.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from queue import Empty, SimpleQueue
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore, Thread
from typing import IO, Any, Final, TypeVar

from flask import current_app, request
from flask.typing import ResponseReturnValue

from idp import turns
from idp.database import release_connection
from idp.web.errors import TRY_AGAIN_IN, PageError

READERS: Final = 40
"""Threads of a worker that may wait for bodies at once; ``idp serve`` has more than that."""
LONGEST: Final = 64 * 1024  # bytes; Flask answers 413 to a longer one without reading it
RETRY_AFTER: Final = "5"

UPLOADS_AT_ONCE: Final = 4
"""Files that a worker receives at once; each may take ``seconds_for`` its length."""
IN_MEMORY: Final = 1024 * 1024  # bytes; more of a file goes to the disk
_PIECE: Final = 64 * 1024

UPLOADS = "longest_upload"
"""The attribute by which a view tells how many bytes it accepts."""
GUARD = "guard"
"""The attribute with which a guarded view lets somebody in, or answers in its place."""

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])
_uploads = BoundedSemaphore(UPLOADS_AT_ONCE)


def accepts_uploads(longest: int) -> Callable[[View], View]:
    """Let this view's forms be ``longest`` bytes long, files and all.

    Stands below a decorator that guards the view (``staff_only``): without a guard the view
    gets no more than others. Text fields stay within ``MAX_FORM_MEMORY_SIZE`` together.
    """

    def mark(view: View) -> View:
        setattr(view, UPLOADS, longest)
        return view

    return mark


def receive_upload() -> ResponseReturnValue | None:
    """Before the form is looked at: take in a file for a view that accepts it.

    Raises ``PageError`` (503, 408) where too many come at once, or this one too slowly. A body
    that is too long, or of a length that it does not tell, stays where it is: Flask answers 413.
    """
    view = current_app.view_functions.get(request.endpoint or "")
    longest, guard = getattr(view, UPLOADS, 0), getattr(view, GUARD, None)
    length = _length(request.environ)
    if guard is None or not LONGEST < length <= longest:
        return None
    answer: ResponseReturnValue | None = guard()
    if answer is not None:
        return answer
    release_connection()
    with turns.given_up():
        request.environ["wsgi.input"] = _received(request.environ["wsgi.input"], length)
    request.max_content_length = longest
    return None


def seconds_for(length: int) -> float:
    """How long a body of so many bytes may take: what a school's slow line needs."""
    return 30 + length / (64 * 1024)


def _received(stream: IO[bytes], length: int) -> IO[bytes]:
    """The whole body, in a file of its own that nobody else can open."""
    if not _uploads.acquire(blocking=False):
        raise PageError("busy", 503, retry_after=TRY_AGAIN_IN)
    done: SimpleQueue[IO[bytes] | None] = SimpleQueue()
    # The server's read can't be given a time, so another thread waits in it. The place is free
    # again when that thread is: at the latest when the answer has closed the connection.
    Thread(target=_spool, args=(stream, length, done), daemon=True).start()
    try:
        spooled = done.get(timeout=seconds_for(length))
    except Empty:
        raise PageError("too_slow", 408) from None
    if spooled is None:
        raise PageError("bad_request")  # the sender went away
    return spooled


def _spool(stream: IO[bytes], length: int, done: "SimpleQueue[IO[bytes] | None]") -> None:
    spooled: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    try:
        while length > 0 and (piece := stream.read(min(length, _PIECE))):
            spooled.write(piece)
            length -= len(piece)
        spooled.seek(0)
    except OSError:
        length = -1
    finally:
        _uploads.release()
        done.put(None if length else spooled)


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
