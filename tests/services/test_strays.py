"""Security rule R5: what a clock ahead has put off is done once it is set back."""

import logging
from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock, workers
from idp.database import db, transaction
from idp.deliveries import pauses, queue
from idp.deliveries import strays as stray_deliveries
from idp.deliveries.models import DeliveryPause, EventDelivery
from idp.mail import outbox, spread, strays
from idp.mail.models import OutboxMessage
from tests import factories
from tests.relying_party import world
from tests.times import later

YEAR = timedelta(days=365)

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.long_on("sqlite")]


def test_r5_a_mail_that_was_made_or_taken_by_a_clock_ahead_leaves_soon() -> None:
    parent = factories.account("claire", email="claire@families.example")
    outbox.enqueue("password_changed", account_id=parent.id)
    with time_machine.travel(clock.now() + YEAR):
        assert len(outbox.claim_due()) == 1
        made = outbox.enqueue("password_changed", account_id=parent.id)
    assert not outbox.any_due()

    assert strays.bring_back() == 2

    assert [claim.message.id for claim in outbox.claim_due(5)] == [made.id]
    now = clock.now()
    assert all(each.created_at <= now for each in db.session.scalars(select(OutboxMessage)))
    with later(minutes=6):  # the other one may still be on its way
        assert len(outbox.claim_due(5)) == 2


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(hours=1), YEAR])
def test_r5_a_mail_that_a_clock_ahead_has_put_back_is_due_at_once(ahead: timedelta) -> None:
    """By less than the longest pause between two attempts, too."""
    parent = factories.account()
    with time_machine.travel(clock.now() + ahead):
        outbox.enqueue("password_changed", account_id=parent.id)
        (claim,) = outbox.claim_due()
        outbox.put_back(claim.message, "451 4.3.0 later")

    assert strays.bring_back() == 1

    assert len(outbox.claim_due()) == 1


def test_r5_a_mail_that_waits_its_turn_waits_on() -> None:
    parent = factories.account("claire", email="claire@families.example")
    for attempts in range(20):
        with transaction():
            tried = outbox.enqueue("password_changed", account_id=parent.id)
            tried.attempts = attempts + 1
        outbox.put_back(tried, "451 4.3.0 later")
    assert strays.bring_back() == 0
    assert not outbox.any_due()


def test_r5_a_mail_that_is_sent_once_more_is_left_to_who_sends_it() -> None:
    """Though it has an answer of last time, and the clock of who has it is ahead."""
    parent = factories.account()
    with later(minutes=-1):
        outbox.enqueue("password_changed", account_id=parent.id)
        (claim,) = outbox.claim_due()
        outbox.put_back(claim.message, "451 4.3.0 later")
    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        assert len(outbox.claim_due()) == 1

    assert strays.bring_back() == 1

    assert not outbox.any_due()


@pytest.mark.parametrize("kind", sorted(spread.SPREAD))
def test_r5_mails_that_are_spread_over_hours_stay_so(kind: str) -> None:
    parents = [factories.account(f"parent.{n}", email=f"p{n}@families.example") for n in range(5)]
    spread.enqueue_spread(kind, [(each.id, each.username) for each in parents], per_hour=10)
    dues = sorted(db.session.scalars(select(OutboxMessage.due_at)))

    assert strays.bring_back() == 0

    db.session.expire_all()
    assert sorted(db.session.scalars(select(OutboxMessage.due_at))) == dues
    assert len(outbox.claim_due(9)) == 1


def test_r5_a_worker_that_is_behind_takes_no_mail_from_one_that_sends_it() -> None:
    parent = factories.account("claire", email="claire@families.example")
    outbox.enqueue("password_changed", account_id=parent.id)
    assert len(outbox.claim_due()) == 1

    for behind in (timedelta(minutes=2), timedelta(hours=2)):
        with time_machine.travel(clock.now() - behind):
            strays.bring_back()
            assert outbox.claim_due() == []


def test_only_kinds_that_are_known_for_it_are_spread() -> None:
    with pytest.raises(ValueError, match="password_changed"):
        spread.enqueue_spread("password_changed", [("p_1", "a@b.example")], per_hour=10)


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(hours=1), YEAR])
def test_r5_what_an_application_is_told_waits_for_no_clock_that_was_ahead(
    client: FlaskClient, ahead: timedelta
) -> None:
    here = world(client, "Lina")
    client_id = here.portal.client_id
    with time_machine.travel(clock.now() + ahead):
        with transaction() as session:
            for number in range(2):
                event = {"client_id": client_id, "event": "logout", "session_id": f"b_{number}"}
                session.add(EventDelivery(account_id=here.guardian.id, **event))
        assert len(queue.claim(client_id, 1)) == 1
        assert pauses.failed(client_id, away=True, anew=False, probes=False)
    assert queue.next_client() is None

    assert stray_deliveries.bring_back() == 3

    with later(minutes=1):
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
