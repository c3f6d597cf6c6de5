"""What applications are told: nothing is lost, nobody works twice, nobody waits for another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock, purge
from idp.audit.models import AuditEvent
from idp.database import db, transaction
from idp.deliveries import queue, worker
from idp.deliveries.models import EventDelivery
from idp.doctor import running as doctor
from idp.lifecycle import endings
from idp.people.models import Guardianship
from tests import receiver
from tests.parallel import Queries, at_once
from tests.receiver import Receiver, until
from tests.relying_party import World, world
from tests.times import later


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver.running() as listening:
        yield listening


@pytest.fixture
def here(client: FlaskClient, there: Receiver) -> World:
    made = world(client, "Lina", **there.registered())
    made.portal.redirect_uri = f"{there.address}/callback"
    return made


def note(here: World, times: int, client_id: str | None = None, **changes: Any) -> None:
    """So many deliveries that are due."""
    with transaction() as session:
        for _ in range(times):
            row = {
                "client_id": client_id or here.portal.client_id,
                "event": "logout",
                "account_id": here.guardian.id,
                "session_id": "b_1",
                **changes,
            }
            session.add(EventDelivery(**row))


def rows() -> list[EventDelivery]:
    db.session.rollback()
    query = select(EventDelivery).order_by(EventDelivery.id)
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


@contextmanager
def at_work(app: Flask) -> Iterator[None]:
    """A worker in a thread of its own, as ``idp notify work`` runs it."""
    stop = threading.Event()

    def run() -> None:
        with app.app_context():
            worker.work(stop, pause=0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)


def test_it_is_noted_with_what_happened_or_not_at_all(here: World) -> None:
    here.ask(scope="openid child")
    child_id = here.children[0].id

    with suppress(LookupError), transaction():
        assert endings.end_guardianship(here.guardian.id, child_id, "court")
        raise LookupError
    assert rows() == []

    assert endings.end_guardianship(here.guardian.id, child_id, "court")
    assert [(each.event, each.child_id) for each in rows()] == [("guardianship-ended", child_id)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_who_hears_costs_no_statement(client: FlaskClient) -> None:
    here = world(client, "Lina")
    here.ask(scope="openid child")
    with Queries() as asked:
        endings.end_guardianship(here.guardian.id, here.children[0].id, "court")
        endings.disable_account(here.guardian.id)
    assert not [each for each in asked if "event_deliveries" in each]
    assert rows() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_many_ends_are_noted_by_one_statement(here: World) -> None:
    here.ask(scope="openid child")
    theirs = select(Guardianship.id)
    with Queries() as asked:
        endings.end_guardianships(theirs, "not in the file any more")
    inserts = [each for each in asked if "INSERT INTO event_deliveries" in each]
    assert len(inserts) == 1


def test_workers_side_by_side_tell_each_thing_once(
    app: Flask, here: World, there: Receiver
) -> None:
    note(here, 60)
    db.session.remove()

    done, errors = at_once(app, 4, worker.deliver_due)

    assert errors == []
    assert sum(done) == 60
    assert len(there.heard) == 60
    assert {each.status for each in rows()} == {"told"}


def test_a_worker_that_dies_between_is_followed_by_another(here: World, there: Receiver) -> None:
    note(here, 1)
    (mine,) = queue.claim(here.portal.client_id)  # and dies, perhaps after it was told
    assert worker.deliver_due() == 0
    with later(seconds=queue.LEASE.total_seconds() + 1):
        assert worker.deliver_due() == 1
        assert len(there.heard) == 1
        queue.put_back(mine, "too late")
        queue.ended(mine, "refused", "too late")
    assert [(each.status, each.attempts) for each in rows()] == [("told", 1)]


def test_it_is_told_within_ten_seconds_of_the_act(app: Flask, here: World, there: Receiver) -> None:
    here.redeem()
    with at_work(app):
        began = monotonic()
        here.browser.sign_out()
        until(lambda: there.heard)
        assert monotonic() - began < 10
    assert there.logouts(here.http)


def test_an_application_that_does_not_answer_delays_no_other(
    app: Flask, here: World, there: Receiver
) -> None:
    with receiver.running() as slow:
        slow.wait = 4
        dead = here.other_portal(**slow.registered(), client_name="Slow")
        note(here, 50, dead.client_id)
        note(here, 5)
        with at_work(app):
            began = monotonic()
            until(lambda: len(there.heard) == 5)
            assert monotonic() - began < 4
            slow.wait = 0


def test_one_event_that_breaks_an_application_holds_up_no_other(
    here: World, there: Receiver
) -> None:
    note(here, 3)
    there.status = 503
    worker.deliver_due()
    assert [each.attempts for each in rows()] == [1, 0, 0]
    with later(seconds=6):
        worker.deliver_due()
        assert [each.attempts for each in rows()] == [1, 1, 0]
        there.status = 200
    with later(minutes=1):
        worker.deliver_due()
    assert {each.status for each in rows()} == {"told"}


def test_it_is_tried_again_for_a_day_and_then_given_up(here: World, there: Receiver) -> None:
    note(here, 1)
    there.status = 500
    pauses = []
    moment = clock.now()
    for _ in range(9):
        with later(seconds=(moment - clock.now()).total_seconds() + 0.5):
            worker.deliver_due()
            (row,) = rows()
            pauses.append(round((row.due_at - clock.now()).total_seconds()))
            moment = row.due_at
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900]
    with later(hours=24, seconds=1):
        worker.deliver_due()
        assert worker.deliver_due() == 0
    (row,) = rows()
    assert (row.status, row.answer) == ("given_up", "500")


def test_its_fate_stands_in_the_audit_log(here: World, there: Receiver) -> None:
    here.ask(scope="openid child")
    endings.end_guardianship(here.guardian.id, here.children[0].id, "court", "court")
    worker.deliver_due()
    db.session.rollback()
    event = db.session.scalars(
        select(AuditEvent).where(AuditEvent.event == "application_told")
    ).one()
    assert (event.actor, event.client_id) == ("worker", here.portal.client_id)
    assert (event.account_id, event.child_id) == (here.guardian.id, here.children[0].id)
    assert event.school_id == here.school.id
    assert event.detail["of"] == "guardianship-ended"


def test_the_doctor_says_that_nobody_tells_them_and_who_does_not_answer(
    here: World, there: Receiver
) -> None:
    note(here, 2, created_at=clock.now() - timedelta(minutes=10))
    with later(minutes=2):
        found = {each.subject: each for each in doctor._applications_are_told()}
    assert "idp notify work" in found["notify worker"].remedy
    there.status = 500
    worker.deliver_due()
    found = {each.subject: each for each in doctor._applications_are_told()}
    assert "notify worker" not in found
    assert here.portal.client_id in found["applications"].sentence


def test_r8_what_was_told_is_purged_after_a_month_and_what_waits_is_not(
    here: World, there: Receiver
) -> None:
    note(here, 1)
    worker.deliver_due()
    there.status = 500
    note(here, 1)
    with later(days=29):
        assert purge.run(pause=0)["event_deliveries"] == 0
    with later(days=31):
        assert purge.run(pause=0)["event_deliveries"] == 1
    assert [each.status for each in rows()] == ["waiting"]
