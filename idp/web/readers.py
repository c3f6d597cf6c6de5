"""Reads that wait for a client, in threads of their own, so that they can be given a time."""

import os
from collections import Counter
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread
from typing import Final, TypeVar

Read = TypeVar("Read")


class TooMany(Exception):
    """So many bodies are being waited for already."""


class TooSlow(Exception):
    """The body was not there in time."""


class Places:
    """How many bodies are waited for at once: ``most`` in all, ``each`` of one sender."""

    def __init__(self, most: int, each: int | None = None) -> None:
        self._most = most
        self._each = most if each is None else each
        self._held: Counter[str | None] = Counter()
        self._changed = Condition()

    def take(self, sender: str | None = None, patience: float = 0) -> Callable[[], None]:
        """Take a place, within ``patience`` seconds; returns what gives it back.

        ``sender``: who has no more than a share; None for whoever has none. Raises ``TooMany``.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(sender), patience):
                raise TooMany
            self._held[sender] += 1
        return lambda: self._give_back(sender)

    def _is_free(self, sender: str | None) -> bool:
        share = self._most if sender is None else self._each
        return self._held[sender] < share and self._held.total() < self._most

    def _give_back(self, sender: str | None) -> None:
        with self._changed:
            self._held[sender] -= 1
            if not self._held[sender]:
                del self._held[sender]
            self._changed.notify_all()


def in_time(read: Callable[[], Read], seconds: float, give_back: Callable[[], None]) -> Read | None:
    """What ``read`` returns, from another thread; None where the sender went away.

    The server's read can't be given a time. After ``TooSlow`` nobody may touch its stream: a
    second reader would wait for the first, however long the client sends. Answering closes the
    connection; that ends the first one's read, and gives its place back (``Places.take``).
    """
    done: SimpleQueue[Read | None] = SimpleQueue()

    def wait() -> None:
        got = None
        try:
            got = read()
        except OSError:
            pass
        finally:
            give_back()
            done.put(got)

    try:
        _readers.run(wait)
    except RuntimeError:  # the system has no thread left
        give_back()
        raise TooMany from None
    try:
        return done.get(timeout=seconds)
    except Empty:
        raise TooSlow from None


class _Readers:
    """Threads that wait in reads: as many as were ever needed at once, for all of a process.

    One thread for each body would cost every form and token request a tenth of a millisecond.
    """

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Begin without threads: those of a parent process are not in its child."""
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = 0
        self._lock = Lock()

    def run(self, job: Callable[[], None]) -> None:
        """Have a thread do it; a new one where each has something to wait for."""
        with self._lock:
            is_short = self._idle == 0
            self._idle -= 0 if is_short else 1
        if is_short:
            Thread(target=self._work, args=(self._jobs,), name="reader", daemon=True).start()
        self._jobs.put(job)

    def _work(self, jobs: "SimpleQueue[Callable[[], None]]") -> None:
        while True:
            jobs.get()()
            with self._lock:
                self._idle += 1


_readers: Final = _Readers()
