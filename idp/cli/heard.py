"""Signals that a thread of their own hears, in the server's main process and in its workers.

Python runs a handler in the main thread, once that does anything; ours waits for a lock. Where the
system gives a signal to another thread than the main one, as it may (signal(7)), nobody woke that;
and where two came at once (a terminal's Ctrl-C is for all processes, and the main process tells its
workers besides), the second handler waited for the lock that the first held. Either way a server
that was to end was killed after half a minute.
"""

import os
import signal
from collections.abc import Callable, Mapping
from functools import partial
from threading import Thread
from typing import Any, Final

Handler = Callable[[int, Any], None]

_LEAVE: Final = (signal.SIGINT, signal.SIGTERM)


def by_thread(handlers: Mapping[int, Handler]) -> None:
    """Have these called by a thread from now on, one after the other; in this process alone.

    What it forks ends at such a signal, until it says otherwise. To be called in the main thread.
    """
    reads, writes = os.pipe()
    os.set_blocking(writes, False)  # as `set_wakeup_fd` wants it
    Thread(target=_hear, args=(reads, handlers), name="signals", daemon=True).start()
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    for number in handlers:
        signal.signal(number, _pass_on)
    os.register_at_fork(after_in_child=partial(_forget, tuple(handlers)))


def in_workers() -> None:
    """Have a worker that is about to serve hear signals so; before the server sets its handlers."""
    from granian import _signals

    _signals.set_main_signals = _set


def _set(handler: Handler, _reload: Handler | None = None) -> None:
    by_thread(dict.fromkeys(_LEAVE, handler))


def _hear(reads: int, handlers: Mapping[int, Handler]) -> None:
    while heard := os.read(reads, 1):
        if handler := handlers.get(heard[0]):
            handler(heard[0], None)


def _pass_on(_number: int, _frame: Any) -> None:
    """Python has written the number into the pipe, in whichever thread the signal came."""


def _forget(numbers: tuple[int, ...]) -> None:
    signal.set_wakeup_fd(-1)  # the pipe is the parent's
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
