"""Rule R5: a machine's clock that steps by an hour or a year, there and back, under load."""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest
import time_machine

from tests.faults import letters
from tests.faults.household import let_in
from tests.faults.site import Site, site_of, worker
from tests.faults.traffic import Traffic
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]

SOURCE = Path(__file__).with_name("stepped_clock.c")
HOUR = 3600
STEPS = (("an hour", HOUR), ("a year", 365 * 24 * HOUR))


class Clock:
    """What the machine's processes take for the time; others have their own.

    Not by libfaketime: under it ``time.sleep`` fails, and threads wait many seconds for each other.
    """

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler is installed (Debian: apt-get install gcc libc6-dev)")
        self._library, self._file = folder / "clock.so", folder / "clock"
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", self._library, SOURCE]
        subprocess.run(command, check=True)
        self._file.write_bytes(bytes(8))

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "STEPPED_CLOCK": str(self._file)}

    def step(self, to: int) -> None:
        """Be so many seconds ahead from now on."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", to))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture
def site(tmp_path: Path, clock: Clock) -> Iterator[Site]:
    with site_of(tmp_path, environment=clock.environment) as made:
        yield made


def test_r5_a_clock_that_steps(site: Site, clock: Clock) -> None:
    """All that runs on the machine goes by it: the servers, the mail worker, and who signs in."""
    with worker(site, "mail", "work"):
        for by, seconds in STEPS:
            with site.visited() as traffic:
                stepped(site, clock, traffic, f"{by} ahead", seconds)
                came = len(site.mail.letters)
                assert eventually(lambda came=came: len(site.mail.letters) > came + 2, 60)
                site.mail.stop()
                with site.reading() as now:
                    assert eventually(lambda now=now: letters.waiting(now) > 2, 60)
            with site.visited() as traffic, site.reading() as now:
                site.mail.start()
                stepped(site, clock, traffic, f"{by} back", 0)
                left = letters.emptied(now, 120)
            assert left.is_in_time, ("of a clock ahead", left)
            assert left.seconds < 100, "it has come back by itself"


def stepped(site: Site, clock: Clock, traffic: Traffic, name: str, to: int) -> None:
    clock.step(to)
    traffic.secretary = secretary_signs_in(site, to)  # her session is over, as it should be
    traffic.cause_is_gone()
    site.judge_unplanned(f"the clock steps {name}", traffic)
    assert traffic.application.last_issued_at == pytest.approx(time() + to, abs=60)


def secretary_signs_in(site: Site, ahead: int) -> str:
    """Anew, by the machine's clock."""
    with site.reading(), time_machine.travel(time() + ahead):
        return let_in("secretary")
