"""Rule R5: a machine's clock that steps by an hour or a year, there and back, under load."""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from tests.faults.site import Site, site_of

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]

SOURCE = Path(__file__).with_name("stepped_clock.c")
HOUR = 3600
STEPS = (
    ("an hour ahead", HOUR),
    ("an hour back", 0),
    ("a year ahead", 365 * 24 * HOUR),
    ("a year back", 0),
)


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
    for name, seconds in STEPS:
        # The secretary's session is over then, as it should be
        with site.visited(desk=False) as traffic:
            clock.step(seconds)
            traffic.cause_is_gone()
            site.judge_unplanned(f"the clock steps {name}", traffic)
            assert traffic.application.last_issued_at == pytest.approx(time() + seconds, abs=60)
