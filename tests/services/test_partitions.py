"""The audit log in partitions, on PostgreSQL: age removes whole ones, and nothing is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
import time_machine
from alembic import command
from flask import Flask
from sqlalchemy import Connection, Index, event, func, select, text
from sqlalchemy.exc import DBAPIError

from idp import clock, purge, settings
from idp.audit import continuity, events, partitions
from idp.audit.models import AuditEvent
from idp.database import db, locks, migrations, transaction
from idp.doctor import running
from tests import pooler

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]

DAY = timedelta(days=1)
MONTH = timedelta(days=30)


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "LEAST", 10)


def recorded(count: int, at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        for _ in range(count):
            events.record("sign_in", account_id="a_1")


def purged(at: datetime) -> int:
    with time_machine.travel(at, tick=False):
        return purge.run(pause=0)["audit_events"]


def ends() -> list[tuple[int | None, int | None]]:
    db.session.remove()
    return [(part.lower, part.upper) for part in partitions.listed(db.session)]


def left() -> int:
    db.session.remove()
    return db.session.scalar(select(func.count()).select_from(AuditEvent)) or 0


def indexes() -> set[tuple[int, bool]]:
    return {
        (row.oid, row.valid)
        for row in db.session.execute(
            text(
                "SELECT indexrelid::int AS oid, indisvalid AS valid FROM pg_index"
                " WHERE indrelid::regclass::text LIKE 'audit_events%'"
            )
        )
    }


def some_months(begin: datetime, months: int) -> None:
    """A partition's worth of events each month, and the daily purge now and then."""
    for number in range(months):
        recorded(20, begin + number * MONTH)
        purged(begin + number * MONTH + DAY)


def test_a_new_installation_has_one_partition_without_an_end(app: Flask) -> None:
    recorded(9, clock.now())
    purged(clock.now() + DAY)
    assert ends() == [(None, None)]


def test_partitions_get_an_end_ahead_of_the_events(app: Flask) -> None:
    begin = clock.now()
    some_months(begin, 3)
    found = ends()
    newest = db.session.scalar(select(func.max(AuditEvent.id)))
    assert len(found) >= 2
    assert (found[0][0], found[-1][1]) == (None, None)
    assert all(end == next_begin for (_, end), (next_begin, _) in pairwise(found))
    assert newest is not None
    assert found[-2][1] is not None
    assert found[-1][0] == found[-2][1]
    assert left() == 60
    assert ({valid for _, valid in indexes()}, leftover_rules()) == ({True}, [])


def leftover_rules() -> list[str]:
    rows = db.session.scalars(text("SELECT conname FROM pg_constraint WHERE conname LIKE '%_end'"))
    return list(rows)


def test_what_is_old_leaves_with_its_partition_and_the_rest_waits(app: Flask) -> None:
    begin = clock.now()
    some_months(begin, 4)
    count, before = len(ends()), left()
    retention = settings.current().audit_retention

    assert purged(begin + retention - DAY) == 0
    assert purged(begin + retention + DAY) == 0, "the first month is not whole yet"
    assert left() == before
    removed = purged(begin + retention + 2 * MONTH)

    assert 0 < removed < before
    assert left() == before - removed
    assert len(ends()) == count - 1
    events.record("sign_in", account_id="a_1")
    assert left() == before - removed + 1


def test_the_newest_event_stays_however_old_and_history_goes_on(app: Flask) -> None:
    begin = clock.now()
    some_months(begin, 4)
    continuity.remember()
    purged(begin + settings.current().audit_retention + 99 * MONTH)
    assert left() >= 1
    db.session.remove()
    assert isinstance(continuity.history(), continuity.GoesOn)


def test_an_installation_with_few_events_loses_them_one_by_one(app: Flask) -> None:
    begin = clock.now()
    recorded(3, begin)
    recorded(3, begin + 9 * MONTH)
    assert purged(begin + settings.current().audit_retention + DAY) == 3
    assert (left(), ends()) == (3, [(None, None)])


def test_l3_no_partition_can_be_changed_or_emptied(app: Flask) -> None:
    some_months(clock.now(), 3)
    before = left()
    for part in partitions.listed(db.session):
        for words in ("TRUNCATE {}", "DELETE FROM {}", "UPDATE {} SET event = 'x'"):
            if not words.startswith("TRUNCATE") and part.upper is None:
                continue  # it may hold no row yet, and triggers are each row's
            with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
                session.execute(text(words.format(part.name)))
    assert left() == before


