"""Readiness asks for what serving needs; a database that can only be read is one that is away."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from idp.database import db
from idp.readiness import marks, write_probe
from tests.relying_party import answer, world

on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@contextmanager
def only_to_be_read() -> Iterator[None]:
    """As after a failover to a standby, or while a hosted database's disk is full."""
    name = db.engine.url.database
    _set(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        yield
    finally:
        _set("SET default_transaction_read_only = off")
        _set(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def _set(statement: str) -> None:
    db.session.remove()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as now:
        now.exec_driver_sql("SET default_transaction_read_only = off")
        now.exec_driver_sql(statement)
    db.engine.dispose()


@on_postgresql
def test_r2_a_database_that_is_only_read_answers_503_everywhere(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    there.ask(scope="openid child")
    assert client.get("/health/ready").status_code == 200
    with only_to_be_read():
        write_probe.init_app(client.application)  # what was believed is two seconds old
        ready = client.get("/health/ready")
        refused = there.browser.sign_in("claire")
        token = client.post("/oauth2/token", data={"grant_type": "authorization_code"})
    assert (ready.status_code, ready.json["writes"]) == (503, "failed")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == ready.headers["Retry-After"] == "5"
    assert token.status_code in {400, 401, 503}, "what needs no write is answered, nothing by 500"
    assert client.get("/health/ready").json["writes"] == "ok", "back by itself"
    there.ask(scope="openid child")
    assert "code" in answer(there.browser.sign_in("claire"))


@on_postgresql
@pytest.mark.changed_elsewhere("readiness/write_probe.py")
def test_that_another_machine_took_the_writes_away_is_known_within_two_seconds(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/health/ready").status_code == 200
    with only_to_be_read():
        later = write_probe.monotonic() + write_probe.TRUSTED_FOR
        monkeypatch.setattr(write_probe, "monotonic", lambda: later)
        assert client.get("/health/ready").json["writes"] == "failed"
    assert client.get("/health/ready").json["writes"] == "ok"


def test_many_questions_are_one_write(app: Flask, client: FlaskClient) -> None:
    writes = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO installation_marks" in statement:
            writes.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    assert [client.get("/health/ready").status_code for _ in range(5)] == [200] * 5
    assert len(writes) == 1
    assert list(marks.read(marks.PROBE)) == [marks.PROBE]


def test_somebody_who_writes_for_long_is_a_proof_too(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_probe, "WAIT", 200)
    write_probe.write()
    begun, end = Event(), Event()

    def import_a_district() -> None:
        with app.app_context(), marks.connection() as now, now.begin():
            now.execute(text("UPDATE installation_marks SET value = 'held'"))
            begun.set()
            end.wait(30)

    worker = Thread(target=import_a_district)
    worker.start()
    try:
        assert begun.wait(10)
        write_probe.write()
    finally:
        end.set()
        worker.join()


@on_postgresql
def test_r2_a_primary_that_was_demoted_is_left_with_the_first_write_that_it_refuses(
    client: FlaskClient,
) -> None:
    """The connection is open, and would be good for reading for ever: what is read grows old."""
    there = world(client, "Lina", signed_in=False)
    there.ask(scope="openid child offline_access")
    tokens = there.portal.redeem(client, answer(there.browser.sign_in("claire"))["code"]).json

    demote_what_is_open()
    refused = there.portal.refresh(client, tokens["refresh_token"])
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    renewed = there.portal.refresh(client, tokens["refresh_token"])
    assert renewed.status_code == 200, "of a prepared statement"

    client.delete_cookie("idp_session")
    there.ask(scope="openid child")
    demote_what_is_open()
    assert there.browser.sign_in("claire").status_code == 503
    there.ask(scope="openid child")
    assert "code" in answer(there.browser.sign_in("claire")), "of any other"


def demote_what_is_open() -> None:
    """Every connection of the pool is to a server that takes no writes from here on."""
    db.session.remove()
    with ExitStack() as stack:
        for _ in range(max(1, db.engine.pool.checkedin())):
            open_one = stack.enter_context(db.engine.connect())
            open_one.exec_driver_sql("SET default_transaction_read_only = on")
            open_one.commit()
