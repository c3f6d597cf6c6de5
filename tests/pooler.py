"""PgBouncer as the operator's guide has it, before the tests' PostgreSQL: ``POOLED=1``."""

import atexit
import csv
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.smtp import free_port

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "operator.md"
WANTED = bool(os.environ.get("POOLED"))
"""Whether every test on PostgreSQL goes through it."""


@dataclass(frozen=True)
class Pooler:
    """One that runs, with its files in a folder, as the user of PostgreSQL where we are root."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def lets_in(self, users: dict[str, str]) -> None:
        """Name these alone, with what PgBouncer is to know of their passwords; and reload it."""
        _write_users(self.folder, users)
        self.process.send_signal(signal.SIGHUP)

    def clients(self) -> list[str]:
        """As whom each connection has come, by what the guide has asked; but for that question."""
        page = (GUIDE.parent / "secrets.md").read_text(encoding="utf-8")
        (command,) = re.findall(r"```sh\n(.*SHOW CLIENTS.*)\n```", page)
        for pattern, words in (
            (r"^sudo -u postgres ", ""),
            (r"--host=\S+", f"--host={self.folder}"),
            (r"--port=\d+", f"--port={self.port} --csv"),
        ):
            command, count = re.subn(pattern, words, command)
            assert count == 1, pattern
        asked = subprocess.run(
            shlex.split(command), capture_output=True, text=True, check=True, **_owner()
        )
        rows = csv.DictReader(asked.stdout.splitlines())
        return [each["user"] for each in rows if each["database"] != "pgbouncer"]


@contextmanager
def begun(to: int, users: dict[str, str], *more: str) -> Iterator[Pooler]:
    """A PgBouncer before the PostgreSQL at this port that lets in these; with more settings."""
    program = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if program is None:
        pytest.skip("PgBouncer is not installed (Debian: apt-get install pgbouncer)")
    folder = Path(tempfile.mkdtemp(prefix="idp-pgbouncer-"))
    port = free_port()
    _write_users(folder, users)
    (folder / "pgbouncer.ini").write_text("\n".join([_configuration(folder, port, to), *more, ""]))
    if _owner():
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, "postgres", "postgres")
    try:
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [program, str(folder / "pgbouncer.ini")], stdout=log, stderr=log, **_owner()
            )
        try:
            yield Pooler(folder, port, process)
        finally:
            process.terminate()
            process.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def before(cluster: str) -> str:
    """The address of a PgBouncer before this cluster, for as long as this process lives."""
    to = urlsplit(cluster)
    stack = ExitStack()
    running = stack.enter_context(begun(to.port or 5432, {str(to.username): str(to.password)}))
    atexit.register(stack.close)
    address = f"postgresql://{to.username}:{to.password}@127.0.0.1:{running.port}"
    _wait_for(f"{address}/postgres", running.folder / "log")
    return address


def _owner() -> dict[str, Any]:
    if os.geteuid():
        return {}
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def _write_users(folder: Path, users: dict[str, str]) -> None:
    lines = "".join(f'"{name}" "{secret}"\n' for name, secret in users.items())
    (folder / "userlist.txt").write_text(lines)


def _configuration(folder: Path, port: int, to: int) -> str:
    """The guide's, with this run's ports and folder, every database, and few connections."""
    section = GUIDE.read_text(encoding="utf-8").partition("### PgBouncer\n")[2]
    text = section.partition("```ini\n")[2].partition("```")[0]
    for pattern, words in (
        (r"^idp = .*$", f"* = host=127.0.0.1 port={to}"),
        (r"^listen_port = .*$", f"listen_port = {port}"),
        (r"^unix_socket_dir = .*$", f"unix_socket_dir = {folder}"),
        (r"^auth_file = .*$", f"auth_file = {folder}/userlist.txt"),
        # Fewer than any test has threads: whoever needs a session finds another's
        (r"^default_pool_size = .*$", "default_pool_size = 3"),
    ):
        text, count = re.subn(pattern, words, text, flags=re.MULTILINE)
        assert count == 1, pattern
    return text


def _wait_for(address: str, log: Path) -> None:
    until = monotonic() + 20
    while True:
        try:
            psycopg.connect(address, prepare_threshold=None).close()
        except psycopg.OperationalError:
            assert monotonic() < until, log.read_text()
            sleep(0.05)
        else:
            return
