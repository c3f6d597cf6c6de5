"""What Prometheus is told of the database and the keys: numbers that are right, and ten seconds old
at most, whoever changed what they are of.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from idp import create_app
from idp.database import db, transaction
from idp.deliveries.models import DeliveryPause, EventDelivery
from idp.doctor import measured
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.oidc.keys import ALGORITHMS, ENCRYPTION, Keyring
from idp.roster.jobs import LEASE
from idp.roster.models import RosterJob, RosterRun
from idp.settings import Settings
from tests import factories
from tests.conftest import settings_for_tests

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def told(name: str, /, **labels: str) -> float:
    """What somebody reads who asks at ``NOW``, and is the first to ask."""
    with time_machine.travel(NOW, tick=False):
        return value_of(measured.State(), name, **labels)


def value_of(state: measured.State, name: str, /, **labels: str) -> float:
    (value,) = (
        each.value for each in state.samples() if (each.name, dict(each.labels)) == (name, labels)
    )
    return value


@pytest.mark.changed_elsewhere("doctor/measured.py")
def test_a_mail_that_another_worker_queues_is_counted_within_ten_seconds(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    claire, state = factories.account("claire", email="c@d.example"), measured.State()
    assert value_of(state, "idp_waiting", what="mails") == 0
    with create_app(settings).app_context():
        outbox.enqueue("invitation", account_id=claire.id)
        db.session.remove()
        db.engine.dispose()
    assert value_of(state, "idp_waiting", what="mails") == 0, "two that ask cost what one does"
    now = measured.monotonic() + measured.KEPT_FOR
    monkeypatch.setattr(measured, "monotonic", lambda: now)
    assert value_of(state, "idp_waiting", what="mails") == 1


def saved(*rows: object) -> None:
    with transaction() as session:
        session.add_all(rows)


def test_mails_wait_from_when_they_are_due_until_they_have_left(app: Flask) -> None:
    saved(
        OutboxMessage(kind="invitation", due_at=NOW - 2 * MINUTE),
        OutboxMessage(kind="invitation", due_at=NOW - 7 * MINUTE, created_at=NOW - DAY),
        OutboxMessage(kind="invitation", due_at=NOW + MINUTE, created_at=NOW - DAY),
        OutboxMessage(kind="invitation", due_at=NOW - DAY, status="sent"),
    )

    assert told("idp_waiting", what="mails") == 2
    assert told("idp_waiting_seconds", what="mails") == 7 * 60
    assert told("idp_waiting", what="deliveries") == told("idp_waiting", what="imports") == 0
    assert told("idp_waiting_seconds", what="deliveries") == 0
    assert told("idp_waiting_seconds", what="imports") == 0


def test_deliveries_wait_for_their_worker_and_not_for_an_application_that_is_spared(
    app: Flask,
) -> None:
    account_id, school = factories.account().id, factories.school()
    client_id, away = (factories.client_app(school).client.id for _ in range(2))

    def ended(due_at: datetime, **changes: Any) -> EventDelivery:
        row = {"client_id": client_id, "event": "logout", "account_id": account_id}
        return EventDelivery(**row | {"due_at": due_at, "created_at": NOW - 2 * DAY} | changes)

    saved(
        ended(NOW - MINUTE),
        ended(NOW - 3 * MINUTE),
        ended(NOW + MINUTE),
        ended(NOW - DAY, status="told"),
        ended(NOW - DAY, client_id=away),
        DeliveryPause(client_id=away, until=NOW + MINUTE),
    )

    assert told("idp_waiting", what="deliveries") == 2
    assert told("idp_waiting_seconds", what="deliveries") == 3 * 60
    assert told("idp_waiting", what="mails") == told("idp_waiting", what="imports") == 0


def test_imports_wait_until_a_worker_has_them_and_again_once_it_is_gone(app: Flask) -> None:
    def asked(ago: timedelta, state: str, lease: datetime | None = None) -> RosterJob:
        run = RosterRun(format="table", fingerprint=state)
        saved(run)
        job = {"run_id": run.id, "task": "read", "state": state, "lease_until": lease}
        return RosterJob(**job, asked_at=NOW - ago)

    saved(asked(5 * MINUTE, "waiting"), asked(2 * MINUTE, "waiting"), asked(DAY, "done"))
    saved(asked(40 * MINUTE, "working", NOW + LEASE), asked(DAY, "mapping"))

    assert told("idp_waiting", what="imports") == 2
    assert told("idp_waiting_seconds", what="imports") == 5 * 60

    saved(asked(20 * MINUTE, "working", NOW - MINUTE))

    assert told("idp_waiting", what="imports") == 3
    assert told("idp_waiting_seconds", what="imports") == 20 * 60
    assert told("idp_waiting", what="mails") == told("idp_waiting", what="deliveries") == 0


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of seven days ago, rotated three days ago; that of one algorithm retired since."""
    folder = tmp_path_factory.mktemp("rotated") / "keys"
    with time_machine.travel(NOW - 7 * DAY, tick=False):
        Keyring(folder).ensure()
    with time_machine.travel(NOW - 3 * DAY, tick=False):
        Keyring(folder).rotate()
    with time_machine.travel(NOW - 2 * DAY, tick=False):
        Keyring(folder).retire(str(Keyring(folder).signing_key("ES256").kid))
    return folder


def test_a_key_is_as_old_as_it_has_signed_and_the_next_one_as_it_is_there(
    database_url: str, rotated: Path
) -> None:
    with create_app(settings_for_tests(database_url, rotated)).app_context():
        for alg in (*ALGORITHMS, *ENCRYPTION):
            for state in ("current", "next"):
                days = 2 if alg == "ES256" else 3
                assert told("idp_key_age_seconds", alg=alg, state=state) == days * 24 * 3600
