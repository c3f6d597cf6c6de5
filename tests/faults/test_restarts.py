"""Rule R12: restarts and upgrades behind the nginx of the guide, under load: no request is lost."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.faults.machines import Machine, machines, nginx
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(170)]


@pytest.fixture
def url() -> Iterator[str]:
    with databases.fresh("postgresql") as url:
        yield url


def renewed(machine: Machine, times: int) -> bool:
    return machine.log.count("Another generation serves") == times


def test_r12_two_machines_restarted_one_after_the_other_lose_no_request(
    url: str, tmp_path: Path, keys_folder: Path
) -> None:
    with (
        machines(2, tmp_path, url, keys_folder, IDP_DRAIN="5") as both,
        nginx(tmp_path / "nginx", both) as visitors,
    ):
        with visitors.meanwhile():
            for machine in both:
                machine.stop()
                machine.start()
        assert visitors.lost == {}
        assert sum(visitors.answers.values()) > 200


def test_r12_one_machine_takes_new_code_and_settings_without_losing_a_request(
    url: str, tmp_path: Path, keys_folder: Path
) -> None:
    with (
        machines(1, tmp_path, url, keys_folder, IDP_DRAIN="5") as (machine,),
        nginx(tmp_path / "nginx", [machine]) as visitors,
    ):
        assert "max-age=3600" in visitors.get("/oauth2/jwks").headers["Cache-Control"]
        with visitors.meanwhile(("GET", "/health/ready", None)):  # a balancer's question
            for times, cache in ((1, "1200"), (2, "600")):
                machine.settings(IDP_KEY_CACHE=cache)
                machine.signal(signal.SIGHUP)
                assert eventually(lambda times=times: renewed(machine, times), 60), machine.log
            # the one before is gone with its last answer
            assert eventually(lambda: machine.log.count("see ya") == 2, 60), machine.log
        assert visitors.lost == {}
        assert "max-age=600" in visitors.get("/oauth2/jwks").headers["Cache-Control"]
        machine.stop()


def test_r12_a_server_that_would_not_start_replaces_none(
    url: str, tmp_path: Path, keys_folder: Path
) -> None:
    with machines(1, tmp_path, url, keys_folder, IDP_DRAIN="0") as (machine,):
        machine.settings(IDP_SESSION_SECRET="short")
        machine.signal(signal.SIGHUP)
        assert eventually(lambda: "did not start" in machine.log, 60), machine.log
        assert "IDP_SESSION_SECRET is weak" in machine.log
        assert machine.ready
        machine.stop()
