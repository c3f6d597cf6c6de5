"""A whole site for faults: machines behind nginx, a durable PostgreSQL, a mail server, workers."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests import databases, postgres
from tests.cli.conftest import PROGRAM
from tests.faults import letters, outcomes, rows
from tests.faults.door import Door
from tests.faults.household import Household, move_in
from tests.faults.machines import Machine, machines, nginx
from tests.faults.outcomes import Outcome
from tests.faults.traffic import Traffic
from tests.faults.visits import SESSION, Browser
from tests.security.outages import eventually
from tests.smtp import MailServer

Database = tuple[postgres.Cluster | None, str]
"""PostgreSQL's server, if it is that, and the database's address."""
CONNECTIONS = 100
"""Of PostgreSQL, for all."""
FOLDERS = {"keys": 4, "spool": 1, "log": 4}
"""What a machine writes to beside the database, each on a disk of so many megabytes."""


@dataclass
class Site:
    """What a test breaks."""

    machines: list[Machine]
    url: str
    door: Door
    household: Household
    mail: MailServer
    disks: dict[str, Path] = field(default_factory=dict)
    """Folders that are a disk of their own; none where nothing may be mounted."""
    postgresql: postgres.Cluster | None = None
    secrets: dict[str, list[bytes]] = field(default_factory=dict)
    """What its machines were given in place of the tests' secrets, newest first."""

    @property
    def machine(self) -> Machine:
        return self.machines[0]

    @property
    def cluster(self) -> postgres.Cluster:
        assert self.postgresql is not None
        return self.postgresql

    @contextmanager
    def visited(self, *, desk: bool = True, balancer: bool = False) -> Iterator[Traffic]:
        """Visitors come meanwhile."""
        traffic = Traffic(self.door.anew(), self.household, desk=desk, balancer=balancer)
        with traffic.coming():
            yield traffic

    def judge(self, fault: str, traffic: Traffic) -> Outcome:
        """Note what a fault came to; nothing that was answered may be lost, or half done."""
        with self.reading() as now:
            lost = rows.lost(now, traffic.done) | letters.lost(now, self.mail.letters)
            lost |= self.household.changes.lost(now, self.household.movers)
            violated = rows.violated(now)
        twice = {"mails that came twice": letters.twice(self.mail.letters)}
        outcome = Outcome.of(fault, traffic, rows.some(lost), rows.some(violated | twice))
        outcomes.note(outcome)
        assert outcome.lost == {}
        assert outcome.violated == {}
        return outcome

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to its rows."""
        return rows.reading(self.url, self.machine.keys_folder, self.secrets)

    def judge_unplanned(self, fault: str, traffic: Traffic) -> Outcome:
        """The same, and all is well within seconds after the cause is gone."""
        went_well = traffic.go_well(20 * outcomes.busy())
        outcome = self.judge(fault, traffic)
        assert went_well, outcome.cells
        assert outcome.is_in_time, outcome.cells
        return outcome

    def secretary(self) -> Browser:
        """Her browser, for what she does once."""
        return Browser(self.door.anew(), **{SESSION: self.household.secretary})

    def judge_planned(self, fault: str, traffic: Traffic) -> Outcome:
        """The same, and nobody has noticed."""
        outcome = self.judge(fault, traffic)
        assert outcome.failed == {}, (outcome.cells, [each.complaints for each in self.machines])
        return outcome


@contextmanager
def site_of(
    folder: Path,
    count: int = 1,
    environment: dict[str, str] | None = None,
    program: tuple[str, ...] = (str(PROGRAM),),
    first: tuple[str, ...] = (),
    on: Callable[[Path, dict[str, Path]], AbstractContextManager[Database]] | None = None,
    **changes: str,
) -> Iterator[Site]:
    """A site with so many machines, of the release that ``program`` runs.

    ``environment``: what their processes have; ``changes``: of their settings; ``first``: what is
    run before they start, when the families are there; ``on``: ``on_postgresql`` or ``on_sqlite``.
    """
    with ExitStack() as stack:
        disks = stack.enter_context(_disks(folder))
        cluster, url = stack.enter_context((on or on_postgresql)(folder, disks))
        databases.migrate(url)
        mail = MailServer()
        mail.start()
        stack.callback(mail.stop)
        keys_folder = _keys(folder)
        household = move_in(url, keys_folder)
        changes |= {
            "IDP_MAIL_PORT": str(mail.port),
            "IDP_SPOOL_FOLDER": str(folder / "spool"),
        }
        made = stack.enter_context(
            machines(
                count, folder / "log", url, keys_folder, environment, program, first, **changes
            )
        )
        door = stack.enter_context(nginx(folder / "nginx", made))
        yield Site(made, url, door, household, mail, disks, cluster)


@contextmanager
def on_postgresql(_folder: Path, disks: dict[str, Path]) -> Iterator[Database]:
    """Its rows have a disk of their own, and so has its write-ahead log."""
    with ExitStack() as stack:
        rows_at = stack.enter_context(_for_postgresql(64))  # they outlive the server
        wal_at = stack.enter_context(_for_postgresql(48))
        cluster = stack.enter_context(durable_cluster(wal_at))
        url = postgres.create_database(cluster.address, "idp")
        if rows_at is not None:
            postgres.administer(cluster.address, f"CREATE TABLESPACE small LOCATION '{rows_at}'")
            postgres.administer(cluster.address, "ALTER DATABASE idp SET TABLESPACE small")
            disks["database"] = rows_at
        if wal_at is not None:
            postgres.administer(cluster.address, "ALTER SYSTEM SET max_wal_size = '16MB'")
            postgres.administer(cluster.address, "SELECT pg_reload_conf()")
            disks["write-ahead log"] = wal_at
        yield cluster, url


@contextmanager
def on_sqlite(folder: Path, disks: dict[str, Path]) -> Iterator[Database]:
    """Its folder is a disk of its own."""
    at = folder / "database"
    at.mkdir()
    with mounted(at, 64) as is_there:
        if is_there:
            disks["database"] = at
        yield None, f"sqlite:///{at}/idp.db"


@contextmanager
def durable_cluster(wal: Path | None = None) -> Iterator[postgres.Cluster]:
    """PostgreSQL whose commits are on the disk when they return, as in production."""
    try:
        with postgres.stoppable_cluster(fsync=True, connections=CONNECTIONS, wal=wal) as cluster:
            yield cluster
    except postgres.Unavailable as reason:
        pytest.skip(f"PostgreSQL is not available: {reason}")


def _keys(folder: Path) -> Path:
    from idp.oidc.keys import Keyring

    keys_folder = folder / "keys"
    keys_folder.mkdir(mode=0o700, exist_ok=True)
    Keyring(keys_folder).ensure()
    return keys_folder


@contextmanager
def _disks(folder: Path) -> Iterator[dict[str, Path]]:
    with ExitStack() as stack:
        made = {}
        for name, megabytes in FOLDERS.items():
            (folder / name).mkdir(mode=0o700)
            if stack.enter_context(mounted(folder / name, megabytes)):
                made[name] = folder / name
        yield made


@contextmanager
def _for_postgresql(megabytes: int) -> Iterator[Path | None]:
    """A disk that PostgreSQL's own user writes to."""
    at = Path(tempfile.mkdtemp(prefix="idp-disk-"))
    try:
        with mounted(at, megabytes) as is_there:
            if is_there:
                owner = pwd.getpwnam("postgres")
                os.chown(at, owner.pw_uid, owner.pw_gid)
            yield at if is_there else None
    finally:
        at.rmdir()


@contextmanager
def mounted(at: Path, megabytes: int) -> Iterator[bool]:
    """A small disk at a folder, where this user may mount one; whether it is there."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "tmpfs", str(at)],
        capture_output=True,
        check=False,
    )
    try:
        yield done.returncode == 0
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "--lazy", str(at)], check=True, capture_output=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Not a byte more fits on it."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as out, suppress(OSError):
            while out.write(b"x" * 4096):
                pass
        assert shutil.disk_usage(disk).free == 0
        yield
    finally:
        ballast.unlink()


@contextmanager
def worker(site: Site, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """One of the processes beside the server, such as ``mail work``."""
    process = site.machine.begin(*command)
    try:
        assert eventually(lambda: process.poll() is None)
        yield process
    finally:
        process.terminate()
        process.wait(30)
