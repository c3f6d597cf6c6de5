"""Rule R20: a server that runs for weeks grows no further, whatever is asked of it.

What is looked at is the slope: caches fill and stop, a leak goes on. Objects are counted by Python,
to which memory that was given back and is not yet used again is no noise.
"""

import os
from collections import Counter
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import text

from tests.faults import outcomes, rows
from tests.faults.errands import Errands
from tests.faults.outcomes import Outcome
from tests.faults.site import Site, site_of
from tests.faults.telling import sitecustomize
from tests.faults.telling.sitecustomize import LEAK, TELL
from tests.security.outages import eventually

TELLING = Path(sitecustomize.__file__).parent
pytestmark = [pytest.mark.nginx, pytest.mark.timeout(900)]

WARM_UP, SHARES, SHARE = 500, 5, 2_200
LAST = 2
"""Shares that must not grow as the first did, in which caches fill."""
PLANTED = 2_000
"""Requests of which each leaks 200 bytes, to see that it is found."""
AT_ONCE = 4
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""Threads share what one of them has given back: it is seen sooner when nobody gives it back."""


@dataclass(frozen=True)
class Held:
    """What both workers hold together while nobody asks them anything."""

    kilobytes: int
    objects: int
    """Small ones of Python (512 bytes at most), without what only goes round in circles."""
    files: int
    sockets: int
    threads: int
    connections: int
    """To the database."""
    temporary: int
    """Files in the spool and in the folder for temporary ones."""

    def __sub__(self, before: "Held") -> "Held":
        pairs = ((getattr(self, each.name), getattr(before, each.name)) for each in fields(self))
        return Held(*(now - then for now, then in pairs))

    def __str__(self) -> str:
        return ", ".join(f"{each.name} {getattr(self, each.name):+}" for each in fields(self))


MOST = Held(
    kilobytes=6_144, objects=20_000, files=2, sockets=16, threads=8, connections=8, temporary=0
)
"""What may come of all shares but the first. Where nothing leaks, no file came, and a socket or
thread where more happened to ask at the same moment."""
EACH = 0.5
"""Objects that may stay for each of the last requests: 0.2 were seen where nothing leaks, and one
stays where a leak is."""
EACH_KILOBYTE = 0.5
"""The same of memory, for what leaks outside of Python's own: it comes and goes by pages."""


def leaks(shares: list[Held], requests: int) -> bool:
    """Whether so many requests made them grow as what keeps something of each does, rather than
    as caches do that fill.
    """
    objects, kilobytes = (sum(getattr(s, of) for s in shares) for of in ("objects", "kilobytes"))
    return objects > EACH * requests or kilobytes > EACH_KILOBYTE * requests


def test_r20_eleven_thousand_requests_leave_nothing_behind(tmp_path: Path) -> None:
    temporary, told = tmp_path / "temporary", tmp_path / "told"
    temporary.mkdir()
    told.mkdir()
    environment = {"TMPDIR": str(temporary), "PYTHONPATH": str(TELLING), "TELLING": str(told)}
    with site_of(tmp_path, environment=ONE_HEAP | environment) as site:
        errands = Errands(site.door.anew(), site.household)
        errands.run(WARM_UP, AT_ONCE)
        workers = site.machine.workers
        seen = [held(site, temporary, told)]
        for _ in range(SHARES):
            errands.run(SHARE, AT_ONCE)
            seen.append(held(site, temporary, told))
        answers = errands.answers
        with site.reading():
            contradicted = rows.some(rows.contradicted())
        for worker in workers:
            os.kill(worker, LEAK)
        errands.run(PLANTED, AT_ONCE)
        planted = held(site, temporary, told) - seen[-1]
        assert site.machine.workers == workers, "one was started anew, and forgot"

    shares = [after - before for before, after in pairwise(seen)]
    grown = seen[-1] - seen[1]
    by_share = (f"{each.objects:+} objects and {each.kilobytes:+} kB" for each in shares)
    outcome = Outcome(
        f"{SHARES * SHARE:,} requests ({', '.join(by_share)}; but for the first {grown}; where "
        f"{PLANTED:,} requests leak 200 bytes each: {planted.objects:+} objects)",
        len(answers.heard),
        answers.failed(),
        0.0,
        slowest=answers.slowest(),
        busy=outcomes.busy(),
        violated=contradicted,
    )
    outcomes.note(outcome)
    assert outcome.failed == {}, outcome.cells
    assert outcome.violated == {}
    too_many = {
        each.name: getattr(grown, each.name)
        for each in fields(Held)
        if getattr(grown, each.name) > getattr(MOST, each.name)
    }
    assert too_many == {}, grown
    assert not leaks(shares[-LAST:], LAST * SHARE), outcome.cells
    assert leaks([planted], PLANTED), "a leak of 200 bytes for each request is not seen"


def held(site: Site, temporary: Path, told: Path) -> Held:
    sleep(2)  # what was just answered is put away
    objects = sum(objects_of(worker, told) for worker in site.machine.workers)
    processes = [Path(f"/proc/{worker}") for worker in site.machine.workers]
    opened = Counter(kind_of(file) for each in processes for file in (each / "fd").iterdir())
    with site.reading() as now:
        connections = now.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            )
        )
    folders = (temporary, Path(site.machine.changes["IDP_SPOOL_FOLDER"]))
    return Held(
        kilobytes=sum(resident(each) for each in processes),
        objects=objects,
        files=opened["file"],
        sockets=opened["socket"],
        threads=sum(len(list((each / "task").iterdir())) for each in processes),
        connections=connections or 0,
        temporary=sum(each.is_file() for folder in folders for each in folder.rglob("*")),
    )


def objects_of(process: int, told: Path) -> int:
    file = told / str(process)
    file.unlink(missing_ok=True)
    os.kill(process, TELL)
    assert eventually(file.exists, 30)
    return int(file.read_text())


def kind_of(descriptor: Path) -> str:
    try:
        return "socket" if str(descriptor.readlink()).startswith("socket:") else "file"
    except FileNotFoundError:
        return "closed meanwhile"


def resident(process: Path) -> int:
    """Kilobytes."""
    lines = (process / "status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1])
