"""A throw-away PostgreSQL cluster, made for one run and removed after it.

The server runs under a keeper: a small process of this file that waits at a pipe. The
pipe closes when whoever started it ends, killed or not; then the keeper stops the server
and removes its folder. PostgreSQL refuses to run as root: then it is user ``postgres``.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

STARTS = 5
START_SECONDS = 30
STOP_SECONDS = 20
UNDURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Unavailable(Exception):
    """PostgreSQL can't run here; the text says why."""


@dataclass(frozen=True)
class _User:
    """Who runs the server; ``None`` where it is ourselves."""

    uid: int | None = None
    gid: int | None = None

    def subprocess_arguments(self) -> dict[str, object]:
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


@contextmanager
def temporary_cluster(*, fsync: bool = False, connections: int = 200) -> Iterator[str]:
    """Run a cluster and yield its address, to which ``/<database>`` is appended.

    ``fsync``: whether commits reach the disk, as they do in production (for measurements).
    Raises ``Unavailable`` with the reason where PostgreSQL is missing or won't start.
    """
    programs = _programs()
    user = _server_user()
    folder = Path(tempfile.mkdtemp(prefix="idp-postgres-"))
    password = secrets.token_urlsafe(16)
    try:
        _own(folder, user)
        _initialise(programs, folder, user, password)
        keeper, port = _start(programs, folder, user, fsync=fsync, connections=connections)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    try:
        yield f"postgresql://postgres:{password}@127.0.0.1:{port}"
    finally:
        _stop(keeper)
        shutil.rmtree(folder, ignore_errors=True)


def create_database(base: str, name: str) -> str:
    """Make an empty database in the cluster at ``base`` and return its address."""
    _administer(base, f'CREATE DATABASE "{name}"')
    return f"{base}/{name}"


def drop_database(base: str, name: str) -> None:
    """Remove a database of the cluster at ``base``, whoever is still connected to it."""
    _administer(base, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(base: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def _programs() -> Path:
    """The folder of ``initdb`` and ``postgres``: Debian keeps each version in its own."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    found.sort(key=lambda path: int("0" + "".join(filter(str.isdigit, path.parent.name))))
    if found:
        return found[-1]
    if program := shutil.which("postgres"):
        return Path(program).resolve().parent
    raise Unavailable("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")


def _server_user() -> _User:
    if os.geteuid() != 0:
        return _User()
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        raise Unavailable("running as root, and there is no user 'postgres'") from None
    return _User(entry.pw_uid, entry.pw_gid)


def _own(folder: Path, user: _User) -> None:
    if user.uid is not None and user.gid is not None:
        os.chown(folder, user.uid, user.gid)


def _initialise(programs: Path, folder: Path, user: _User, password: str) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    _own(password_file, user)
    password_file.chmod(0o600)
    command = [
        str(programs / "initdb"),
        f"--pgdata={folder / 'data'}",
        "--username=postgres",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    done = _run(command, folder, user)
    password_file.unlink()
    if done.returncode != 0:
        raise Unavailable(f"initdb failed: {done.stderr.decode(errors='replace').strip()}")


def _run(command: list[str], folder: Path, user: _User) -> subprocess.CompletedProcess[bytes]:
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        **user.subprocess_arguments(),  # type: ignore[call-overload]
    )
    return done


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _start(
    programs: Path, folder: Path, user: _User, *, fsync: bool, connections: int
) -> tuple[subprocess.Popen[bytes], int]:
    """Try ports until the server has one to itself: between our look and its, it may go."""
    for _ in range(STARTS):
        port = _free_port()
        keeper = _start_keeper(programs, folder, user, port, fsync, connections)
        if _answers(keeper, folder, port):
            return keeper, port
        _stop(keeper)
    log = (folder / "log").read_text(errors="replace").strip().splitlines()
    raise Unavailable(f"PostgreSQL did not start: {log[-1] if log else 'it says nothing'}")


def _start_keeper(
    programs: Path, folder: Path, user: _User, port: int, fsync: bool, connections: int
) -> subprocess.Popen[bytes]:
    settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        f"port={port}",
        f"max_connections={connections}",
        "timezone=UTC",
        *(() if fsync else UNDURABLE),
    ]
    server = [str(programs / "postgres"), "-D", str(folder / "data")]
    for setting in settings:
        server += ["-c", setting]
    return subprocess.Popen(
        [sys.executable, __file__, str(folder), str(user.uid or ""), str(user.gid or ""), *server],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=_environment(),
        start_new_session=True,  # a Ctrl-C is for pytest; the keeper sees its pipe close
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _answers(keeper: subprocess.Popen[bytes], folder: Path, port: int) -> bool:
    """Whether *our* server is ready: its own status file says so, not just an open port."""
    status = folder / "data" / "postmaster.pid"
    end = monotonic() + START_SECONDS
    while monotonic() < end and keeper.poll() is None:
        lines = status.read_text().splitlines() if status.exists() else []
        if len(lines) >= 8 and lines[3].strip() == str(port) and lines[7].strip() == "ready":
            return True
        sleep(0.02)
    return False


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    if keeper.stdin:
        keeper.stdin.close()
    try:
        keeper.wait(STOP_SECONDS + 5)
    except subprocess.TimeoutExpired:
        keeper.kill()


def _keep(folder: Path, user: _User, command: list[str]) -> None:
    """The keeper: run the server until the pipe at standard input closes."""
    starter = os.getppid()
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            **user.subprocess_arguments(),  # type: ignore[call-overload]
        )
    signal.signal(signal.SIGCHLD, lambda *_: sys.exit(1))  # the server gave up by itself
    if server.poll() is not None:
        sys.exit(1)
    sys.stdin.buffer.read()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    server.send_signal(signal.SIGINT)  # "fast": ends connections, writes a checkpoint
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait()
    if os.getppid() != starter:  # nobody is left to remove it
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    uid, gid = (int(text) if text else None for text in sys.argv[2:4])
    _keep(Path(sys.argv[1]), _User(uid, gid), sys.argv[4:])
