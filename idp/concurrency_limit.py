"""So many requests run at once in a worker; the others wait without cost.

Threads that all want the interpreter slow each other down: at 32 requests at once each one cost
a third more processor time than at 8. Whoever waits for bcrypt releases its place meanwhile,
so that a storm of sign-ins leaves room for all others (security rule E5). Whoever waits too long
is told to come back: where nothing goes on any more, threads are not collected.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from queue import Empty, SimpleQueue
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


class _Place:
    """A request's place among those that run at once."""

    def __init__(self, free: "SimpleQueue[None]", patience: float) -> None:
        self._free, self._patience = free, patience
        self._held = False

    def take(self) -> bool:
        """Wait for it, as long as a request waits."""
        try:
            self._free.get(timeout=self._patience)
        except Empty:
            return False
        self._held = True
        return True

    def leave(self) -> None:
        """Let another request have it, where this one has it."""
        if self._held:
            self._held = False
            self._free.put(None)


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
        # A queue of tokens rather than a semaphore, which Python itself would have to step through.
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_once):
            self._free.put(None)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        place = _Place(self._free, self._patience)
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
