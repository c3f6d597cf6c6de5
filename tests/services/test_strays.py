"""Security rule R5: what a clock ahead has put off is done once it is set back."""

import logging
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock, workers
from idp.database import db, transaction
from idp.deliveries import pauses, queue
from idp.deliveries import strays as stray_deliveries
from idp.deliveries.models import DeliveryPause, EventDelivery
from idp.mail import outbox, strays
from idp.mail.models import OutboxMessage
from tests import factories
from tests.relying_party import world

YEAR = timedelta(days=365)

pytestmark = pytest.mark.usefixtures("app")


def test_r5_a_mail_that_was_made_or_taken_by_a_clock_ahead_is_due_at_once() -> None:
    parent = factories.account("claire", email="claire@families.example")
    outbox.enqueue("password_changed", account_id=parent.id)
    with time_machine.travel(clock.now() + YEAR):
        assert len(outbox.claim_due()) == 1
        outbox.enqueue("password_changed", account_id=parent.id)
    assert not outbox.any_due()

    assert strays.bring_back() == 2
    now = clock.now()
    assert len(outbox.claim_due(5)) == 2
    assert all(each.created_at <= now for each in db.session.scalars(select(OutboxMessage)))


def test_r5_a_mail_that_waits_its_turn_waits_on(app: Flask) -> None:
    parent = factories.account("claire", email="claire@families.example")
    due = clock.now() + timedelta(hours=10)
    with transaction():
        outbox.enqueue("password_changed", account_id=parent.id).due_at = due
        tried = outbox.enqueue("password_changed", account_id=parent.id)
        tried.due_at, tried.attempts = clock.now() + outbox.LONGEST_PAUSE, 9
    assert strays.bring_back() == 0
    assert not outbox.any_due()


def test_r5_what_an_application_is_told_waits_for_no_clock_that_was_ahead(
    client: FlaskClient,
) -> None:
    here = world(client, "Lina")
    client_id = here.portal.client_id
    with time_machine.travel(clock.now() + YEAR):
        with transaction() as session:
            for number in range(2):
                event = {"client_id": client_id, "event": "logout", "session_id": f"b_{number}"}
                session.add(EventDelivery(account_id=here.guardian.id, **event))
        assert len(queue.claim(client_id, 1)) == 1
        assert pauses.failed(client_id, away=True, anew=False, probes=False)
    assert queue.next_client() is None

    assert stray_deliveries.bring_back() == 3

    assert queue.next_client() == client_id
    assert len(queue.claim(client_id)) == 1  # it was spared: one is tried
    now = clock.now()
    assert all(each.created_at <= now for each in db.session.scalars(select(EventDelivery)))


def test_r5_an_application_that_is_spared_by_todays_clock_stays_so(client: FlaskClient) -> None:
    here = world(client, "Lina")
    client_id = here.portal.client_id
    with transaction() as session:
        until = clock.now() + pauses.LONGEST
        session.add(DeliveryPause(client_id=client_id, failures=9, until=until))

    assert stray_deliveries.bring_back() == 0

    assert pauses.lock_pause(client_id).until == until  # type: ignore[union-attr]


def test_r5_a_worker_looks_at_once_where_its_clock_has_stepped() -> None:
    looked: list[int] = []

    def bring_back() -> int:
        looked.append(1)
        return 0

    eye = workers.Strays("mails", bring_back, logging.getLogger(__name__))
    eye.look()
    eye.look()
    assert len(looked) == 1
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        eye.look()
        eye.look()
        assert len(looked) == 2
    eye.look()
    assert len(looked) == 3
