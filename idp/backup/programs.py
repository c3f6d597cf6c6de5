"""PostgreSQL's own programs: ``pg_dump`` writes what ``pg_restore`` reads, each through a pipe."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from idp import logs
from idp.backup.parts import BLOCK
from idp.backup.troubles import BackupTrouble

_DEBIAN: Final = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each version apart."""
TRANSACTION_TIMEOUT: Final = 17
"""Since this version ``pg_restore`` begins with a setting that older servers refuse."""


def dump(address: str, snapshot: str, server: int) -> Iterator[bytes]:
    """The database as ``pg_dump`` writes it, of exactly this snapshot.

    ``server``: PostgreSQL's major version there.
    """
    options = ["--format=custom", "--no-password", f"--snapshot={snapshot}"]
    command = [find("pg_dump", server), *options]
    with (
        _connecting(address) as (words, environment),
        tempfile.TemporaryFile() as errors,
        _Program([*command, *words], environment, stdout=subprocess.PIPE, stderr=errors) as running,
    ):
        assert running.stdout is not None
        while block := running.stdout.read(BLOCK):
            yield block
        if running.wait() != 0:
            raise BackupTrouble(f"pg_dump gave up: {_last_of(errors)}")


def restore(address: str, blocks: Iterable[bytes], server: int, *, grants: bool) -> None:
    """Have ``pg_restore`` read it into an empty database.

    ``grants``: whether what other roles may do comes back as well.
    """
    options = ["--no-owner", "--no-password"]
    options += ["--exit-on-error"] if server >= TRANSACTION_TIMEOUT else []
    options += [] if grants else ["--no-privileges"]
    command = [find("pg_restore", server), *options]
    with (
        _connecting(address) as (words, environment),
        tempfile.TemporaryFile() as errors,
        _Program([*command, *words], environment, stdin=subprocess.PIPE, stderr=errors) as running,
    ):
        assert running.stdin is not None
        with suppress(BrokenPipeError):  # it says why itself
            for block in blocks:
                running.stdin.write(block)
        with suppress(BrokenPipeError):
            running.stdin.close()
        code = running.wait()
        if code != 0 and not (server < TRANSACTION_TIMEOUT and code == 1 and _misses_it(errors)):
            raise BackupTrouble(f"pg_restore gave up: {_last_of(errors)}")


def find(name: str, server: int) -> str:
    """One of them, no older than the server. Raises ``BackupTrouble`` where there is none."""
    versions = [path for path in _DEBIAN.glob("*/bin") if path.parent.name.isdigit()]
    versions.sort(key=lambda path: int(path.parent.name))
    for folder in versions:
        if int(folder.parent.name) >= server and os.access(folder / name, os.X_OK):
            return str(folder / name)
    if program := shutil.which(name):
        return program
    raise BackupTrouble(
        f"{name} is not installed: backups of PostgreSQL need its programs, no older than the"
        f" server, which is version {server} (Debian: apt install postgresql-client)"
    )


def major(now: Connection) -> int:
    """The server's version."""
    version: Any = now.dialect.server_version_info or (0,)
    return int(version[0])


@contextmanager
def _connecting(address: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """How a program reaches the database; no password stands in a command line.

    That of a client's key has no variable: a service file has it, which is ours alone
    (PostgreSQL, « The Connection Service File »).
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

    named: dict[str, Any] = conninfo_to_dict(
        address.replace("postgresql+psycopg://", "postgresql://")
    )
    password = named.pop("password", None)
    environment = {**os.environ, "PGCONNECT_TIMEOUT": os.environ.get("PGCONNECT_TIMEOUT", "10")}
    environment["LC_ALL"] = "C"  # so that we can read what they say
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    opens_key = named.pop("sslpassword", None)
    if opens_key is None:
        yield ["--dbname", make_conninfo(**named)], environment
        return
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", prefix="idp-") as service:  # 0600
        service.write(f"[idp]\nsslpassword={opens_key}\n")
        service.flush()
        environment["PGSERVICEFILE"] = service.name
        yield ["--dbname", make_conninfo(**named, service="idp")], environment


class _Program:
    """A program that runs; it does not outlive whoever started it."""

    def __init__(self, command: list[str], environment: dict[str, str], **pipes: Any) -> None:
        self._running = subprocess.Popen(command, env=environment, **pipes)  # noqa: S603

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self._running

    def __exit__(self, *_: object) -> None:
        if self._running.poll() is None:
            self._running.kill()
        self._running.wait()
        for pipe in (self._running.stdin, self._running.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _misses_it(errors: Any) -> bool:
    """Whether the server did not know that setting, and nothing else went wrong."""
    errors.seek(0)
    wrong = [line for line in errors if line.startswith(b"pg_restore: error:")]
    return bool(wrong) and all(b"transaction_timeout" in line for line in wrong)


def _last_of(errors: Any) -> str:
    errors.seek(0)
    lines = errors.read()[-4000:].decode(errors="replace").strip().splitlines()
    chosen = [line for line in lines if "error:" in line] or lines
    return logs.redacted(chosen[-1] if chosen else "it says nothing")
