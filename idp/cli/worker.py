"""What a worker process of ``idp serve`` begins with."""

import ctypes
import os
import signal
import sys
from threading import Thread
from time import sleep
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2)
GRACE: Final = 10
"""Seconds for answers that are under way, once the parent is gone."""
MAIN: Final = "SCHOOL_IDP_MAIN"
"""The variable in which ``idp serve`` tells its workers which process it is."""


def create() -> Any:
    """The application, in a process that ends when ``idp serve`` does."""
    end_with_parent(int(os.environ.get(MAIN) or os.getppid()), signal.SIGTERM)
    from idp import create_app
    from idp.cli import generations

    app = create_app()
    generations.say_ready()
    return app


def end_with_parent(parent: int, how: signal.Signals) -> None:
    """Be stopped by this signal when the parent dies, however it dies (``kill -9``).

    Otherwise this process would go on with old code, and hold the port. ``parent`` is told, not
    asked: it may have died while this process was still loading its modules.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, how, 0, 0, 0)
    Thread(target=_watch, args=(parent, how), name="parent", daemon=True).start()


def _watch(parent: int, how: signal.Signals) -> None:
    while os.getppid() == parent:
        sleep(1)
    os.kill(os.getpid(), how)
    # The server forgets a signal that comes while it begins
    sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)
