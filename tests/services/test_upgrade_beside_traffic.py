"""An upgrade of PostgreSQL stops nobody: indexes beside traffic, fills in batches, short locks."""

import re
from threading import Event, Thread, Timer
from time import monotonic, sleep
from typing import Any

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import event, inspect, select, text

from idp.audit import events
from idp.cli import upgrading
from idp.cli.errors import BadInput
from idp.database import db, locks, migrations
from idp.mail import outbox
from idp.people import search_index
from idp.people.search_index import DirectoryEntry
from idp.readiness import revisions
from idp.sessions import service as sessions
from tests import factories
from tests.upgrade_rules import GROWING, Made, breach, plain, statements_of, waits_for_ever

pytestmark = [
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

JUDGED_FROM = "0021"
"""Migrations after this one must keep the rules; those before landed without them."""
SECONDS_HELD = 5.0


def some_of_everything() -> None:
    school = factories.school()
    for number in range(3):
        account = factories.account(f"parent{number}", password=None)
        factories.guardianship(account, factories.child(school))
        events.record("sign_in", account_id=account.id)
        outbox.enqueue("invitation", account_id=account.id)
        sessions.begin(account.id, amr=("pwd",), acr="1")
    db.session.remove()


def test_new_migrations_stop_nobody(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    some_of_everything()
    command.downgrade(migrations.configuration(), JUDGED_FROM)
    new = GROWING - set(inspect(db.engine).get_table_names())  # empty when they are made
    monkeypatch.setattr(migrations, "GROWN", -2)
    made: list[Made] = []
    with statements_of(made):
        command.upgrade(migrations.configuration(), "head")
    broken = [told for each in made if (told := breach(each))]
    assert [each for each in broken if not any(f" {name} " in each for name in new)] == []


@pytest.mark.parametrize(
    ("made", "broken"),
    [
        (Made("CREATE INDEX ix ON audit_events (at)", False, True), True),
        (Made('CREATE INDEX "ix" ON "audit_events_first" (at)', True, True), True),
        (Made("CREATE UNIQUE INDEX ix ON accounts (x)", False, True), True),
        (Made("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix ON outbox (at)", True, False), False),
        (Made("CREATE INDEX ix ON ONLY audit_events (at)", True, False), True),
        (Made("CREATE INDEX ix ON ONLY audit_events (at)", True, True), False),
        (Made("CREATE INDEX ix ON ONLY accounts (x)", True, True), True),
        (Made('ALTER INDEX "ix" ATTACH PARTITION "ix_first"', True, False), True),
        (Made('ALTER INDEX "ix" ATTACH PARTITION "ix_first"', True, True), False),
        (Made("DROP INDEX ix", True, False), True),
        (Made("DROP INDEX CONCURRENTLY ix", True, False), False),
        (Made("ALTER TABLE schools ADD COLUMN x INTEGER", False, False), True),
        (Made("SELECT 1", False, False), False),
        (Made("CREATE INDEX ix ON schools (name)", False, True), False),
        (Made("UPDATE accounts SET x = 1", False, True), True),
        (Made("UPDATE accounts SET x = 1 WHERE id > 'a'", True, True), False),
        (Made("INSERT INTO directory_entries SELECT 1", False, True), True),
        (Made("ALTER TABLE accounts ADD CONSTRAINT c CHECK (x > 1)", False, True), True),
        (Made("ALTER TABLE accounts ADD CONSTRAINT c CHECK (x > 1) NOT VALID", False, True), False),
        (Made("ALTER TABLE accounts ALTER COLUMN x SET NOT NULL", False, True), True),
        (Made("ALTER TABLE accounts ADD COLUMN x INTEGER", False, True), False),
    ],
)
def test_the_rules_see_what_would_stop_people(database_url: str, made: Made, broken: bool) -> None:
    assert (breach(made) is not None) == broken


def test_what_has_grown_is_indexed_and_filled_beside_traffic(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_of_everything()
    command.downgrade(migrations.configuration(), "0011")
    with db.engine.connect() as now:
        now.exec_driver_sql("ANALYZE")
    monkeypatch.setattr(migrations, "GROWN", 1)
    monkeypatch.setattr(search_index, "FILLED_AT_ONCE", 1)
    made: list[Made] = []
    said: list[str] = []
    with statements_of(made):
        upgrading.upgrade("head", said.append)
    for grown in ("audit_events", "browser_sessions"):
        indexes = [
            each
            for each in made
            if re.match(rf"CREATE INDEX .* ON (?:ONLY )?{grown}\w*", plain(each.words))
        ]
        assert any("CONCURRENTLY" in each.words for each in indexes), grown
        assert [told for each in indexes if (told := breach(each))] == []
    assert [each for each in made if waits_for_ever(each)] == []
    entries = db.session.scalars(select(DirectoryEntry.account_id)).all()
    assert len([each for each in entries if each]) == 3
    assert "… 0012" in said
    command.check(migrations.configuration())  # every index of the models is there


def test_whoever_reads_for_hours_stops_no_upgrade(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup, for one: an index beside traffic waits for it, also where it reads other tables."""
    some_of_everything()
    command.downgrade(migrations.configuration(), JUDGED_FROM)
    monkeypatch.setattr(upgrading, "TRIES", 1)
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as backup:
        backup.execute(text("SELECT 1"))  # the picture of the database that it keeps
        upgrading.upgrade("head", lambda _words: None)
    command.check(migrations.configuration())


def test_half_an_index_is_made_again(app: Flask) -> None:
    with db.engine.connect() as now:
        now.exec_driver_sql("DROP INDEX ix_audit_events_at")
        now.exec_driver_sql("DROP INDEX ix_outbox_recipient")
        now.exec_driver_sql("CREATE INDEX ix_outbox_recipient ON outbox (recipient_hash)")
        # Of the audit log's partitions none has its own yet, and one has half of it
        now.exec_driver_sql("DROP INDEX ix_audit_events_account_id_id")
        for name, table in (("", "ONLY audit_events"), ("_first", "audit_events_first")):
            now.exec_driver_sql(
                f"CREATE INDEX ix_audit_events_account_id_id{name} ON {table} (account_id, id)"
            )
        now.exec_driver_sql(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN"
            " ('ix_outbox_recipient'::regclass, 'ix_audit_events_account_id_id_first'::regclass)"
        )
    upgrading.upgrade("head", lambda _words: None)
    with db.engine.connect() as now:
        assert migrations.missing(now, db.metadata) == []


def test_who_waits_for_a_lock_lets_the_others_go_first(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    command.downgrade(migrations.configuration(), "0021")  # 0022 changes accounts
    monkeypatch.setattr(locks, "PAUSE", 0.1)
    reading, done = Event(), Event()

    def report_for_minutes() -> None:
        with (
            app.app_context(),
            db.engine.connect() as now,
            now.execution_options(isolation_level="READ COMMITTED").begin(),
        ):
            now.execute(text("SELECT count(*) FROM accounts"))
            reading.set()
            done.wait(60)

    said: list[str] = []

    def upgrade() -> None:
        with app.app_context():
            upgrading.upgrade("head", said.append)

    threads = [Thread(target=report_for_minutes), Thread(target=upgrade)]
    threads[0].start()
    assert reading.wait(30)
    threads[1].start()
    try:
        until = monotonic() + 60
        while not any("trying again" in words for words in said) and monotonic() < until:
            began = monotonic()
            with db.engine.connect() as now:
                now.execute(text("SELECT count(*) FROM accounts"))
            assert monotonic() - began < 10, "a sign-in waited behind the upgrade"
            sleep(0.05)
    finally:
        done.set()
        for thread in threads:
            thread.join(90)
    assert any("trying again" in words for words in said)
    command.check(migrations.configuration())


def wait_for_somebody_who_waits() -> None:
    until = monotonic() + 30
    with db.engine.connect() as another:
        while not another.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
            assert monotonic() < until
            sleep(0.01)


def test_who_holds_one_of_its_tables_and_asks_for_another_is_never_the_one_that_is_refused(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL looks for who waits in a circle after a second: the upgrade lets go before."""
    command.downgrade(migrations.configuration(), "0050")  # 0051 changes schools, then accounts
    monkeypatch.setattr(locks, "PAUSE", 0.1)
    said: list[str] = []

    def upgrade() -> None:
        with app.app_context():
            upgrading.upgrade("0051", said.append)

    upgrades = Thread(target=upgrade)
    with (
        db.engine.connect() as now,
        now.execution_options(isolation_level="READ COMMITTED").begin(),
    ):
        now.execute(text("SELECT count(*) FROM accounts"))
        upgrades.start()
        wait_for_somebody_who_waits()  # it holds schools by now, and wants accounts
        now.execute(text("SELECT count(*) FROM schools"))
    upgrades.join(60)
    assert any("trying again" in words for words in said)
    with db.engine.connect() as now:
        assert revisions.current(now) == "0051"


RECORDS = (
    "INSERT INTO audit_events (at, event, result, actor, detail)"
    " VALUES (now(), 'sign_in', 'ok', '', '{}')"
)
"""An import, for one, does, and ends with its whole school."""
READS = "SELECT count(*) FROM audit_events WHERE account_id = 'a_1'"


@pytest.mark.parametrize(
    ("comes_before", "holds"),
    [
        (" ON ONLY ", RECORDS),
        ("ATTACH PARTITION", READS),
    ],
)
def test_an_index_of_the_partitions_makes_nobody_wait_for_who_holds_them(
    app: Flask, monkeypatch: pytest.MonkeyPatch, comes_before: str, holds: str
) -> None:
    some_of_everything()
    command.downgrade(migrations.configuration(), "0053")  # 0054 makes one
    monkeypatch.setattr(migrations, "GROWN", -2)
    monkeypatch.setattr(locks, "PAUSE", 0.5)
    held, said = Event(), list[str]()
    holder = db.engine.connect().execution_options(isolation_level="READ COMMITTED")

    def come(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if comes_before in statement and not held.is_set():
            holder.exec_driver_sql(holds)
            held.set()

    def upgrade() -> None:
        with app.app_context():
            upgrading.upgrade("head", said.append)

    event.listen(db.engine, "before_cursor_execute", come)
    upgrades, longest = Thread(target=upgrade), 0.0
    try:
        upgrades.start()
        assert held.wait(30)
        let_go = Timer(SECONDS_HELD, holder.close)
        let_go.start()
        while let_go.is_alive():
            began = monotonic()
            events.record("sign_in", account_id="a_1")
            db.session.remove()
            longest = max(longest, monotonic() - began)
            sleep(0.01)
    finally:
        event.remove(db.engine, "before_cursor_execute", come)
        upgrades.join(60)
        holder.close()
    assert longest < SECONDS_HELD / 2, f"an event waited for {longest:.1f} s behind the upgrade"
    assert any("trying again" in words for words in said)
    command.check(migrations.configuration())
    with db.engine.connect() as now:
        assert migrations.missing(now, db.metadata) == []


def test_an_index_that_somebody_never_lets_be_made_is_made_by_a_later_upgrade(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with db.engine.connect() as now:
        now.exec_driver_sql("DROP INDEX ix_audit_events_account_id_id")
        now.commit()
    monkeypatch.setattr(locks, "PAUSE", 0.1)
    monkeypatch.setattr(upgrading, "TRIES", 2)
    began, said = monotonic(), list[str]()
    with db.engine.connect().execution_options(isolation_level="READ COMMITTED") as holder:
        holder.exec_driver_sql(RECORDS)
        with pytest.raises(BadInput, match="2 tries what the index ix_audit_events_account_id_id"):
            upgrading.upgrade("head", said.append)
    assert monotonic() - began < SECONDS_HELD
    assert sum("trying again" in words for words in said) == 1
    upgrading.upgrade("head", said.append)
    with db.engine.connect() as now:
        assert migrations.missing(now, db.metadata) == []
