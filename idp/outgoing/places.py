"""How many requests of a worker may wait for somebody else's server at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Final

from idp import concurrency_limit
from idp.database import in_transaction, release_connection
from idp.outgoing.trouble import Busy

AT_ONCE: Final = 8
"""Requests of a worker that may wait for one server: a slow one must not hold all threads."""


class Places:
    """The places of those who wait for one server."""

    def __init__(self, number: int = AT_ONCE) -> None:
        self._places = BoundedSemaphore(number)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Talk to the server without a database connection, and let others run meanwhile.

        Raises ``Busy`` at once where too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise Busy("busy")
        try:
            release_connection()
            with concurrency_limit.released():
                yield
        finally:
            self._places.release()


class PlacesByHost:
    """The places of those who wait for servers that clients name: so many for all of them, and
    fewer for each, so that one slow client leaves places to the others.
    """

    def __init__(self, number: int = AT_ONCE, of_one_host: int = 3) -> None:
        self._all = Places(number)
        self._of_one_host = of_one_host
        self._waiting: Counter[str] = Counter()
        self._lock = Lock()

    @contextmanager
    def apart(self, host: str) -> Iterator[None]:
        """As ``Places.apart``, for a server of this host; never while a transaction is open, whose
        locks others would wait for.
        """
        if in_transaction():
            raise Busy("in a transaction")
        with self._lock:
            if self._waiting[host] >= self._of_one_host:
                raise Busy("busy")
            self._waiting[host] += 1
        try:
            with self._all.apart():
                yield
        finally:
            with self._lock:
                self._waiting[host] -= 1
                if not self._waiting[host]:
                    del self._waiting[host]


@contextmanager
def turn(lock: Lock, seconds: float) -> Iterator[None]:
    """What one does at a time, where the others wait for its result, apart as ever.

    Raises ``Busy`` after ``seconds``.
    """
    if not lock.acquire(blocking=False):
        release_connection()
        with concurrency_limit.released():
            if not lock.acquire(timeout=seconds):
                raise Busy("busy")
    try:
        yield
    finally:
        lock.release()
