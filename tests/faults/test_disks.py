"""Rule R6: a disk without a byte left costs what needs it, loses nothing, and passes by itself."""

from time import sleep

import psycopg
import pytest

from tests import postgres
from tests.faults.door import Trouble
from tests.faults.site import Site, full
from tests.faults.traffic import Traffic
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]

ROSTER = b"pupil,class,guardian e-mail\nLina Dubois,3B,claire@families.example\n"


def disk(site: Site, name: str) -> object:
    if name not in site.disks:
        pytest.skip("no disk may be mounted here (needs root and mount)")
    return full(site.disks[name])


def fills_up_under_the_database(site: Site, traffic: Traffic, fault: str) -> None:
    """Who needs a row written is told to come again, on whichever database, and all passes."""
    with disk(site, "database"):
        assert eventually(lambda: ("sign-in", "503") in traffic.answers.failed(), 60)
        sleep(1)
    traffic.cause_is_gone()
    outcome = site.judge_unplanned(fault, traffic)
    assert {what for _, what in outcome.failed} == {"503"}, site.machine.complaints


def test_r6_the_disk_of_the_database(site: Site) -> None:
    with site.visited() as traffic:
        fills_up_under_the_database(site, traffic, "full disk: database")


def test_r6_the_disk_of_the_write_ahead_log(site: Site) -> None:
    """PostgreSQL ends at once then, and does not start until there is room."""
    with site.visited() as traffic:
        with disk(site, "write-ahead log"):
            assert eventually(lambda: _wants_a_segment_in_vain(site), 60)
            assert eventually(lambda: ("way in", "503") in traffic.answers.failed(), 60)
            sleep(3)
        with traffic.mending():
            site.cluster.revive()
        outcome = site.judge_unplanned("full disk: write-ahead log", traffic)
    assert {what for _, what in outcome.failed} == {"503"}, site.machine.complaints


def _wants_a_segment_in_vain(site: Site) -> bool:
    """Use up a segment that is there already; whether PostgreSQL has ended for want of another."""
    try:
        postgres.administer(site.cluster.address, "SELECT txid_current(), pg_switch_wal()")
    except psycopg.OperationalError:
        return True
    return False


def test_r6_the_disk_of_the_spool(site: Site) -> None:
    with site.visited() as traffic:
        with disk(site, "spool"):
            assert upload(site) == "507"
        assert upload(site) == ""
        site.judge_planned("full disk: spool", traffic)


def test_r6_the_disk_of_the_log(site: Site) -> None:
    """Nobody is refused because it can't be written down in the log."""
    with site.visited() as traffic:
        with disk(site, "log"):
            sleep(3)
        before = len(site.machine.log)
        sleep(1)
        site.judge_planned("full disk: log", traffic)
    assert len(site.machine.log) > before


def test_r6_the_disk_of_the_keys(site: Site) -> None:
    with site.visited() as traffic:
        before = site.machine.run("keys", "list", "--json").stdout
        with disk(site, "keys"):
            refused = site.machine.run("keys", "rotate", "--force")
            assert refused.returncode != 0
            assert "No space left on device" in refused.stderr
        assert site.machine.run("keys", "list", "--json").stdout == before
        assert site.machine.run("keys", "rotate", "--force").returncode == 0
        sleep(1)
        site.judge_planned("full disk: keys", traffic)


def upload(site: Site) -> str:
    """The secretary sends a roster; what was wrong with the answer."""
    browser = site.secretary()
    browser.open("desk", "/admin/imports/new")
    try:
        browser.submit(
            "upload", "import-form", ("roster.csv", ROSTER), school=site.household.school_id
        )
    except Trouble as trouble:
        return str(trouble).removeprefix("upload: ")
    return ""
