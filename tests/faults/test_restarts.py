"""Rule R12: restarts behind the nginx of the guide, under load: no request is lost."""

import signal
from pathlib import Path
from time import sleep

import pytest

from tests.faults.machines import DRAIN, Machine
from tests.faults.site import site_of
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]


def renewed(machine: Machine, times: int) -> bool:
    return machine.log.count("Another generation serves") == times


def test_r12_two_machines_restarted_one_after_the_other_lose_no_request(tmp_path: Path) -> None:
    with site_of(tmp_path, count=2, IDP_DRAIN=DRAIN) as site, site.visited() as traffic:
        for machine in site.machines:
            machine.stop()
            machine.start()
        sleep(1)
        site.judge_planned("two machines restart, one after the other", traffic)


def test_r12_one_machine_takes_new_code_and_settings_without_losing_a_request(
    tmp_path: Path,
) -> None:
    with site_of(tmp_path, IDP_DRAIN=DRAIN) as site:
        machine, keys = site.machine, "/oauth2/jwks"
        assert "max-age=3600" in site.door.ask("keys", "GET", keys).headers["Cache-Control"]
        with site.visited(balancer=True) as traffic:
            for times, cache in ((1, "1200"), (2, "600")):
                machine.settings(IDP_KEY_CACHE=cache)
                machine.signal(signal.SIGHUP)
                assert eventually(lambda times=times: renewed(machine, times), 60), machine.log
            # the one before is gone with its last answer
            assert eventually(lambda: machine.log.count("see ya") == 2, 60), machine.log
            site.judge_planned("a machine takes new settings, twice (SIGHUP)", traffic)
        assert "max-age=600" in site.door.ask("keys", "GET", keys).headers["Cache-Control"]

        machine.settings(IDP_SESSION_SECRET="short")
        machine.signal(signal.SIGHUP)
        assert eventually(lambda: "did not start" in machine.log, 60), machine.log
        assert "IDP_SESSION_SECRET is weak" in machine.log
        assert machine.ready
        machine.stop()
