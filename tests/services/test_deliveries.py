"""What applications are told: nothing is lost, nobody works twice, nobody waits for another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock, heartbeat, purge
from idp.audit.models import AuditEvent
from idp.clients import metadata, registration
from idp.database import db, transaction
from idp.deliveries import pauses, queue, sending, settling, worker
from idp.deliveries.models import DeliveryPause, EventDelivery
from idp.doctor import running as doctor
from idp.lifecycle import endings
from idp.people.models import Guardianship
from tests import receiver
from tests.parallel import Queries, at_once
from tests.receiver import Receiver, until
from tests.relying_party import World, world
from tests.times import later

pytestmark = pytest.mark.long_on("sqlite")


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


def pause_of(here: World) -> datetime:
    db.session.rollback()
    pause = db.session.get_one(DeliveryPause, here.portal.client_id, populate_existing=True)
    assert pause.until is not None
    return pause.until


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
        settling.put_back(mine, "too late")
        settling.ended(mine, "refused", "too late")
    assert [(each.status, each.attempts) for each in rows()] == [("told", 1)]


def test_it_is_told_within_ten_seconds_of_the_act(app: Flask, here: World, there: Receiver) -> None:
    here.redeem()
    with at_work(app):
        began = monotonic()
        here.browser.sign_out()
        until(lambda: there.heard)
        assert monotonic() - began < 10
    assert there.logouts(here.http)


@pytest.mark.long
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


def test_who_does_not_answer_is_asked_once_at_a_time_and_ever_less(
    here: World, there: Receiver
) -> None:
    note(here, 30)
    there.status = 503
    moment, gaps = clock.now(), []
    for _ in range(10):
        with later(seconds=(moment - clock.now()).total_seconds() + 0.5):
            before = len(there.heard)
            worker.deliver_due()
            assert len(there.heard) == before + 1
            until = pause_of(here)
            gaps.append(round((until - clock.now()).total_seconds()))
            moment = until
    assert gaps == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert max(each.attempts for each in rows()) == 1
    there.status = 200
    with later(seconds=(moment - clock.now()).total_seconds() + 0.5):
        worker.deliver_due()
        assert {each.status for each in rows()} == {"told"}
        note(here, 3)
        worker.deliver_due()
    assert len(there.heard) == 43


def test_who_answers_and_takes_nothing_is_spared_after_a_few(here: World, there: Receiver) -> None:
    note(here, 30)
    there.status = 500
    worker.deliver_due()
    assert len(there.heard) == pauses.A_FEW
    assert pause_of(here) > clock.now()


def test_of_many_workers_one_sees_whether_it_is_back(
    app: Flask, here: World, there: Receiver
) -> None:
    note(here, 20)
    there.status = 503
    worker.deliver_due()
    there.wait = 1
    db.session.remove()
    with later(seconds=6):
        _done, errors = at_once(app, 4, worker.deliver_due)
    assert errors == []
    assert len(there.heard) == 2


def test_what_it_was_due_for_a_day_is_given_up_tried_or_not(here: World, there: Receiver) -> None:
    note(here, 5, created_at=clock.now() - timedelta(hours=25))
    note(here, 1)
    there.status = 503
    worker.deliver_due()
    assert [each.status for each in rows()] == ["given_up"] * 5 + ["waiting"]
    assert [each.attempts for each in rows()] == [1, 0, 0, 0, 0, 0]
    db.session.rollback()
    given_up = select(AuditEvent).where(AuditEvent.event == "application_not_told")
    assert {each.result for each in db.session.scalars(given_up)} == {"given_up"}


@pytest.mark.long
def test_those_that_hang_leave_threads_to_those_that_answer(
    app: Flask, here: World, there: Receiver
) -> None:
    with receiver.running() as slow:
        slow.address = slow.address.replace("127.0.0.1", "localhost")  # another host
        slow.wait = 30
        hanging = [here.other_portal(**slow.registered()) for _ in range(6)]
        for each in hanging:
            note(here, 5, each.client_id)
            with transaction() as session:
                over = clock.now() - timedelta(seconds=1)
                session.add(DeliveryPause(client_id=each.client_id, failures=1, until=over))
        with at_work(app):
            until(lambda: len(slow.heard) >= 2)
            note(here, 3)
            began = monotonic()
            until(lambda: len(there.heard) == 3)
            assert monotonic() - began < 4


def test_events_of_one_subject_are_told_in_the_order_in_which_they_happened(
    here: World, there: Receiver
) -> None:
    for event in ("account-disabled", "account-enabled", "account-disabled"):
        note(here, 1, event=event, session_id=None)
    note(here, 1)
    kinds = (metadata.ACCOUNT_DISABLED, metadata.ACCOUNT_ENABLED)
    hears_all = {**there.registered(*kinds), "post_logout_redirect_uris": []}
    registered = here.portal.registered.client.metadata_
    registration.change(here.portal.client_id, {**registered, **hears_all})

    there.status = 500
    worker.deliver_due()
    assert [each.attempts for each in rows()] == [1, 0, 0, 1]
    there.status = 200
    with later(seconds=6):
        worker.deliver_due()
        told = [kind for each in there.events(here.http) for kind in each["events"]][1:]
    assert told == [kinds[0], kinds[1], kinds[0]]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("a\r\nb\tc \u202e\u200bd\x1b[31m", "“a b c d [31m”"),
        ("a sentence " * 80, "“" + "a sentence " * 14 + "a sent…”"),
        ("we got Authorization: Bearer abcdefgh12345678", "“we got Authorization: [hidden]”"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln came", "“[hidden] came”"),
        ("“told on Monday”", '“"told on Monday"”'),
        ("\ud800", "“”"),
    ],
)
def test_l1_l2_its_own_words_are_bounded_printable_and_marked(said: str, kept: str) -> None:
    assert sending.in_quotes(said) == kept


def test_l1_what_it_echoes_of_our_request_is_kept_nowhere(
    here: World, there: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    note(here, 1)
    there.echoes = True
    worker.deliver_due()
    (row,) = rows()
    token = there.tokens("/logout")[0]
    assert (row.status, row.answer) == ("refused", "400 “logout_token=[hidden]”")
    assert token.split(".")[1] not in caplog.text


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
    ready = here.http.application.test_client().get("/health/ready")
    assert (ready.status_code, (ready.json or {})["deliveries"]) == (200, "ok")
    with later(minutes=2):
        ready = here.http.application.test_client().get("/health/ready")
        assert (ready.status_code, (ready.json or {})["deliveries"]) == (200, "late")
        found = {each.subject: each for each in doctor._applications_are_told()}
    assert "idp notify work" in found["notify worker"].remedy
    there.status = 500
    worker.deliver_due()
    found = {each.subject: each for each in doctor._applications_are_told()}
    assert "notify worker" not in found
    assert here.portal.client_id in found["applications"].sentence


def test_the_doctor_tells_our_own_way_out_from_an_application_that_is_away(
    client: FlaskClient, here: World, there: Receiver
) -> None:
    """Where two wait and neither can be reached; a third that answers shows that it is they."""
    gone = "http://127.0.0.1:9"
    away = [
        here.other_portal(redirect_uris=[f"{gone}/cb"], backchannel_logout_uri=f"{gone}/{number}")
        for number in range(2)
    ]

    def said() -> tuple[set[str], str]:
        db.session.remove()
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        return {each.subject for each in doctor._applications_are_told()}, ready.json["deliveries"]

    for number in range(pauses.FOR_MINUTES):
        with later(minutes=20 * number):
            if number < len(away):
                note(here, 1, away[number].client_id)
            while worker.deliver_due():
                pass
            subjects, word = said()
            assert (word, "way out" in subjects) == ("ok", False)
    with later(minutes=20 * pauses.FOR_MINUTES):
        while worker.deliver_due():
            pass
        assert said() == ({"way out", "applications"}, "failing")
        there.status = 500
        note(here, 1)  # a third, which answers
        while worker.deliver_due():
            pass
        assert "way out" not in said()[0]


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


@pytest.mark.long
def test_a_loop_whose_threads_all_hang_tells_no_more_that_it_goes_on(
    here: World, app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, stop, released = tmp_path / "alive", threading.Event(), threading.Event()
    note(here, 1)
    names = iter(range(100))
    monkeypatch.setattr(worker, "STANDSTILL", 0.5)
    monkeypatch.setattr(worker.queue, "next_client", lambda *_, **__: f"app_{next(names)}")
    monkeypatch.setattr(worker.queue, "claim", lambda _: [SimpleNamespace(probes=False)])
    monkeypatch.setattr(worker, "_deliver", lambda *_: released.wait(30))

    def loop() -> None:
        with app.app_context():
            heartbeat.begin(heartbeat.Heart(file, {}), db.engine)
            worker.work(stop, 0.1)

    def silence() -> float:
        return heartbeat.silent_for(file) or 0.0

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        until(lambda: file.exists() and silence() > 3)
        released.set()
        until(lambda: silence() < 0.5)
    finally:
        released.set()
        stop.set()
        thread.join()
