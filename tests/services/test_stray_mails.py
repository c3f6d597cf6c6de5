"""Security rule R5: mails that a clock ahead has put off leave once it is set back."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from idp import clock
from idp.database import db, transaction
from idp.mail import outbox, strays
from idp.mail.models import OutboxMessage
from tests import factories

YEAR = timedelta(days=365)

pytestmark = pytest.mark.usefixtures("app")


def test_r5_what_was_made_or_taken_by_a_clock_ahead_is_due_at_once() -> None:
    parent = factories.account("claire", email="claire@families.example")
    outbox.enqueue("password_changed", account_id=parent.id)
    with time_machine.travel(clock.now() + YEAR):
        assert len(outbox.claim_due()) == 1
        outbox.enqueue("password_changed", account_id=parent.id)
    assert not outbox.any_due()

    strays.Strays().bring_back()
    now = clock.now()
    assert len(outbox.claim_due(5)) == 2
    assert all(each.created_at <= now for each in db.session.scalars(select(OutboxMessage)))


def test_r5_what_waits_its_turn_waits_on(app: Flask) -> None:
    parent = factories.account("claire", email="claire@families.example")
    due = clock.now() + timedelta(hours=10)
    with transaction():
        outbox.enqueue("password_changed", account_id=parent.id).due_at = due
        tried = outbox.enqueue("password_changed", account_id=parent.id)
        tried.due_at, tried.attempts = clock.now() + outbox.LONGEST_PAUSE, 9
    assert strays.bring_back() == 0
    assert not outbox.any_due()
