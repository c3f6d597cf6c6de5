"""So many requests run at once in a worker; the others wait without cost.

Threads that all want the interpreter slow each other down: at 32 requests at once each one cost
a third more processor time than at 8. Whoever waits for bcrypt releases its place meanwhile,
so that a storm of sign-ins leaves room for all others (security rule E5). Whoever waits too long
is told to come back: where nothing goes on any more, threads are not collected.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final

AT_ONCE: Final = 6
"""Requests of a worker that run at once: some compute while others wait for the database."""

PATIENCE: Final = 8.0
"""Seconds that a request waits for its place: a busy minute passes, a database that does not answer
does not.
"""
TRY_AGAIN_IN: Final = 5  # seconds
REFUSALS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    # Fixed words, to a request of which nothing was read: a browser's application may learn them
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "Retry-After"),
)
"""Headers of what is refused before anybody looked at the request."""


class Crowded(Exception):
    """A request that had let others run got no place again; ``retry_after`` in seconds."""

    def __init__(self, retry_after: int = TRY_AGAIN_IN) -> None:
        super().__init__(f"no place again; try again in {retry_after} s")
        self.retry_after = retry_after


class _Line:
    """The places of a worker, and who waits for one: whoever came first is next.

    Neither a semaphore nor a queue of tokens keeps an order: whoever comes just as a place is left
    takes it from those who wait, and of 32 requests at once the slowest then waits twice as long.
    """

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Lock] = deque()
        self._lock = Lock()

    def take(self, patience: float) -> bool:
        """Wait for a place for so many seconds; false where there was none."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            called = Lock()
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=patience):
            return True
        with self._lock:
            if called in self._waiting:
                self._waiting.remove(called)
                return False
        return True  # called at the very last instant

    def leave(self) -> None:
        """Give a place to who waits longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1


class _Place:
    """A request's place among those that run at once."""

    def __init__(self, line: _Line, patience: float) -> None:
        self._line, self._patience = line, patience
        self._held = False

    def take(self) -> bool:
        """Wait for it, as long as a request waits."""
        self._held = self._line.take(self._patience)
        return self._held

    def leave(self) -> None:
        """Let another request have it, where this one has it."""
        if self._held:
            self._held = False
            self._line.leave()


_held: ContextVar[_Place | None] = ContextVar("concurrency_limit", default=None)


class ConcurrencyLimit:
    """WSGI middleware: runs the application in as many threads at once as are allowed."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        at_once: int = AT_ONCE,
        patience: float = PATIENCE,
    ) -> None:
        self.application = application
        self._patience = patience
        self._line = _Line(at_once)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        place = _Place(self._line, self._patience)
        if not place.take():
            return _come_back(start_response)
        token = _held.set(place)
        try:
            return self.application(environ, start_response)
        finally:
            _held.reset(token)
            place.leave()


def _come_back(start_response: Callable[..., Any]) -> Iterable[bytes]:
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Retry-After", str(TRY_AGAIN_IN)),
        *REFUSALS,
    ]
    start_response("503 Service Unavailable", headers)
    return [b"Too many requests wait. Try again in a moment.\n"]


@contextmanager
def released() -> Iterator[None]:
    """Let others run while this request waits for something that needs no processor.

    Raises ``Crowded`` where it waits too long for its place afterwards.
    """
    place = _held.get()
    if place is None:
        yield
        return
    token = _held.set(None)  # inside it is released already
    place.leave()
    try:
        yield
    finally:
        _held.reset(token)
        if not place.take():
            raise Crowded
