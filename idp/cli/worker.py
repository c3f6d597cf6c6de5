"""What a worker process of ``idp serve`` begins with."""

import ctypes
import os
import signal
import sys
from threading import Thread
from time import sleep
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def create() -> Any:
    """The application, in a process that ends when ``idp serve`` does."""
    end_with_parent()
    from idp import create_app

    return create_app()


def end_with_parent() -> None:
    """Be stopped as by SIGTERM when the parent dies, however it dies (``kill -9``).

    Otherwise the workers would go on with old code, and hold the port.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() == parent:
            return
    Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
