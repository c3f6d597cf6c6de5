"""The demo's processes: started together, watched, and stopped together."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Self

from examples.demo import places

STOP_SECONDS = 20
WATCH_SECONDS = 0.2


class PartEnded(Exception):
    """A part of the demo ended by itself; the text says which, and where to read why."""


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read: logs tell who visited."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)  # one of a former start
    return descriptor


@dataclass
class Part:
    """One process, with its log under ``instance/logs/``."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return places.LOGS / f"{self.name}.log"

    def start(self) -> None:
        """Start the process in a group of its own: a Ctrl-C is for the demo alone."""
        places.LOGS.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab", opener=_private) as log:
            self.process = subprocess.Popen(
                [*dying_with_us(), *self.command],
                cwd=places.ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,  # mails and visits are for nobody else on this machine
            )

    def check(self) -> None:
        """Raise ``PartEnded`` unless the process runs."""
        code = self.process.poll() if self.process else None
        if code is not None:
            raise PartEnded(f"{self.name} has ended with exit code {code}: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        last = lines[-1] if lines else "it said nothing"
        return f"{last} ({places.shown(self.log)})"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and its own children."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


class Parts:
    """All processes of a demo. Leaving the ``with`` block stops them, the last one first."""

    def __init__(self, stop: Event) -> None:
        self.stop = stop
        self.running: list[Part] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_all()

    def start(self, part: Part) -> None:
        """Start a part and watch it from now on."""
        self.running.append(part)
        part.start()

    def watch(self) -> None:
        """Wait until a stop is asked; raises ``PartEnded`` as soon as a part has ended."""
        while not self.stop.wait(WATCH_SECONDS):
            self.check()

    def check(self) -> None:
        """Raise ``PartEnded`` for the first part that does not run any more."""
        for part in self.running:
            part.check()

    def end_all(self) -> None:
        """Ask every process to end, wait, and end what is left."""
        for part in reversed(self.running):
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        end = monotonic() + STOP_SECONDS
        for part in self.running:
            if part.process is not None:
                try:
                    part.process.wait(max(0.1, end - monotonic()))
                except subprocess.TimeoutExpired:
                    print(f"{part.name} does not end by itself and is killed", file=sys.stderr)
            part.signal(signal.SIGKILL)  # and whatever a part has left behind
        self.running.clear()


def dying_with_us() -> list[str]:
    """What a command starts with so that the kernel ends it should we be killed (Linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
