"""What is counted for Prometheus, by what people and programs really do."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.cli.metrics import count_connections
from idp.credentials import bcrypt_gate
from idp.database import db
from idp.deliveries import worker
from idp.lifecycle import endings
from idp.mail import delivery, outbox
from idp.settings import Settings
from tests import factories, receiver, smtp
from tests.conftest import Measured, settings_for_tests
from tests.relying_party import world
from tests.smtp import MailServer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: Path, mail_server: MailServer) -> Settings:
    return settings_for_tests(database_url, keys_folder, mail_port=mail_server.port)


def test_ways_in_are_counted_with_their_outcome(client: FlaskClient, measured: Measured) -> None:
    here = world(client, "Lina", signed_in=False)
    here.browser.open(here.portal.authorize_path())
    here.browser.sign_in("claire", "not the password")
    here.browser.sign_in("claire")

    assert measured("idp_sign_ins_total", way="password", outcome="wrong") == 1
    assert measured("idp_sign_ins_total", way="password", outcome="ok") == 1

    here.browser.sign_out()
    here.browser.open(here.portal.authorize_path())
    for _ in range(7):
        here.browser.sign_in("nobody", "not the password")

    assert measured("idp_sign_ins_total", way="password", outcome="wrong") == 6
    assert measured("idp_sign_ins_total", way="password", outcome="throttled") == 2


def test_token_requests_are_counted_with_their_outcome(
    client: FlaskClient, measured: Measured
) -> None:
    here = world(client)
    code = here.answer(scope="openid offline_access")["code"]
    tokens = here.portal.redeem(client, code).get_json()
    here.portal.refresh(client, tokens["refresh_token"])
    here.portal.redeem(client, code)

    granted = {"grant": "authorization_code", "outcome": "ok"}
    assert measured("idp_tokens_total", **granted) == 1
    assert measured("idp_tokens_total", grant="refresh_token", outcome="ok") == 1
    assert measured("idp_tokens_total", **granted | {"outcome": "invalid_grant"}) == 1


def test_mails_are_counted_with_their_fate(
    app: Flask, mail_server: MailServer, measured: Measured
) -> None:
    parent = factories.account("alice", email="alice@example.org", status="invited")
    outbox.enqueue("invitation", account_id=parent.id)
    delivery.deliver_due()
    mail_server.recipient_answer = "550 5.1.1 unknown"
    outbox.enqueue("invitation", account_id=parent.id)
    delivery.deliver_due()

    assert measured("idp_mails_total", outcome="sent") == 1
    assert measured("idp_mails_total", outcome="refused") == 1


def test_what_applications_are_told_is_counted_with_its_fate(
    client: FlaskClient, measured: Measured
) -> None:
    with receiver.running() as listening:
        here = world(client, "Lina", **listening.registered())
        here.portal.redirect_uri = f"{listening.address}/callback"
        here.ask(scope="openid child")
        endings.end_guardianship(here.guardian.id, here.children[0].id, "court")
        worker.deliver_due()

    assert measured("idp_deliveries_total", outcome="delivered") == 1


def test_password_checks_are_counted_while_they_wait_and_when_they_are_turned_away(
    app: Flask, measured: Measured
) -> None:
    gate = bcrypt_gate.Gate(parallel=1, queue=0)
    running, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        running.set()
        go_on.wait(10)

    checking = threading.Thread(target=gate.run, args=(slow,))
    checking.start()
    running.wait(10)
    assert measured("idp_bcrypt_waiting") == 1
    with pytest.raises(bcrypt_gate.Busy):
        gate.run(slow)
    go_on.set()
    checking.join(10)

    assert measured("idp_bcrypt_waiting") == 0
    assert measured("idp_bcrypt_refused_total") == 1


def test_connections_are_counted_that_are_used_that_are_free_and_that_there_may_be(
    app: Flask, settings: Settings, measured: Measured
) -> None:
    def counted() -> tuple[float, ...]:
        count_connections(app)
        states = ("used", "free", "most")
        return tuple(measured("idp_database_connections", state=each) for each in states)

    db.session.remove()
    db.engine.dispose()
    most = settings.database_connections
    assert counted() == (0, 0, most)
    with db.engine.connect():
        with db.engine.connect(), db.engine.connect():
            assert counted() == (3, 0, most)
        assert counted() == (1, 2, most)
    assert counted() == (0, 3, most)
