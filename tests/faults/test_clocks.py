"""Rule R5: a machine's clock that steps by an hour or a year, there and back, under load."""

from collections.abc import Iterator
from pathlib import Path
from time import time

import pytest

from tests.faults.site import Site, site_of

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]

HOUR = 3600
STEPS = (
    ("an hour ahead", HOUR),
    ("an hour back", 0),
    ("a year ahead", 365 * 24 * HOUR),
    ("a year back", 0),
)


class Clock:
    """What the machine's processes take for the time; others have their own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.step(0)

    @property
    def environment(self) -> dict[str, str]:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")
        return {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, to: int) -> None:
        """Be so many seconds ahead from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"+{to}")
        new.replace(self._file)


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
