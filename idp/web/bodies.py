"""Uploads: larger bodies, for views that take files (security rule R7).

A form is at most ``LONGEST`` bytes long, and read beforehand (``idp.web.slow_clients``). A view
that takes files says so (``accepts_uploads``); its larger bodies are read only once the view's own
guard has let their sender in.
"""

from collections.abc import Callable
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Final, TypeVar

from flask import current_app, request
from flask.typing import ResponseReturnValue

from idp import concurrency_limit
from idp.database import release_connection
from idp.web.errors import TRY_AGAIN_IN, PageError
from idp.web.readers import Places, TooMany, TooSlow, in_time
from idp.web.slow_clients import LONGEST, length_of

UPLOADS_AT_ONCE: Final = 4
"""Files that a worker receives at once; each may take ``seconds_for`` its length."""
IN_MEMORY: Final = 1024 * 1024  # bytes; more of a file goes to the disk
_PIECE: Final = 64 * 1024
BESIDE_A_FILE: Final = 3 * _PIECE
"""Bytes of one text field. Werkzeug counts by it what its parser holds as well: a piece, and the
end of the one before, in which a boundary may have begun."""

UPLOADS = "longest_upload"
"""The attribute by which a view tells how many bytes it accepts."""
GUARD = "guard"
"""The attribute with which a guarded view lets somebody in, or answers in its place."""

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])
_uploads = Places(UPLOADS_AT_ONCE)


def accepts_uploads(longest: int) -> Callable[[View], View]:
    """Let this view's forms be ``longest`` bytes long, files and all.

    Stands below a decorator that guards the view (``staff_only``): without a guard the view
    gets no more than others. Each text field beside a file stays within ``BESIDE_A_FILE``.
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
    length = length_of(request.environ) or 0
    if guard is None or not LONGEST < length <= longest:
        return None
    answer: ResponseReturnValue | None = guard()
    if answer is not None:
        return answer
    release_connection()
    stream = request.environ["wsgi.input"]
    # Whoever answers in place of the view finds an empty body, not one that somebody waits for
    request.environ["wsgi.input"], request.environ["CONTENT_LENGTH"] = BytesIO(), "0"
    with concurrency_limit.released():
        request.environ["wsgi.input"] = _received(stream, length)
    request.environ["CONTENT_LENGTH"] = str(length)
    request.max_content_length = longest
    request.max_form_memory_size = BESIDE_A_FILE
    return None


def seconds_for(length: int) -> float:
    """How long a body of so many bytes may take: what a school's slow line needs."""
    return 30 + length / (64 * 1024)


def _received(stream: IO[bytes], length: int) -> IO[bytes]:
    """The whole body, in a file of its own that nobody else can open."""
    try:
        place = _uploads.take()
        spooled = in_time(lambda: _spooled(stream, length), seconds_for(length), place)
    except TooMany:
        raise PageError("busy", 503, retry_after=TRY_AGAIN_IN) from None
    except TooSlow:
        raise PageError("too_slow", 408) from None
    if spooled is None:
        raise PageError("bad_request")  # the sender went away
    return spooled


def _spooled(stream: IO[bytes], length: int) -> IO[bytes] | None:
    spooled: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
    while length > 0 and (piece := stream.read(min(length, _PIECE))):
        spooled.write(piece)
        length -= len(piece)
    spooled.seek(0)
    return None if length else spooled
