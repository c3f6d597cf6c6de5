"""What a process does that is started with this folder in ``PYTHONPATH``: on a signal it tells how
many small objects it holds; on another one it begins to leak 200 bytes for each request.
"""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Any

TELL, LEAK = signal.SIGRTMIN + 1, signal.SIGRTMIN + 2
FOLDER = "TELLING"
"""The variable that names where: a file for each process."""
_leaked: list[bytes] = []


def _tell(*_: object) -> None:
    gc.collect()
    file = Path(os.environ[FOLDER]) / str(os.getpid())
    written = file.with_suffix(".new")
    written.write_text(str(sys.getallocatedblocks()))
    written.replace(file)


def _leak(*_: object) -> None:
    from flask import Flask

    answer = Flask.__call__

    def answers(*arguments: Any) -> Any:
        _leaked.append(os.urandom(200 - sys.getsizeof(b"")))
        return answer(*arguments)

    Flask.__call__ = answers  # type: ignore[method-assign]


if FOLDER in os.environ:
    signal.signal(TELL, _tell)
    signal.signal(LEAK, _leak)
