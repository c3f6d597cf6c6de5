"""What the loop of a worker tells of itself, so that one that hangs is known from one that waits.

It is told by the loop's own thread as it goes on: after each statement to the database, and while
it waits for work. A thread beside it would tell so of a loop that hangs, too. Who listens is a file
that ``idp alive`` reads (health checks of containers), and systemd (``WatchdogSec=``).
"""

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sqlalchemy import Engine, event

LONGEST_SILENCE: Final = 300.0
"""Seconds after which a worker hangs: more than a statement of an import takes, or what a mail
server may take over one mail."""
_WIDTH: Final = 20
_log = logging.getLogger(__name__)


class Heart:
    """Tells the file, if any, and systemd, where it started us and asks for it."""

    def __init__(self, file: Path | None, environment: Mapping[str, str]) -> None:
        self._file = file
        address = environment.get("NOTIFY_SOCKET", "")
        is_watching = bool(address) and "WATCHDOG_USEC" in environment
        # sd_notify(3): « @ » stands for the zero byte of an abstract address
        self._systemd = address.replace("@", "\0", 1) if is_watching else None
        self._was_told = False
        self.is_silent = False
        """Whether the loop goes on and what it hands its work to does not."""

    @property
    def is_heard(self) -> bool:
        """Whether anybody has asked."""
        return self._file is not None or self._systemd is not None

    def beat(self) -> None:
        """Tell that the loop goes on. A disk that is full stops no worker."""
        if self.is_silent:
            return
        try:
            self.write()
        except OSError as error:
            if not self._was_told:
                _log.error("%s can't be written: %s", self._file, error.strerror)
            self._was_told = True
        if self._systemd is not None:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.setblocking(False)
                to.sendto(b"WATCHDOG=1", self._systemd)

    def write(self) -> None:
        """Write into the file when that was. Raises ``OSError``."""
        if self._file is None:
            return
        # Of one width and never cut first: whoever reads meanwhile finds one moment or the other
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        opened = os.open(self._file, flags, 0o600)
        try:
            os.pwrite(opened, f"{monotonic():{_WIDTH - 1}.3f}\n".encode(), 0)
        finally:
            os.close(opened)


_heart: ContextVar[Heart | None] = ContextVar("heart", default=None)


def begin(heart: Heart, engine: Engine) -> None:
    """Let this thread, and no other of the process, tell what it does. Raises ``OSError``."""
    if not heart.is_heard:
        return
    heart.write()
    _heart.set(heart)

    def statement_is_done(*_: Any) -> None:
        beat()

    event.listen(engine, "after_cursor_execute", statement_is_done)


def beat() -> bool:
    """Tell that the loop goes on; false where nobody listens, or to a thread that is no loop."""
    heart = _heart.get()
    if heart is not None:
        heart.beat()
    return heart is not None


def set_silent(is_silent: bool) -> None:
    """Let nothing be told, or again, by a loop that hands its work to threads: these hang."""
    heart = _heart.get()
    if heart is not None:
        heart.is_silent = is_silent


def silent_for(file: Path) -> float | None:
    """How many seconds ago a worker wrote into this file; None: never since this machine started.

    By a clock that nobody sets. Raises ``OSError`` where there is no such file.
    """
    try:
        moment = float(file.read_bytes()[:_WIDTH])
    except ValueError:
        return None
    silence = monotonic() - moment
    return silence if silence >= 0 else None
