"""The console script ``idp``: one module for each noun, services underneath, no rule here.

It loads for up to a second, and nothing may be loaded here before Ctrl-C is heard.
"""

import os
import signal
from typing import Any, NoReturn

INTERRUPTED = 130


def main() -> None:
    """What the console script runs."""
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup
    try:
        if heard:
            signal.signal(signal.SIGINT, _stop)
        os.umask(0o077)  # databases and keys that a command makes are its own user's alone
        from idp.cli import program

        if heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        program.run()
    except KeyboardInterrupt:  # between two of these lines
        _stop()


def _stop(*_: Any) -> NoReturn:
    """End while nothing is open yet: raised, an interrupt may get lost in what is being loaded."""
    os.write(2, b"idp: stopped\n")
    os._exit(INTERRUPTED)
