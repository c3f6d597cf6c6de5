"""Security rules R9 and R13: a restored database revives nothing without somebody being told."""

import dataclasses
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, delete, func, select, text, update
from sqlalchemy.exc import OperationalError

from idp import clock, create_app, purge, readiness, workers
from idp.audit import continuity, events, removal
from idp.audit.models import AuditEvent, DatabaseIdentity
from idp.credentials import one_time_tokens
from idp.database import db, silence, transaction
from idp.doctor import installation, running
from idp.lifecycle import endings, restored
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import delivery, outbox
from idp.settings import Settings
from tests import databases, factories, postgres
from tests.apart import ApartClient
from tests.conftest import history_file, settings_for_tests
from tests.relying_party import Browser, answer, error_of, world

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process looks at the history at each request, rather than every few seconds."""
    monkeypatch.setattr(continuity, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(continuity, "LOOK_AGAIN", 0.0)


def forget_events_after(number: int) -> None:
    """What a restored backup looks like to the audit trail: the newest events are not there."""
    with transaction() as writes, removal.allowed(writes):
        writes.execute(delete(AuditEvent).where(AuditEvent.id > number))


@contextmanager
def another_process(app: Flask) -> Iterator[None]:
    """Such as a command: it serves nobody, and may use a database that servers refuse."""
    with create_app(app.extensions["idp.settings"]).app_context():
        yield
        db.session.remove()
        db.engine.dispose()


def newest() -> int:
    return db.session.scalar(select(func.max(AuditEvent.id))) or 0


def an_older_database() -> None:
    """This machine saw more of the history than the database now holds."""
    events.record("sign_in", account_id="a_1")
    backup = newest()
    events.record("session_ended", account_id="a_1")
    assert isinstance(continuity.remember(), continuity.GoesOn)
    forget_events_after(backup)


def test_r9_a_history_that_goes_on_is_served(client: FlaskClient) -> None:
    for _ in range(3):
        events.record("sign_in", account_id="a_1")
        assert client.get("/").status_code == 303
    assert client.get("/health/ready").get_json()["history"] == "ok"


def test_r9_nobody_is_served_from_an_older_database(client: FlaskClient) -> None:
    there = world(client, "Lina")
    tokens = there.redeem(scope="openid child offline_access")
    an_older_database()

    for refused in (
        client.get("/"),
        client.get(there.portal.authorize_path()),
        there.portal.userinfo(client, tokens["access_token"]),
        there.portal.refresh(client, tokens["refresh_token"]),
    ):
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "60"
    ready = client.get("/health/ready")
    assert ready.status_code == 503
    assert ready.get_json()["history"] == "failed"
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r9_a_connection_to_an_older_database_is_not_used_until_the_next_look(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who puts one back ends the connections to the other: no second goes by in which it serves."""
    there = world(client, "Lina", signed_in=False)
    monkeypatch.setattr(continuity, "LOOK_EVERY", 60.0)
    backup = newest()
    events.record("session_ended", account_id="a_1")
    continuity.init_app(client.application)
    there.ask(scope="openid child")
    assert there.browser.shows("login-form")

    kept = db.session.scalars(select(AuditEvent).where(AuditEvent.id > backup)).all()
    rows = [{c.name: getattr(each, c.name) for c in AuditEvent.__table__.columns} for each in kept]
    forget_events_after(backup)
    db.session.remove()
    db.engine.dispose()
    assert there.browser.sign_in("claire").status_code == 503
    there.ask(scope="openid child")
    assert not there.browser.shows("login-form")

    with another_process(client.application), transaction() as writes:
        writes.execute(AuditEvent.__table__.insert(), rows)
    there.ask(scope="openid child")
    assert "code" in answer(there.browser.sign_in("claire")), "the newer one is there again"


