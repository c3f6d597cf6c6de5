"""A throw-away PostgreSQL cluster, made for one run and removed after it; one that stays, for
measurements.

All of it is a keeper's: a small process of this file that makes a folder, starts the server
in it, says where, and waits at a pipe. The pipe closes when whoever started it ends, killed or
not; a signal ends it as well. Then the keeper stops the server and removes the folder, however
far it had come. PostgreSQL refuses to run as root: then it is user ``postgres``.
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
from queue import SimpleQueue
from threading import Thread
from time import monotonic, sleep
from urllib.parse import urlsplit

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
STARTS = 5
START_SECONDS = 30
STOP_SECONDS = 20
NAMED = "POSTGRESQL_PROGRAMS"
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
def kept_cluster(folder: Path) -> Iterator[str]:
    """The same in a folder that stays, made where it is not there yet: what was filled once is
    measured again. Its commits reach the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with stoppable_cluster(fsync=True, folder=folder) as cluster:
        yield cluster.address
        administer(cluster.address, "CHECKPOINT")  # or it would be stopped in the midst of one


@contextmanager
def temporary_cluster(*, fsync: bool = False, connections: int = 200) -> Iterator[str]:
    """Run a cluster and yield its address, to which ``/<database>`` is appended.

    ``fsync``: whether commits reach the disk, as they do in production (for measurements).
    Raises ``Unavailable`` with the reason where PostgreSQL is missing or won't start.
    """
    with stoppable_cluster(fsync=fsync, connections=connections) as cluster:
        yield cluster.address


@dataclass(frozen=True)
class Cluster:
    """A server that can be stopped and started again at its address."""

    address: str
    _keeper: subprocess.Popen[str]

    def stop(self) -> None:
        """As an operator does; returns when it has ended."""
        self._ask("stop")

    def start(self) -> None:
        """Returns when it answers."""
        self._ask("start")

    def crash(self) -> None:
        """As a machine does that loses its power, but for its disk: nothing is written any more."""
        self._ask("crash")

    def revive(self) -> None:
        """As a service manager does: start it where it has ended. Returns when it answers."""
        self._ask("revive")

    def _ask(self, what: str) -> None:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(f"{what}\n")
        self._keeper.stdin.flush()
        assert self._keeper.stdout.readline() == f"{what}\n"


