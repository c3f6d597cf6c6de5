"""Rules R1 and R6 on a site with SQLite: what is killed or full costs some answers, and no row."""

import os
import signal
import sqlite3
from collections.abc import Iterator

import pytest

from tests.faults.site import Site, on_sqlite, site_of
from tests.faults.test_disks import fills_up_under_the_database
from tests.faults.test_outages import restarted

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), on=on_sqlite) as made:
        yield made


def test_r1_a_killed_worker(site: Site) -> None:
    with site.visited() as traffic:
        os.kill(site.machine.workers[0], signal.SIGKILL)
        traffic.cause_is_gone()
        site.judge_unplanned("SQLite: kill -9 of a worker", traffic)
    assert said_of(site) == "ok"


def test_r1_a_killed_server(site: Site) -> None:
    with site.visited() as traffic, restarted(site.machine):
        site.machine.kill()
        traffic.cause_is_gone()
        site.judge_unplanned("SQLite: kill -9 of all", traffic)
    assert said_of(site) == "ok"


def test_r6_the_disk_of_the_database(site: Site) -> None:
    with site.visited() as traffic:
        fills_up_under_the_database(site, traffic, "SQLite: full disk: database")
    assert said_of(site) == "ok"


def said_of(site: Site) -> str:
    """What SQLite itself finds in the file."""
    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return str(said)