class Elsewhere:
    """An address that leads to an older database for a while, as a proxy's does: what was
    connected stays connected to where it led then.
    """

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._base, self._name = databases.postgresql_cluster(), address.rsplit("/", 1)[1]
        self.leads_to_it = False
        connect = silence.Connection.connect

        def connected(*args: Any, **options: Any) -> Any:
            if self.leads_to_it and options.get("dbname") == self._name:
                options["dbname"] = "older"
            return connect(*args, **options)

        monkeypatch.setattr(silence.Connection, "connect", connected)

    def copy(self) -> None:
        """Make the older database of what is there now."""
        db.session.remove()
        db.engine.dispose()
        postgres.administer(self._base, CLOSING.format(self._name))
        postgres.administer(self._base, f"CREATE DATABASE older TEMPLATE {self._name}")

    def drop(self) -> None:
        db.session.remove()
        db.engine.dispose()
        postgres.drop_database(self._base, "older")


CLOSING = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}'"


@pytest.fixture
def elsewhere(
    app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Elsewhere]:
    """The older one lacks the event by which the running process knows the newer one."""
    there = Elsewhere(database_url, monkeypatch)
    events.record("sign_in", account_id="a_1")
    there.copy()
    events.record("session_ended", account_id="a_1")
    continuity.init_app(app)
    assert continuity.goes_on()
    db.session.remove()
    db.engine.dispose()  # the proxy ends what leads to the newer one
    there.leads_to_it = True
    yield there
    there.leads_to_it = False
    there.drop()