@contextmanager
def stoppable_cluster(
    *,
    fsync: bool = False,
    connections: int = 200,
    folder: Path | None = None,
    wal: Path | None = None,
) -> Iterator[Cluster]:
    """The same for tests of outages. ``folder``: one that stays; ``wal``: an empty one for the
    write-ahead log, which then has segments of a megabyte.
    """
    wanted = (int(fsync), connections, folder or "", wal or "")
    keeper = subprocess.Popen(
        [sys.executable, __file__, *map(str, wanted)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**_environment(), "TMPDIR": tempfile.gettempdir()},
        text=True,
        start_new_session=True,  # a Ctrl-C is for pytest; the keeper sees its pipe close
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        says = keeper.stdout.readline().strip()
        if not says.startswith("postgresql://"):
            raise Unavailable(says or "its keeper ended")
        yield Cluster(says, keeper)
    finally:
        keeper.stdin.close()
        keeper.stdout.close()
        try:
            keeper.wait(STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            keeper.kill()


@contextmanager
def standby(primary: Cluster, name: str, *, connections: int) -> Iterator[Cluster]:
    """A copy that follows ``primary`` from here on, and can be read; promoted by ``pg_promote()``.

    ``name``: as which the primary knows it (``synchronous_standby_names``); ``connections``: no
    fewer than the primary's.
    """
    folder, user = Path(tempfile.mkdtemp(prefix="idp-postgres-")), _server_user()
    try:
        _own(folder, user)
        command = [str(programs() / "pg_basebackup"), "--pgdata", str(folder / "data")]
        command += ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        done = _run(
            [*command, "--dbname", f"{primary.address}?application_name={name}"], folder, user
        )
        if done.returncode != 0:
            raise Unavailable(f"pg_basebackup failed: {done.stderr.decode(errors='replace')}")
        password = folder / "kept-password"
        password.touch(mode=0o600)
        password.write_text(urlsplit(primary.address).password or "")
        with stoppable_cluster(fsync=True, connections=connections, folder=folder) as cluster:
            yield cluster
    finally:
        _remove(folder)


def create_database(base: str, name: str) -> str:
    """Make an empty database in the cluster at ``base`` and return its address."""
    administer(base, f'CREATE DATABASE "{name}"')
    return f"{base}/{name}"


def drop_database(base: str, name: str) -> None:
    """Remove a database of the cluster at ``base``, whoever is still connected to it."""
    administer(base, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def administer(base: str, statement: str) -> None:
    """Have the cluster's superuser do something, outside of a transaction."""
    import psycopg

    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def programs() -> Path:
    """The folder of ``initdb`` and ``postgres``: Debian keeps each version in its own. Another
    one's is named by ``POSTGRESQL_PROGRAMS``.
    """
    if named := os.environ.get(NAMED):
        return Path(named)
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


def _initialise(
    programs: Path, folder: Path, user: _User, password: str, authentication: str, wal: str
) -> None:
    password_file = folder / "password"
    password_file.write_text(password)
    _own(password_file, user)
    password_file.chmod(0o600)
    command = [
        str(programs / "initdb"),
        f"--pgdata={folder / 'data'}",
        "--username=postgres",
        f"--pwfile={password_file}",
        f"--auth={authentication}",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
        *((f"--waldir={wal}", "--wal-segsize=1", "--data-checksums") if wal else ()),
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
    kept = {NAMED: os.environ[NAMED]} if NAMED in os.environ else {}
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC", **kept}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class _Server:
    """One server in a folder: its programs, its user, its settings; its port once it has one."""

    programs: Path
    folder: Path
    user: _User
    fsync: bool
    connections: int
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Try ports until it has one to itself: between our look and its, it may go."""
        for _ in range(STARTS):
            self.port = self.port or _free_port()
            self._run()
            if self._answers():
                return
            self.stop()
            self.port = 0
        log = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        raise Unavailable(f"PostgreSQL did not start: {log[-1] if log else 'it says nothing'}")

    def stop(self) -> None:
        """ "Fast": it ends connections and writes a checkpoint."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def crash(self) -> None:
        """ "Immediate": every process is killed as it stands, and recovery begins at the start."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def revive(self) -> None:
        """Start it where it has ended, else wait until it answers."""
        if self.process is None or self.process.poll() is not None or not self._answers():
            self.start()

    def _run(self) -> None:
        settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            f"port={self.port}",
            f"max_connections={self.connections}",
            "timezone=UTC",
            *(() if self.fsync else UNDURABLE),
        ]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data")]
        for setting in settings:
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self.user.subprocess_arguments(),  # type: ignore[call-overload]
            )

    def _answers(self) -> bool:
        """Whether *our* server is ready: its own status file says so, not just an open port."""
        assert self.process is not None
        status = self.folder / "data" / "postmaster.pid"
        end = monotonic() + START_SECONDS
        while monotonic() < end and self.process.poll() is None:
            lines = status.read_text().splitlines() if status.exists() else []
            ready = len(lines) >= 8 and lines[7].strip() in {"ready", "standby"}
            if ready and lines[3].strip() == str(self.port):
                return True
            sleep(0.02)
        return False


def _keep(*, fsync: bool, connections: int, stays: Path | None, wal: str) -> None:
    """The keeper: run a server until the pipe at standard input closes, or a signal comes."""
    for number in ENDING:
        signal.signal(number, lambda *_: sys.exit())
    asked: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(asked,), daemon=True).start()
    folder = stays or Path(tempfile.mkdtemp(prefix="idp-postgres-"))
    try:
        with _served(folder, fsync=fsync, connections=connections, wal=wal) as server:
            acts = {
                "stop": server.stop,
                "start": server.start,
                "crash": server.crash,
                "revive": server.revive,
            }
            while True:
                what = asked.get()
                acts[what]()
                print(what, flush=True)
    except Unavailable as reason:
        print(reason, flush=True)
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # it ends already
        if stays is None:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Until it is gone: a child of ``initdb`` that was ended writes on for a moment."""
    end = monotonic() + STOP_SECONDS
    while folder.exists() and monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        sleep(0.05)


def _listen(asked: "SimpleQueue[str]") -> None:
    for line in sys.stdin:
        asked.put(line.strip())
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _served(folder: Path, *, fsync: bool, connections: int, wal: str) -> Iterator[_Server]:
    installed, user = programs(), _server_user()
    _own(folder, user)
    kept = folder / "kept-password"
    if kept.exists():
        password = kept.read_text()
    else:
        password = secrets.token_urlsafe(16)
        # Measurements hash as production does; tests connect thousands of times
        authentication = "scram-sha-256" if fsync else "md5"
        _initialise(installed, folder, user, password, authentication, wal)
        kept.touch(mode=0o600)
        kept.write_text(password)
    server = _Server(installed, folder, user, fsync, connections)
    try:
        server.start()
        print(f"postgresql://postgres:{password}@127.0.0.1:{server.port}", flush=True)
        yield server
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # it ends already
        server.stop()


if __name__ == "__main__":
    _keep(
        fsync=sys.argv[1] == "1",
        connections=int(sys.argv[2]),
        stays=Path(sys.argv[3]) if sys.argv[3] else None,
        wal=sys.argv[4],
    )
