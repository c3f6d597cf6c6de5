"""Rule R12: from the former release to this one and back, while parents sign in."""

from pathlib import Path
from time import sleep

import pytest

from tests.faults import releases
from tests.faults.machines import Machine, reload
from tests.faults.site import site_of
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]


def test_r12_an_upgrade_while_serving_and_the_way_back(tmp_path: Path) -> None:
    former = releases.former(tmp_path / "former")
    this = releases.this(tmp_path / "this")
    installed = tmp_path / "installed"
    installed.symlink_to(former.folder)
    back = ("db", "downgrade", former.newest_schema, "--yes")
    with site_of(
        tmp_path,
        count=2,
        program=(str(installed / "bin/idp"),),
        first=(str(this.folder / "bin/idp"), *back),
    ) as site:
        first, second = site.machines
        with site.visited() as traffic:
            upgraded = first.run_as((str(this.folder / "bin/idp"),), "db", "upgrade")
            assert upgraded.returncode == 0, upgraded.stderr
            sleep(3)  # the former release serves the new schema
            installed.unlink()
            installed.symlink_to(this.folder)
            reload(first)
            begun = [(machine, len(machine.log)) for machine in site.machines]
            assert eventually(lambda: all(has_taken_part(*each) for each in begun), 30)
            reload(second)
            sleep(1)
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


def has_taken_part(machine: Machine, begun: int) -> bool:
    """nginx sends each request to the next machine: what one of them made, the other takes."""
    log = machine.log[begun:]
    return log.count("/oauth2/token") > 10 and log.count("/interaction/") > 5
