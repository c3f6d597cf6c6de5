"""Other processes: begun, watched, and surely ended."""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

START = 60.0
STOP = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A process did not start, or ended too early; holds its last words."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int) -> Iterator[int]:
    """Run a server in a process group of its own until the block ends; yields its group."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _await(process, port, log)
            yield process.pid
            if process.poll() is not None:
                raise Failed(f"{command[0]} ended by itself:\n{_tail(log)}")
        finally:
            _stop(process)


def processor_seconds(group: int) -> float:
    """Processor time that the living processes of a group have used so far."""
    ticks = sum(
        int(each[11]) + int(each[12]) for each in _living().values() if int(each[2]) == group
    )
    return ticks / _TICKS


def family_seconds(parent: int) -> float:
    """The same of a process, its children, and those of them that have ended."""
    ticks = 0
    for pid, fields in _living().items():
        if pid == parent:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == parent:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def parent_of(pid: int) -> int:
    """The process that began this one."""
    return int(_living()[pid][1])


def _living() -> dict[int, list[str]]:
    """What ``proc_pid_stat(5)`` tells of each process, from its state on."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it ended meanwhile
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found[int(entry.name)] = fields
    return found


def machine_seconds() -> float:
    """Processor time that the whole machine has used so far, all cores together."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq = (int(each) for each in fields[:7])
    return (user + nice + system + irq + softirq) / _TICKS


def busy(seconds: float = 1.0) -> float:
    """How many cores somebody uses while we wait."""
    before = machine_seconds()
    sleep(seconds)
    return (machine_seconds() - before) / seconds


def _await(process: "subprocess.Popen[bytes]", port: int, log: object) -> None:
    end = monotonic() + START
    while monotonic() < end:
        if process.poll() is not None:
            raise Failed(f"{process.args!r} did not start:\n{_tail(log)}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.05)
    raise Failed(f"{process.args!r} did not listen within {START:.0f} s:\n{_tail(log)}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(STOP)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # workers that outlived their parent
    process.wait(STOP)


def _tail(log: object) -> str:
    log.seek(0)  # type: ignore[attr-defined]
    return bytes(log.read())[-3000:].decode("utf-8", "replace")  # type: ignore[attr-defined]
