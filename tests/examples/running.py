"""A demo of its own for tests: real processes, free ports, a folder that goes away."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import randrange
from time import monotonic, sleep
from typing import Any

from examples.demo.processes import dying_with_us

ROOT = Path(__file__).resolve().parents[2]
PORTS = (
    *("IDP_PORT", "PORTAL_PORT", "PORTAL2_PORT", "SMTP_PORT"),
    *("GOOGLE_PORT", "FACEBOOK_PORT", "CABANGA_PORT"),
)
START_SECONDS = 90
SERVED = (10_000, 32_000)
"""Below those that Linux chooses from for whoever connects to somewhere, or asks for any."""


@dataclass
class Demo:
    """A running demo. ``document`` is its ``demo.json``."""

    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[str]
    document: dict[str, Any]
    output: str

    def account(self, case: str) -> dict[str, Any]:
        """The first account of a case."""
        accounts: list[dict[str, Any]] = self.document["accounts"]
        return next(each for each in accounts if each["case"] == case)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def running_demo(folder: Path, ports: Mapping[str, int] | None = None) -> Iterator[Demo]:
    """Run ``python -m examples.demo`` with its data in ``folder`` until the block ends."""
    chosen = dict(ports or free_ports())
    process = start(folder, chosen)
    try:
        output = _until_ready(process)
        document = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
        yield Demo(folder, chosen, process, document, output)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)
        if process.stdout:
            process.stdout.close()


def start(folder: Path, ports: Mapping[str, int]) -> subprocess.Popen[str]:
    """Start a demo without waiting for it; both its outputs come by ``stdout``."""
    variables = {name: str(port) for name, port in ports.items()}
    # Its servers run the code that other tests measure; tracing them would double their time
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    return subprocess.Popen(
        [*dying_with_us(), sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env={**inherited, **variables, "DEMO_FOLDER": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_ports() -> dict[str, int]:
    """Ports that nobody uses now, and that the system gives to nobody until the demo has them."""
    probes: list[socket.socket] = []
    while len(probes) < len(PORTS):
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", randrange(*SERVED)))
        except OSError:
            probe.close()
        else:
            probes.append(probe)
    numbers = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return dict(zip(PORTS, numbers, strict=True))


def wait_until(condition: Any, seconds: float = 20) -> bool:
    """Whether a condition comes true in time."""
    end = monotonic() + seconds
    while monotonic() < end:
        if condition():
            return True
        sleep(0.1)
    return False


def _until_ready(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    end = monotonic() + START_SECONDS
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C ends the demo" in line or monotonic() > end:
            return "".join(lines)
    raise AssertionError(f"the demo did not start: {''.join(lines)}")
