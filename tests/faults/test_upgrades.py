"""Rule R12: from the former release to this one and back, while parents sign in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.faults import letters, releases
from tests.faults.machines import DRAIN, Machine, reload
from tests.faults.releases import Release
from tests.faults.site import Site, site_of, worker
from tests.faults.test_disks import upload
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(600)]


@pytest.mark.parametrize("before", [releases.former, releases.newest], ids=["schema", "newest"])
def test_r12_an_upgrade_while_serving_and_the_way_back(
    before: Callable[[Path], Release], tmp_path: Path
) -> None:
    """From the newest release with another schema, and from the newest of all."""
    former = before(tmp_path / "former")
    this = releases.this(tmp_path / "this")
    installed = tmp_path / "installed"
    installed.symlink_to(former.folder)
    back = ("db", "downgrade", former.newest_schema, "--yes")
    with site_of(
        tmp_path,
        count=2,
        program=(str(installed / "bin/idp"),),
        first=(str(this.folder / "bin/idp"), *back),
        IDP_DRAIN=DRAIN,
    ) as site:
        first, second = site.machines
        logged = len(first.log)
        with workers(site), site.visited() as traffic:
            upgraded = first.run_as((str(this.folder / "bin/idp"),), "db", "upgrade")
            assert upgraded.returncode == 0, upgraded.stderr
            sent = len(site.mail.letters)
            assert upload(site) == ""
            # The former release serves the new schema, and its workers go on
            assert eventually(lambda: len(site.mail.letters) > sent + 5, 60)
            assert eventually(lambda: imports_waiting(site) == 0, 60)
            installed.unlink()
            installed.symlink_to(this.folder)
            reload(first)
            begun = [(machine, len(machine.log)) for machine in site.machines]
            assert eventually(lambda: all(has_taken_part(*each) for each in begun), 30)
            reload(second)
            with workers(site), site.reading() as now:  # this release's, beside those of the former
                sent = len(site.mail.letters)
                assert eventually(lambda: len(site.mail.letters) > sent + 5, 60)
                assert letters.emptied(now, 30).seconds < 30
            assert " waits: " not in first.log[logged:]
            site.judge_planned(f"rolling upgrade from {former.version}", traffic)

        handed_out = traffic.done.ends
        for machine in site.machines:
            machine.stop()
        assert first.run_as((str(this.folder / "bin/idp"),), *back).returncode == 0
        installed.unlink()
        installed.symlink_to(former.folder)
        for machine in site.machines:
            machine.start()
        with site.visited() as traffic:
            for token in handed_out[-10:]:
                traffic.application.refresh(token)
            site.judge_planned(f"back at {former.version}", traffic)


@contextmanager
def workers(site: Site) -> Iterator[None]:
    """What runs beside the servers, of the release that is installed."""
    with ExitStack() as stack:
        for what in ("mail", "roster", "notify"):
            stack.enter_context(worker(site, what, "work"))
        yield


def imports_waiting(site: Site) -> int:
    with site.reading() as now:
        return now.scalar(text("SELECT count(*) FROM roster_jobs WHERE state = 'waiting'")) or 0


def has_taken_part(machine: Machine, begun: int) -> bool:
    """nginx sends each request to the next machine: what one of them made, the other takes."""
    log = machine.log[begun:]
    return log.count("/oauth2/token") > 10 and log.count("/interaction/") > 5