def name_of(now: Connection) -> str:
    return str(now.scalar(text("SELECT current_database()")))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r9_no_connection_to_the_older_database_outlives_it(elsewhere: Elsewhere) -> None:
    """Even where whoever leads back to the newer one ends none of them."""
    assert not continuity.goes_on()
    elsewhere.leads_to_it = False
    assert [continuity.goes_on() for _ in range(5)] == [True] * 5
    with ExitStack() as stack:
        connections = [stack.enter_context(db.engine.connect()) for _ in range(4)]
        assert "older" not in [name_of(each) for each in connections]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r9_who_was_let_in_before_asks_no_older_database(elsewhere: Elsewhere, app: Flask) -> None:
    """A request that has let its connection go, to compare a password, takes another one."""
    assert not continuity.goes_on()
    with pytest.raises(OperationalError, match="looked at first"):
        db.engine.connect()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r9_a_connection_that_only_the_look_has_opened_serves_nobody(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look opens two, and the address leads elsewhere in between."""
    leave = continuity.leave_if_demoted

    def left(engine: Engine) -> None:
        leave(engine)
        with engine.connect() as to_the_older_one:
            elsewhere.leads_to_it = False
            engine.connect().close()
            assert name_of(to_the_older_one) == "older"

    with monkeypatch.context() as between:
        between.setattr(continuity, "leave_if_demoted", left)
        continuity.goes_on()
    with ExitStack() as stack:
        connections = [stack.enter_context(db.engine.connect()) for _ in range(4)]
        assert "older" not in [name_of(each) for each in connections]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r9_a_machine_that_is_only_asked_whether_it_is_ready_learns_of_both(
    elsewhere: Elsewhere, client: FlaskClient
) -> None:
    """A load balancer sends nothing else to one that is not."""
    for _ in range(3):
        ready = client.get("/health/ready")
        assert (ready.status_code, ready.get_json()["history"]) == (503, "failed")
        assert "database" not in ready.get_json(), "it is not the connection that failed"
    elsewhere.leads_to_it = False
    assert client.get("/health/ready").status_code == 200


def test_r9_nothing_starts_and_the_doctor_says_why(app: Flask) -> None:
    an_older_database()

    with pytest.raises(continuity.HistoryTrouble, match="idp db restored"):
        readiness.refuse_unready()
    found = [each for each in installation.of_installation() if each.subject == "history"]

    assert [each.level for each in found] == ["danger"]
    assert "restored from a backup" in found[0].sentence


def test_r9_new_events_do_not_hide_the_old_ones_that_are_missing(app: Flask) -> None:
    an_older_database()
    for _ in range(5):  # whoever worked on it from the command line meanwhile
        events.record("account_created", account_id="a_2")

    assert isinstance(continuity.history(), continuity.Broken)


def test_r9_an_empty_database_is_not_the_one_that_was_seen(app: Flask) -> None:
    an_older_database()
    forget_events_after(0)

    assert isinstance(continuity.remember(), continuity.Broken)


def test_a_new_database_beside_old_keys_is_not_a_restored_one(app: Flask) -> None:
    an_older_database()
    with transaction() as writes:
        writes.execute(update(DatabaseIdentity).values(id="d_another"))

    assert isinstance(continuity.remember(), continuity.GoesOn)

    events.record("sign_in", account_id="a_1")
    seen = newest()
    events.record("session_ended", account_id="a_1")
    assert isinstance(continuity.remember(), continuity.GoesOn)
    forget_events_after(seen)
    assert isinstance(continuity.history(), continuity.Broken), "its own history is watched too"


def test_r9_no_mail_of_the_past_is_sent_again(app: Flask) -> None:
    an_older_database()
    guardian = factories.account("nadia", status="invited", email="nadia@example.org")
    mail_requests.invite(guardian.id)

    done = workers.safely(lambda: delivery._round(1))

    assert done.handled == 0
    assert done.trouble == "database: restored from a backup"
    with another_process(app):
        assert outbox.list_messages()[0].attempts == 0


def test_r9_the_command_ends_all_that_came_back(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina")
    tokens = there.redeem(scope="openid child offline_access")
    device = client.get_cookie("idp_device")
    nadia = factories.account("nadia", status="invited", email="nadia@example.org")
    mailed = one_time_tokens.mint(nadia.id, "first_sign_in")
    mail_requests.request_reset("claire@dubois.example", client_id=None, locale="fr")
    an_older_database()

    ended = restored.end_what_came_back()

    assert ended["sessions"] == ended["grants"] == ended["known_devices"] == 1
    assert ended["one_time_tokens"] == ended["mails"] == 1
    assert device is not None
    assert client.get("/").status_code == 303, "served again, to the sign-in page"
    assert there.answer(prompt="none")["error"] == "login_required"
    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401
    refused = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refused) == (400, "invalid_grant")
    assert isinstance(one_time_tokens.find(mailed), one_time_tokens.Unknown)
    assert outbox.list_messages()[0].status == "dropped"
    told = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "database_restored"))
    assert told.one().detail == ended


def test_r9_parents_sign_in_again_after_the_command(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    an_older_database()
    restored.end_what_came_back()

    there.browser.sign_in_at_home("claire")

    assert "code" in there.answer(scope="openid child")


@pytest.mark.changed_elsewhere("audit/continuity.py")
def test_r9_another_machine_learns_that_it_was_acknowledged(
    app: Flask, database_url: str, keys_folder: Path, tmp_path: Path
) -> None:
    an_older_database()
    elsewhere = settings_for_tests(
        database_url, keys_folder, history_file=tmp_path / "history.json"
    )
    shutil.copy(history_file(database_url, keys_folder), elsewhere.history_file)
    with create_app(elsewhere).app_context():
        assert isinstance(continuity.history(), continuity.Broken)
        restored.end_what_came_back()
        db.session.remove()
        db.engine.dispose()

    assert isinstance(continuity.remember(), continuity.GoesOn)


def test_r9_an_acknowledgement_in_the_backup_is_none_of_this_restore(app: Flask) -> None:
    restored.end_what_came_back()
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        an_older_database()

    assert isinstance(continuity.history(), continuity.Broken)


def test_r13_a_purge_of_the_trail_does_not_break_the_history(app: Flask) -> None:
    events.record("sign_in", account_id="a_1")
    continuity.remember()
    with time_machine.travel(clock.now() + timedelta(days=500)):
        assert purge.run()["audit_events"] >= 0
        assert isinstance(continuity.remember(), continuity.GoesOn), "nothing happened since"
        events.record("sign_in", account_id="a_1")
        with time_machine.travel(clock.now() + timedelta(days=500)):
            purge.run()
            assert isinstance(continuity.remember(), continuity.GoesOn)


def test_r13_a_restart_and_a_second_worker_see_one_history(
    app: Flask, database_url: str, keys_folder: Path
) -> None:
    events.record("sign_in", account_id="a_1")
    continuity.remember()
    with create_app(settings_for_tests(database_url, keys_folder)).app_context():
        events.record("sign_in", account_id="a_2")
        assert isinstance(continuity.remember(), continuity.GoesOn)
        db.session.remove()
        db.engine.dispose()

    assert isinstance(continuity.remember(), continuity.GoesOn)


@on_sqlite
def test_r9_a_file_that_is_torn_is_said_and_locks_nobody_out(
    app: Flask, database_url: str, keys_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    events.record("sign_in", account_id="a_1")
    history_file(database_url, keys_folder).write_text('{"number": 3, "fi')

    assert isinstance(continuity.remember(), continuity.GoesOn)
    assert "can't be read" in caplog.text


@on_sqlite
def test_r9_a_folder_that_can_not_be_written_is_found(app: Flask, settings: Settings) -> None:
    app.extensions["idp.settings"] = dataclasses.replace(
        settings, history_file=Path("/proc/self/history.json")
    )

    found = [each for each in running.of_running() if each.subject == "history"]

    assert "would not be noticed" in found[0].sentence


# The whole way, as the operator's guide says it


@on_sqlite
def test_r9_backup_and_restore_on_sqlite(
    database_url: str, keys_folder: Path, tmp_path: Path
) -> None:
    live, copy = Path(database_url.removeprefix("sqlite:///")), tmp_path / "backup.db"
    settings = settings_for_tests(database_url, keys_folder)

    def back_up() -> None:
        with closing(sqlite3.connect(live)) as running, closing(sqlite3.connect(copy)) as backup:
            running.backup(backup)

    def put_back() -> None:
        for beside in ("-wal", "-shm"):
            Path(f"{live}{beside}").unlink(missing_ok=True)
        shutil.copy(copy, live)

    a_revoked_session_comes_back_and_is_noticed(settings, back_up, put_back)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_r9_backup_and_restore_on_postgresql(
    database_url: str, keys_folder: Path, tmp_path: Path
) -> None:
    dump = str(tmp_path / "idp.dump")
    programs = pg_programs()
    settings = settings_for_tests(database_url, keys_folder)

    def back_up() -> None:
        subprocess.run(
            [programs / "pg_dump", "--format=custom", f"--file={dump}", database_url], check=True
        )

    def put_back() -> None:
        # Into an empty one, as the operator's guide says: `--clean` stumbles over partitions
        base, name = database_url.rsplit("/", 1)
        postgres.drop_database(base, name)
        postgres.create_database(base, name)
        command = [programs / "pg_restore", "--exit-on-error", f"--dbname={database_url}"]
        subprocess.run([*command, dump], check=True)

    a_revoked_session_comes_back_and_is_noticed(settings, back_up, put_back)


def a_revoked_session_comes_back_and_is_noticed(
    settings: Settings, back_up: Any, put_back: Any
) -> None:
    app = create_app(settings)
    app.test_client_class = ApartClient
    with app.app_context():
        browser = app.test_client()
        guardian = factories.account("claire")
        thief = Browser(browser)
        thief.sign_in_at_home("claire")
        db.session.remove()
        back_up()
        endings.end_other_sessions(guardian.id, keep="none")
        assert browser.get("/").status_code == 303, "the session has ended"
        db.session.remove()
        db.engine.dispose()
        put_back()

        assert browser.get("/").status_code == 503, "alive again, and not served"
        with another_process(app):
            restored.end_what_came_back()
        assert browser.get("/").status_code == 303, "to the sign-in page"
        db.session.execute(text("SELECT 1"))
        db.session.remove()
        db.engine.dispose()


def pg_programs() -> Path:
    databases.postgresql_cluster()  # skipped with the reason where there is none
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    assert found, "the server is there, its programs are not"
    return found[-1].parent