@contextmanager
def attachments() -> Iterator[list[str]]:
    """What PostgreSQL says of each partition that is attached meanwhile."""
    said: list[str] = []

    def note(notice: psycopg.errors.Diagnostic) -> None:
        said.append(notice.message_primary or "")

    def listen(now: Connection, _cursor: Any, statement: str, *rest: Any) -> tuple[str, Any]:
        if "ATTACH PARTITION" in statement:
            now.connection.dbapi_connection.add_notice_handler(note)  # type: ignore[union-attr]
            statement = f"SET LOCAL client_min_messages = debug1; {statement}"
        return statement, rest[0]

    event.listen(db.engine, "before_cursor_execute", listen, retval=True)
    try:
        yield said
    finally:
        event.remove(db.engine, "before_cursor_execute", listen)
        db.engine.dispose()


def test_no_cut_reads_the_events_while_it_holds_the_log(app: Flask) -> None:
    with attachments() as said:
        some_months(clock.now(), 6)
    attached = {words for words in said if "partition constraint" in words}
    assert len(attached) == len(ends()) - 1 >= 3, said
    assert all("is implied by existing constraints" in words for words in attached), said
    assert not [words for words in said if words.startswith("verifying table")]


def test_events_are_recorded_while_partitions_are_cut(app: Flask) -> None:
    recorded(15, clock.now())
    done, counts = Event(), [0, 0]

    def record(which: int) -> None:
        with app.app_context():
            while not done.is_set():
                events.record("sign_in", account_id="a_1")
                counts[which] += 1
            db.session.remove()

    threads = [Thread(target=record, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    purge.run(pause=0)
    done.set()
    for thread in threads:
        thread.join()
    assert len(ends()) == 2
    assert left() == 15 + sum(counts)


@contextmanager
def somebody_reads(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url) as reader:
        reader.execute("SELECT count(*) FROM audit_events")
        yield reader


@pytest.mark.long
def test_a_long_read_holds_up_the_cut_and_nobody_else(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(locks, "PAUSE", 0.1)
    recorded(15, clock.now())
    with somebody_reads(database_url):
        purge.run(pause=0)
        assert ends() == [(None, None)]
        recorded(1, clock.now())
    assert leftover_rules() == []
    purge.run(pause=0)
    assert len(ends()) == 2


@pytest.mark.long
def test_nobody_waits_behind_a_cut_that_waits_and_it_goes_on_once_the_reader_has_left(
    app: Flask, database_url: str
) -> None:
    recorded(15, clock.now())
    longest = 0.0

    def cut() -> None:
        with app.app_context():
            purge.run(pause=0)
            db.session.remove()

    cutting = Thread(target=cut)
    with somebody_reads(database_url):
        cutting.start()
        for _ in range(5):  # fewer than half a partition, which is small here
            sleep(0.7)
            began = monotonic()
            events.record("sign_in", account_id="a_1")
            longest = max(longest, monotonic() - began)
    cutting.join()
    assert longest < 1.6, "half a second behind the cut, and what a busy machine adds"
    assert len(ends()) == 2


def test_what_was_cut_short_is_finished_by_the_next_purge(app: Flask) -> None:
    begin = clock.now()
    some_months(begin, 4)
    first = partitions.listed(db.session)[0]
    db.session.remove()
    with db.engine.connect() as now:
        now.exec_driver_sql(
            "UPDATE pg_inherits SET inhdetachpending = true"
            f" WHERE inhrelid = '{first.name}'::regclass"
        )
    purged(begin + settings.current().audit_retention)
    assert first.name not in {each.name for each in partitions.listed(db.session)}


def detached_by_a_purge_that_died(part: partitions.Partition) -> None:
    db.session.remove()
    with db.engine.connect() as now:
        now.exec_driver_sql(f"ALTER TABLE audit_events DETACH PARTITION {part.name}")


def is_there(table: str) -> bool:
    db.session.remove()
    return db.session.scalar(text(f"SELECT to_regclass('{table}')")) is not None


def test_what_left_the_log_and_was_not_dropped_goes_with_the_next_purge(app: Flask) -> None:
    begin = clock.now()
    some_months(begin, 4)
    first, second, *_ = partitions.listed(db.session)
    for part in (first, second):
        detached_by_a_purge_that_died(part)
    with db.engine.connect() as now:
        now.exec_driver_sql(f"CREATE TABLE audit_events_from_1 AS SELECT * FROM {first.name}")
    retention = settings.current().audit_retention

    assert purged(begin + retention - DAY) == 0
    assert (is_there(first.name), is_there(second.name)) == (True, True), "not that old yet"
    assert purged(begin + retention + MONTH + DAY) >= 20
    assert not is_there(first.name)
    purged(begin + retention + 9 * MONTH)
    assert not is_there(second.name)
    assert is_there("audit_events_from_1"), "somebody's copy"


@contextmanager
def a_picture_is_kept(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Of the database as it is now, as a backup does."""
    with psycopg.connect(url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT count(*) FROM audit_events")
        yield reader


@pytest.mark.long
@pytest.mark.parametrize("reads", [somebody_reads, a_picture_is_kept])
def test_who_reads_the_log_for_hours_holds_up_what_leaves_and_neither_the_purge_nor_anybody_else(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch, reads: Any
) -> None:
    monkeypatch.setattr(locks, "PAUSE", 0.1)
    monkeypatch.setattr(partitions, "PATIENCE", 2.0)
    begin = clock.now()
    some_months(begin, 4)
    first = partitions.listed(db.session)[0]
    late = begin + settings.current().audit_retention + 9 * MONTH
    ended, longest, came = Event(), 0.0, 0

    def purge_twice() -> None:
        with app.app_context():
            for _ in range(2):  # what the first has begun the second finds
                purged(late)
            db.session.remove()
            ended.set()

    with reads(database_url) as reader:
        before = left() - db.session.scalar(text(f"SELECT count(*) FROM {first.name}"))
        db.session.remove()
        purging = Thread(target=purge_twice)
        purging.start()
        until = monotonic() + 60
        while not ended.is_set() and monotonic() < until:
            began = monotonic()
            with db.engine.connect() as now:
                now.exec_driver_sql(RECORDED)
                now.exec_driver_sql("SELECT max(id) FROM audit_events")
            longest, came = max(longest, monotonic() - began), came + 1
            sleep(0.05)
        assert ended.is_set(), "it waits for who reads"
        assert reader.execute("SELECT count(*) FROM audit_events").fetchone()
        assert partitions.leaving() == [first.name]
        assert left() == before + came, "what leaves is out of sight, and the rest waits"
        assert [each.subject for each in running._audit_log_is_cut()] == ["audit trail"]
    purging.join()
    # Of the pooler's three connections this test has all: who comes waits for one of them
    most = 1.6 + (partitions.PATIENCE if pooler.WANTED else 0)
    assert longest < most, "half a second at the most, and what a busy machine adds"
    purged(late)
    assert not is_there(first.name)
    assert list(running._audit_log_is_cut()) == []


RECORDED = (
    "INSERT INTO audit_events (at, event, result, actor, detail)"
    " VALUES (now(), 'sign_in', 'ok', '', '{}')"
)


def test_an_index_made_beside_traffic_holds_up_what_leaves_and_not_the_purge(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "PATIENCE", 1.0)
    begin = clock.now()
    some_months(begin, 4)
    first = partitions.listed(db.session)[0]
    late = begin + settings.current().audit_retention + 9 * MONTH
    with psycopg.connect(database_url) as maker:  # as CREATE INDEX CONCURRENTLY holds it
        maker.execute("LOCK TABLE audit_events IN SHARE UPDATE EXCLUSIVE MODE")
        purged(late)
        assert partitions.leaving() == []
        assert is_there(first.name)
    purged(late)
    assert not is_there(first.name)


@pytest.mark.long
def test_what_somebody_reads_when_it_has_left_goes_with_the_next_purge(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(locks, "PAUSE", 0.1)
    begin = clock.now()
    some_months(begin, 4)
    first = partitions.listed(db.session)[0]
    detached_by_a_purge_that_died(first)
    late = begin + settings.current().audit_retention + 9 * MONTH
    with psycopg.connect(database_url) as reader:
        reader.execute(f"SELECT count(*) FROM {first.name}".encode())
        purged(late)
        assert is_there(first.name)
    purged(late)
    assert not is_there(first.name)


def test_a_cut_that_was_stopped_half_way_is_told_and_finished(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(15, clock.now())

    def dies(*_: object) -> None:
        raise RuntimeError("the machine is switched off")

    with monkeypatch.context() as patched:
        patched.setattr(partitions, "_close", dies)
        with pytest.raises(RuntimeError):
            purge.run(pause=0)
    db.session.remove()
    (told,) = running._audit_log_is_cut()
    assert "would be refused" in told.sentence
    recorded(5, clock.now())

    purge.run(pause=0)

    db.session.remove()
    assert list(running._audit_log_is_cut()) == []
    recorded(50, clock.now())
    assert left() == 70


def test_two_purges_at_once_cut_once(app: Flask) -> None:
    recorded(15, clock.now())

    def work() -> None:
        with app.app_context():
            purge.run(pause=0)
            db.session.remove()

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends()) == 2


def test_an_operator_is_told_when_nobody_cuts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(70, clock.now() - 3 * MONTH)
    with db.engine.connect() as now:
        now.exec_driver_sql("ANALYZE")
    (told,) = running._audit_log_is_cut()
    assert "idp purge" in told.remedy
    purge.run(pause=0)
    assert list(running._audit_log_is_cut()) == []


def test_rows_are_counted_once_where_the_whole_has_a_count_of_its_own(app: Flask) -> None:
    some_months(clock.now(), 3)
    db.session.remove()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as now:
        now.exec_driver_sql("ANALYZE audit_events")
        assert migrations.estimated_rows(now, "audit_events") == left()


def test_an_index_is_made_in_each_partition_beside_traffic(app: Flask) -> None:
    some_months(clock.now(), 3)
    db.session.remove()
    index = Index("ix_audit_events_result", AuditEvent.__table__.c.result)
    try:
        with db.engine.connect() as now:
            now.exec_driver_sql("CREATE INDEX ix_audit_events_result ON ONLY audit_events (result)")
            assert index in migrations.missing(now, db.metadata)
            migrations.concurrently(db.engine, index)
            assert migrations.missing(now, db.metadata) == []
    finally:
        AuditEvent.__table__.indexes.discard(index)


class TestMigration:
    def test_the_table_that_was_there_becomes_the_first_partition_as_it_stands(
        self, app: Flask
    ) -> None:
        command.downgrade(migrations.configuration(), "0047")
        recorded(20, clock.now())
        before, file = indexes(), file_of("audit_events")
        db.session.remove()

        command.upgrade(migrations.configuration(), "0053")  # later ones make indexes of their own

        assert file_of("audit_events_first") == file
        after = indexes()
        assert before < after, "none was made again"
        assert len(after) == 2 * len(before)
        assert {valid for _, valid in after} == {True}
        recorded(1, clock.now())
        assert left() == 21
        db.session.remove()
        command.upgrade(migrations.configuration(), "head")
        command.check(migrations.configuration())

    def test_the_previous_release_goes_on_recording_with_what_it_has_prepared(
        self, app: Flask, database_url: str
    ) -> None:
        command.downgrade(migrations.configuration(), "0047")
        recording = (
            "INSERT INTO audit_events (at, event, result, actor, detail)"
            " VALUES (now(), %s, 'ok', '', '{}') RETURNING id"
        )
        reading = "SELECT id FROM audit_events ORDER BY id DESC LIMIT 1"
        with psycopg.connect(database_url, autocommit=True) as former:
            for statement, values in ((recording, ("sign_in",)), (reading, ())):
                former.execute(statement, values, prepare=True)
            command.upgrade(migrations.configuration(), "head")
            recorded_as = former.execute(recording, ("sign_in",), prepare=True).fetchone()
            assert former.execute(reading, prepare=True).fetchone() == recorded_as
        assert left() == 2

    def test_all_partitions_become_one_table_again(self, app: Flask) -> None:
        some_months(clock.now(), 3)
        db.session.remove()
        command.downgrade(migrations.configuration(), "0047")
        assert left() == 60
        recorded(1, clock.now())
        assert left() == 61
        with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
            session.execute(text("DELETE FROM audit_events"))
        db.session.remove()
        command.upgrade(migrations.configuration(), "head")
        command.check(migrations.configuration())
        assert left() == 61


def file_of(table: str) -> int:
    return int(db.session.scalar(text(f"SELECT pg_relation_filenode('{table}')")))


def test_a_plain_read_of_the_newest_touches_the_newest_partition_alone(app: Flask) -> None:
    some_months(clock.now(), 6)
    db.session.remove()
    with db.engine.connect() as now:
        now.exec_driver_sql("ANALYZE")
        now.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(
            now.exec_driver_sql(
                "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT id FROM audit_events"
                " WHERE account_id = 'a_1' ORDER BY id DESC LIMIT 5"
            ).scalars()
        )
        now.exec_driver_sql("RESET enable_seqscan")
    assert plan.count("never executed") >= len(ends()) - 2, plan
