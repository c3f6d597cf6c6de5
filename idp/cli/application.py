"""The application as a command sees it: quiet."""

import gc
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from flask import Flask

from idp import create_app
from idp.settings import Settings


def build(settings: Settings | None = None) -> Flask:
    """Build the provider from the environment, or from these settings, for one command.

    A command speaks by its output; of the log only what went wrong is shown beside it,
    unless ``IDP_LOG_LEVEL`` asks for everything.
    """
    with nothing_thrown_away():
        app = create_app(settings)
    log = logging.getLogger("idp")
    if log.getEffectiveLevel() > logging.DEBUG:
        log.setLevel(max(log.level, logging.ERROR))
    return app


def speak(level: str) -> None:
    """Log as the settings say, for a command that goes on running."""
    logging.getLogger("idp").setLevel(logging.getLevelNamesMapping().get(level, logging.INFO))


@contextmanager
def nothing_thrown_away() -> Iterator[None]:
    """What is loaded stays: to look for garbage in it takes a tenth of a command's start."""
    looking = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looking:
            gc.enable()


def stopped_by_signals() -> Event:
    """What is set once this process is asked to stop: by Ctrl-C or SIGTERM."""
    stop = Event()
    # In a thread of its own: a handler runs between two steps of this one, which may hold the lock
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: Thread(target=stop.set).start())
    return stop
