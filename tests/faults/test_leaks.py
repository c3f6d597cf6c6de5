"""Rule R20: a server that runs for weeks grows no further, whatever is asked of it."""

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import text

from tests.faults import outcomes, rows
from tests.faults.errands import Errands
from tests.faults.outcomes import Outcome
from tests.faults.site import Site, site_of

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(900)]

WARM_UP, REQUESTS = 2_500, 11_000
AT_ONCE = 4
ONE_HEAP = {"MALLOC_ARENA_MAX": "1"}
"""Threads share what one of them has given back: it is seen sooner when nobody gives it back."""


@dataclass(frozen=True)
class Held:
    """What both workers hold together while nobody asks them anything."""

    kilobytes: int
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


MOST = Held(kilobytes=6_144, files=2, sockets=16, threads=8, connections=8, temporary=0)
"""What may come. Where nothing leaks, it was seen to be 1,600 to 3,100 kB, no file, and a socket or
thread where more happened to ask at the same moment. What leaks as much as a kilobyte for each
request was seen to make 9,600."""


def test_r20_eleven_thousand_requests_leave_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with site_of(tmp_path, environment=ONE_HEAP | {"TMPDIR": str(temporary)}) as site:
        errands = Errands(site.door.anew(), site.household)
        errands.run(WARM_UP, AT_ONCE)
        workers = site.machine.workers
        before = held(site, temporary)
        errands.run(REQUESTS, AT_ONCE)
        grown = held(site, temporary) - before

        assert site.machine.workers == workers, "one was started anew, and forgot"
        answers = errands.answers
        with site.reading():
            contradicted = rows.some(rows.contradicted())
        outcome = Outcome(
            f"{REQUESTS:,} requests ({grown})",
            len(answers.heard),
            answers.failed(),
            0.0,
            answers.slowest(),
            outcomes.busy(),
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


def held(site: Site, temporary: Path) -> Held:
    sleep(2)  # what was just answered is put away
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
        files=opened["file"],
        sockets=opened["socket"],
        threads=sum(len(list((each / "task").iterdir())) for each in processes),
        connections=connections or 0,
        temporary=sum(each.is_file() for folder in folders for each in folder.rglob("*")),
    )


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
