"""Turns: so many requests run at once in a worker, the others wait without cost.

Threads that all want the interpreter slow each other down: at 32 requests at once each one cost
a third more processor time than at 8. Whoever waits for bcrypt gives up the turn meanwhile,
so that a storm of sign-ins leaves room for all others (security rule E5).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Final

AT_ONCE: Final = 6
"""Requests of a worker that run at once: some compute while others wait for the database."""

_turn: ContextVar["SimpleQueue[None] | None"] = ContextVar("turn", default=None)


class Turns:
    """WSGI middleware: runs the application when it is this request's turn."""

    def __init__(self, application: Callable[..., Iterable[bytes]], at_once: int = AT_ONCE) -> None:
        self.application = application
        # A queue of turns rather than a semaphore, which Python itself would have to step through.
        self._turns: SimpleQueue[None] = SimpleQueue()
        for _ in range(at_once):
            self._turns.put(None)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self._turns.get()
        token = _turn.set(self._turns)
        try:
            return self.application(environ, start_response)
        finally:
            _turn.reset(token)
            self._turns.put(None)


@contextmanager
def given_up() -> Iterator[None]:
    """Let others run while this request waits for something that needs no turn."""
    turns = _turn.get()
    if turns is None:
        yield
        return
    turns.put(None)
    try:
        yield
    finally:
        turns.get()
