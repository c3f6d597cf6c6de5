"""Rules R2 and R13: a primary that dies for good, or is one no more, while a standby takes over.

As docs/scale.md says, « Failover »: the standby is synchronous, and the address names both.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit

import pytest

from tests import postgres
from tests.faults.site import CONNECTIONS, Database, Site, durable_cluster, site_of, worker
from tests.security.outages import eventually

pytestmark = [pytest.mark.nginx, pytest.mark.timeout(300)]

NAME = "standby"
QUIET = 5
"""Seconds; whoever visits, and each worker, asks more often."""
ONLY_READ = "ALTER SYSTEM SET default_transaction_read_only = on"


@dataclass
class Pair:
    """The primary, and who follows it."""

    clusters: list[postgres.Cluster] = field(default_factory=list)

    @contextmanager
    def following(self, _folder: Path, _disks: dict[str, Path]) -> Iterator[Database]:
        with ExitStack() as stack:
            primary = stack.enter_context(durable_cluster())
            standby = stack.enter_context(postgres.standby(primary, NAME, connections=CONNECTIONS))
            self.clusters += primary, standby
            # Said after the copy: a standby that was promoted waits for nobody
            self.ask_primary(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")
            self.ask_primary("SELECT pg_reload_conf()")
            postgres.create_database(primary.address, "idp")
            yield primary, address_of(primary, standby)

    def ask_primary(self, statement: str) -> None:
        postgres.administer(self.clusters[0].address, statement)

    def promote(self) -> None:
        """The standby takes over; returns when it takes writes."""
        postgres.administer(self.clusters[1].address, "SELECT pg_promote()")


def address_of(*clusters: postgres.Cluster) -> str:
    """One that names all of them, as the guide has it."""
    there = [urlsplit(each.address) for each in clusters]
    hosts = ",".join(str(each.hostname) for each in there)
    ports = ",".join(str(each.port) for each in there)
    return (
        f"postgresql://{there[0].username}:{there[0].password}@/idp"
        f"?host={hosts}&port={ports}&target_session_attrs=read-write"
    )


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.fixture
def site(tmp_path: Path, pair: Pair) -> Iterator[Site]:
    with site_of(tmp_path, on=pair.following) as made:
        yield made


def test_r13_a_primary_that_dies_for_good_and_the_standby_that_is_promoted(
    site: Site, pair: Pair
) -> None:
    with worker(site, "mail", "work"), site.visited() as traffic:
        assert eventually(lambda: bool(site.mail.letters), 60)
        site.cluster.crash()
        assert eventually(lambda: ("way in", "503") in traffic.answers.failed(), 30)
        sleep(2)  # until somebody, or something, has decided
        with traffic.mending():
            pair.promote()
        outcome = site.judge_unplanned("PostgreSQL dies for good, its standby is promoted", traffic)
        before = len(site.mail.letters)
        assert eventually(lambda: len(site.mail.letters) > before, 30), "mails go on"
    assert {what for _, what in outcome.failed} == {"503"}, site.machine.complaints


def test_r2_a_primary_that_is_demoted_keeps_no_connection(site: Site, pair: Pair) -> None:
    """It lives on, only to be read: its connections are open, and nothing else would end them."""
    with worker(site, "mail", "work"), site.visited() as traffic:
        assert eventually(lambda: bool(site.mail.letters), 60)
        pair.ask_primary(ONLY_READ)
        pair.ask_primary("SELECT pg_reload_conf()")
        assert eventually(lambda: ("way in", "503") in traffic.answers.failed(), 30)
        sleep(2)
        with traffic.mending():
            pair.promote()
        outcome = site.judge_unplanned("PostgreSQL is demoted, its standby is promoted", traffic)
        assert eventually(lambda: not asked_at(pair), 30), asked_at(pair)
        before = len(site.mail.letters)
        assert eventually(lambda: len(site.mail.letters) > before, 30), "mails go on"
    assert {what for _, what in outcome.failed} == {"503"}, site.machine.complaints


def asked_at(pair: Pair) -> list[str]:
    """What the former primary was asked lately. A connection that nobody uses may be open still."""
    import psycopg

    asked = f"""
        SELECT query FROM pg_stat_activity WHERE datname = 'idp'
        AND query_start > now() - interval '{QUIET} seconds'"""
    with psycopg.connect(f"{pair.clusters[0].address}/postgres", autocommit=True) as now:
        return [query for (query,) in now.execute(asked.encode())]
