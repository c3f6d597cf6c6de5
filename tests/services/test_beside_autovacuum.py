"""A change of tables gets past PostgreSQL's autovacuum, which may be at a large one for hours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from alembic import command
from flask import Flask
from psycopg.sql import SQL, Identifier

from idp import purge
from idp.audit import events, partitions
from idp.cli import upgrading
from idp.database import db, migrations
from idp.readiness import schema
from tests.security.outages import eventually

pytestmark = [
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
    pytest.mark.long,
]

SLOWLY = {
    "autovacuum_vacuum_threshold": 10,
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_cost_delay": 100,
    "autovacuum_vacuum_cost_limit": 1,
}
"""Two or three pages a second."""
DEAD_ROWS = (
    "INSERT INTO {} (at, event, result, actor, detail)"
    " SELECT now(), 'sign_in', 'ok', '', json_build_object('x', repeat('x', 1500))"
    " FROM generate_series(1, 800)"
)
AT_WORK = (
    "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE a.backend_type = 'autovacuum worker' AND l.granted AND l.relation = {}::regclass"
)


@contextmanager
def autovacuum_at(table: str, url: str) -> Iterator[None]:
    """One that is at work on a table, and would be for a minute."""
    name = Identifier(table)
    with psycopg.connect(url, autocommit=True) as now:

        def told() -> int:
            row = now.execute(SQL(AT_WORK).format(table)).fetchone()
            assert row is not None
            return int(row[0])

        try:
            looks_each(now, "1s")
            settings = SQL(", ").join(SQL(f"{key} = {value}") for key, value in SLOWLY.items())
            now.execute(SQL("ALTER TABLE {} SET ({})").format(name, settings))
            with now.transaction(force_rollback=True):
                now.execute(SQL(DEAD_ROWS).format(name))
            assert eventually(lambda: told() > 0, 60)
            yield
        finally:
            looks_each(now, None)
            names = SQL(", ").join(map(SQL, SLOWLY))
            now.execute(SQL("ALTER TABLE IF EXISTS {} RESET ({})").format(name, names))


def looks_each(now: psycopg.Connection[Any], time: str | None) -> None:
    """How often PostgreSQL looks what is to be vacuumed; None: as before."""
    words = "SET autovacuum_naptime = {}" if time else "RESET autovacuum_naptime"
    now.execute(SQL("ALTER SYSTEM " + words).format(time))
    now.execute("SELECT pg_reload_conf()")


def test_the_audit_log_is_cut_while_autovacuum_is_at_its_partition(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "LEAST", 10)
    for _ in range(15):
        events.record("sign_in", account_id="a_1")
    db.session.remove()
    with autovacuum_at("audit_events_first", database_url):
        purge.run(pause=0)
        db.session.remove()
        assert len(partitions.listed(db.session)) == 2
        assert partitions.refuses_from() is None


def test_an_upgrade_gets_past_autovacuum(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrading, "TRIES", 4)
    command.downgrade(migrations.configuration(), "0047")
    db.session.remove()
    with autovacuum_at("audit_events", database_url):
        upgrading.upgrade("head", lambda _words: None)
    assert schema().up_to_date
