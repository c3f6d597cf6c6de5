"""Where bcrypt runs: a few threads of lowered priority, before which only so many may wait.

A storm of sign-ins queues here and starves no other page (security rule E5); beyond the
queue it is told to come back. Nobody waits here with a database connection in hand.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

from idp import concurrency_limit, measures, settings
from idp.database import release_connection

P = ParamSpec("P")
T = TypeVar("T")

NICENESS = 10
"""How much the threads yield to the rest of the worker (setpriority(2): 0 to 19)."""


class Busy(Exception):
    """So many wait already that one more would wait too long; ``retry_after`` in seconds."""

    def __init__(self, retry_after: int = 5) -> None:
        super().__init__(f"too many password checks wait; try again in {retry_after} s")
        self.retry_after = retry_after


class Gate:
    """``parallel`` run at once, ``queue`` wait, the next one is turned away."""

    def __init__(self, parallel: int, queue: int) -> None:
        self._places = threading.BoundedSemaphore(parallel + queue)
        self._executor = ThreadPoolExecutor(
            parallel, thread_name_prefix="bcrypt", initializer=_lower_priority
        )

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function`` in its turn; raises ``Busy`` where the queue is full."""
        if not self._places.acquire(blocking=False):
            measures.bcrypt_refused()
            raise Busy
        try:
            with concurrency_limit.released(), measures.waiting_for_bcrypt():
                return self._executor.submit(function, *args, **kwargs).result()
        finally:
            self._places.release()


def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run slow work that needs neither database nor application context.

    The caller's connection goes back to the pool first, unless the caller is inside a
    ``transaction()``. Raises ``Busy``.
    """
    release_connection()
    configured = settings.current()
    return _gate(configured.bcrypt_parallel, configured.bcrypt_queue).run(function, *args, **kwargs)


@cache
def _gate(parallel: int, queue: int) -> Gate:
    return Gate(parallel, queue)


def _lower_priority() -> None:
    # Linux keeps a priority for each thread, named by its native id (setpriority(2), NOTES)
    with contextlib.suppress(AttributeError, OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


# A forked worker inherits the gate but none of its threads
os.register_at_fork(after_in_child=_gate.cache_clear)
