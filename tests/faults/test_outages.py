"""Rules R1 to R3 and R9: what is killed, goes away or is an older one costs some answers, nothing
that was answered, and passes within seconds.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from idp.audit import continuity
from tests import postgres
from tests.faults import letters, outcomes
from tests.faults.changes import LED
from tests.faults.machines import Machine
from tests.faults.site import Site, worker
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]

UNIT = (Path(__file__).resolve().parents[2] / "deploy/systemd/idp.service").read_text()
RESTART = int(re.findall(r"^RestartSec=(\d+)$", UNIT, re.MULTILINE)[0])
"""Seconds until systemd starts what has died."""
OUT = 24
"""Seconds for which PostgreSQL is."""
NOTICED = 10
"""Seconds after which whoever waits for a PostgreSQL that is away is answered at the latest."""
AWAY = 12
"""Seconds for which the mail server is: its worker waits the longest between two looks by then."""


def test_r1_a_killed_worker(site: Site) -> None:
    before = site.machine.workers
    with site.visited() as traffic:
        os.kill(before[0], signal.SIGKILL)
        traffic.cause_is_gone()
        outcome = site.judge_unplanned("kill -9 of a worker", traffic)
    assert len(site.machine.workers) == len(before)
    assert before[0] not in site.machine.workers
    assert sum(outcome.failed.values()) <= 10, outcome.cells  # what it was answering


def test_r1_a_killed_server(site: Site) -> None:
    """All of it at once: the main process, the generation that it keeps, the workers."""
    with site.visited() as traffic, restarted(site.machine):
        site.machine.kill()
        traffic.cause_is_gone()
        site.judge_unplanned("kill -9 of all", traffic)


def test_r2_postgresql_that_breaks_down(site: Site) -> None:
    with site.visited() as traffic:
        site.cluster.crash()
        sleep(1)  # until what it had answered has come
        gone = monotonic()
        sleep(OUT)
        answered = traffic.answers.kinds(gone) - {LED}
        assert traffic.answers.slowest(gone) <= NOTICED * outcomes.busy()
        with traffic.mending():
            site.cluster.start()
        outcome = site.judge_unplanned(f"PostgreSQL breaks down for {OUT} s (immediate)", traffic)
    assert answered == set(), "nobody was told that something is done"
    assert {what for _, what in outcome.failed} == {"503"}, outcome.cells


def test_r3_a_mail_server_that_is_away(site: Site) -> None:
    with worker(site, "mail", "work"), site.visited() as traffic, site.reading() as now:
        assert eventually(lambda: bool(site.mail.letters), 30)
        site.mail.stop()
        sleep(AWAY)
        waited = letters.waiting(now)
        site.mail.start()
        traffic.cause_is_gone()
        left = letters.emptied(now, 60)
        took = f"{waited} mails, gone {left.seconds:.1f} s later"
        site.judge_planned(f"the mail server is away for {AWAY} s ({took})", traffic)
    assert waited
    assert left.is_in_time, left


def test_r9_an_older_database_that_is_put_back_under_load_serves_nobody(site: Site) -> None:
    """By other means than ours, and with servers and a worker that run: the guide stops them."""
    older = copied(site)
    with worker(site, "mail", "work"), site.visited() as traffic:
        assert eventually(lambda: bool(traffic.done.ends), 60)
        sleep(2 * continuity.LOOK_EVERY)  # what was done since is known beside the keys
        with put_back(site, older):
            sleep(1)  # until what the newer one had answered has come
            gone = monotonic()
            sleep(2 * continuity.LOOK_EVERY)
            answered = traffic.answers.kinds(gone) - {LED}
            came = len(site.mail.letters)
            sleep(2)
            assert len(site.mail.letters) == came, "and no mail is sent"
        traffic.cause_is_gone()
        outcome = site.judge_unplanned("an older database is put back, then the newer", traffic)
    assert answered == set(), "nobody was told that something is done"
    assert {what for _, what in outcome.failed} == {"503"}, site.machine.complaints


CLOSED = (
    "ALTER DATABASE idp ALLOW_CONNECTIONS false",
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'idp'",
)
OPENED = "ALTER DATABASE idp ALLOW_CONNECTIONS true"


def copied(site: Site) -> str:
    """The database as it is now, under another name."""
    administer(site, *CLOSED, "CREATE DATABASE older TEMPLATE idp TABLESPACE pg_default", OPENED)
    return "older"


@contextmanager
def put_back(site: Site, older: str) -> Iterator[None]:
    """It takes the place of the one that is there, for as long as the block lasts."""

    def renamed(name: str, to: str) -> str:
        return f"ALTER DATABASE {name} RENAME TO {to}"

    administer(site, *CLOSED, renamed("idp", "newer"), renamed(older, "idp"))
    yield
    administer(site, *CLOSED, renamed("idp", older), renamed("newer", "idp"), OPENED)


def administer(site: Site, *statements: str) -> None:
    for each in statements:
        postgres.administer(site.cluster.address, each)


class restarted:  # noqa: N801 - it reads as a sentence
    """The machine's systemd: what has died is started again."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._end = Event()
        self._watch = Thread(target=self._restart)

    def __enter__(self) -> None:
        self._watch.start()

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._watch.join()

    def _restart(self) -> None:
        while not self._end.wait(0.1):
            if self._machine.server is not None and self._machine.server.poll() is not None:
                self._end.wait(RESTART)
                self._machine.launch()
