"""Rule L3: events leave the audit trail by age alone, by the purge alone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from alembic import command
from flask import Flask
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import DBAPIError

from idp import purge
from idp.audit import events, partitions, removal
from idp.audit.models import AuditEvent, InstallationMark
from idp.database import db, migrations, transaction
from idp.doctor import installation
from idp.people.guardianships import LiveGuardianship
from idp.readiness import invariants
from tests import databases
from tests.cli.guide import blocks
from tests.relying_party import world
from tests.security.outages import databases_app


def left() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(AuditEvent)) or 0


@pytest.fixture
def two_events(app: Flask) -> None:
    events.record("sign_in", account_id="a_1")
    events.record("session_ended", account_id="a_1")


@pytest.mark.usefixtures("two_events")
def test_l3_an_event_is_removed_by_nobody_who_does_not_say_that_it_purges() -> None:
    words = ["DELETE FROM audit_events", "DELETE FROM audit_events WHERE event = 'sign_in'"]
    if db.engine.dialect.name == "postgresql":
        words.append("TRUNCATE audit_events")
    for each in words:
        with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
            session.execute(text(each))
    assert left() == 2


@pytest.mark.usefixtures("two_events")
def test_l3_the_word_counts_where_it_was_said_and_no_longer() -> None:
    one = delete(AuditEvent).where(AuditEvent.event == "sign_in")
    with transaction() as session:
        with removal.allowed(session):
            session.execute(one)
        with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
            session.execute(delete(AuditEvent))
    assert left() == 1

    with pytest.raises(DBAPIError), transaction() as session, removal.allowed(session):
        session.execute(text("DELETE FROM audit_events WHERE id = 1 / 0 OR no_such_column"))
    with pytest.raises(DBAPIError, match="append-only"), transaction() as session:
        session.execute(delete(AuditEvent))
    assert left() == 1
    assert db.session.get(InstallationMark, removal.PURGING) is None


ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def let_changes_through() -> None:
    with db.engine.connect() as now:
        tables = "SELECT relid::regclass::text FROM pg_partition_tree('audit_events')"
        for table in now.scalars(text(tables)).all():
            now.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        now.commit()


@pytest.mark.usefixtures("two_events")
def test_l3_the_proof_finds_nothing_where_the_triggers_refuse() -> None:
    assert list(invariants.changes_of_audit_log()) == []
    assert left() == 2


@ON_POSTGRESQL
@pytest.mark.usefixtures("two_events")
@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("default_transaction_read_only = on", "read-only transaction"),
        ("lock_timeout = '50ms'", "lock timeout"),
    ],
)
def test_l3_what_else_stands_in_the_way_is_not_taken_for_a_refusal(setting: str, why: str) -> None:
    """A database that can only be read, a lock: the triggers were never asked."""
    let_changes_through()
    with ExitStack() as stack:
        holds = stack.enter_context(db.engine.connect())
        holds = holds.execution_options(isolation_level="READ COMMITTED")
        holds.execute(text("SELECT id FROM audit_events FOR UPDATE"))
        with db.engine.connect() as now:
            now.exec_driver_sql(f'ALTER DATABASE "{db.engine.url.database}" SET {setting}')
        db.session.remove()
        db.engine.dispose()
        sentences = list(invariants.changes_of_audit_log())
        holds.rollback()
    assert [each.split(" of ")[0].split(" audit")[0] for each in sentences] == [
        *("UPDATE", "DELETE", "TRUNCATE")
    ]
    assert all("could not be tried" in each and why in each for each in sentences)


@ON_POSTGRESQL
@pytest.mark.usefixtures("two_events")
def test_l3_what_is_let_through_is_named_and_taken_back() -> None:
    let_changes_through()
    sentences = list(invariants.changes_of_audit_log())
    assert len(sentences) == 3
    assert all("does not refuse" in each for each in sentences)
    assert left() == 2


class TestRoles:
    """The guide's role that serves, on PostgreSQL."""

    @pytest.fixture
    def owner(self) -> Iterator[str]:
        with databases.fresh("postgresql") as url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE ROLE idp SUPERUSER")  # stands for the owner
                for block in blocks():
                    if block.heading == "A role that serves":
                        connection.execute(block.text.encode())
                connection.execute("ALTER ROLE idp_serve PASSWORD 'scratch-only'")
            yield url
            with psycopg.connect(url, autocommit=True) as connection:
                for role in ("idp_serve", "idp"):
                    connection.execute(f"DROP OWNED BY {role}".encode())
                    connection.execute(f"DROP ROLE {role}".encode())

    def test_l3_a_role_that_serves_families_can_not_remove_an_event(
        self, owner: str, keys_folder: Path
    ) -> None:
        place = owner.split("@")[1]
        serving = f"postgresql://idp_serve:scratch-only@{place}"
        with databases_app(serving, keys_folder) as app:
            world(app.test_client(), "Lina")  # a sign-in, and a choice
            assert left() > 0
            for words in ("DELETE FROM audit_events", "UPDATE audit_events SET event = 'x'"):
                with (
                    pytest.raises(DBAPIError, match="permission denied"),
                    transaction() as session,
                    removal.allowed(session),
                ):
                    session.execute(text(words))
            assert list(installation._the_audit_log_is_kept()) == []
            tried = list(invariants.changes_of_audit_log())
            assert tried
            assert all("could not be tried: permission denied" in each for each in tried)
        with databases_app(owner, keys_folder):
            (told,) = installation._the_audit_log_is_kept()
            assert (told.level, told.subject) == ("notice", "audit trail")
            with transaction() as session, removal.allowed(session):
                session.execute(delete(AuditEvent))
            assert left() == 0

    def test_the_role_reads_a_view_that_an_upgrade_has_made(
        self, owner: str, keys_folder: Path
    ) -> None:
        with databases_app(f"{owner}?options=-crole%3Didp", keys_folder):
            command.downgrade(migrations.configuration(), "0035")
            command.upgrade(migrations.configuration(), "head")
        serving = f"postgresql://idp_serve:scratch-only@{owner.split('@')[1]}"
        with databases_app(serving, keys_folder):
            assert db.session.scalars(select(LiveGuardianship.id)).all() == []

    def test_who_was_allowed_something_is_allowed_it_still_and_no_more(
        self, owner: str, keys_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(partitions, "LEAST", 10)
        serving = f"postgresql://idp_serve:scratch-only@{owner.split('@')[1]}"
        with databases_app(f"{owner}?options=-crole%3Didp", keys_folder):
            command.downgrade(migrations.configuration(), "0047")
            command.upgrade(migrations.configuration(), "head")
            for _ in range(3):
                events.record_rows([events.row("sign_in")] * 20)
                purge.run(pause=0)
            names = ["audit_events", *(each.name for each in partitions.listed(db.session))]
        assert len(names) > 2
        with databases_app(serving, keys_folder):
            events.record("sign_in", account_id="a_1")
            assert left() == 60 + 1
            assert purge.run(pause=0)["audit_events"] == 0
            for name in names:
                for words in (f"DELETE FROM {name}", f"UPDATE {name} SET event = 'x'"):
                    with (
                        pytest.raises(DBAPIError, match="permission denied"),
                        transaction() as session,
                    ):
                        session.execute(text(words))
