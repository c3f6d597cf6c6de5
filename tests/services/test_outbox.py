"""The outbox and its worker: nothing is lost, nothing is sent twice, trouble passes."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import db, transaction
from idp.mail import delivery, outbox
from idp.mail.models import OutboxMessage
from idp.readiness import lateness
from idp.settings import Settings
from tests import factories, smtp
from tests.conftest import settings_for_tests
from tests.smtp import MailServer

pytestmark = pytest.mark.long_on("sqlite")

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
ALICE = "alice@example.org"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: Path, mail_server: MailServer) -> Settings:
    return settings_for_tests(database_url, keys_folder, mail_port=mail_server.port)


@pytest.fixture
def parent(app: Flask) -> Any:
    return factories.account(username="alice", email=ALICE, status="invited", locale="en")


@contextmanager
def worker(app: Flask) -> Iterator[None]:
    """A worker in a thread of its own, as ``idp mail work`` runs it."""
    stop = threading.Event()

    def run() -> None:
        with app.app_context():
            delivery.work(stop, pause=0.05)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=20)


def until(condition: Any, seconds: float = 15) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.02)


def row(message: OutboxMessage) -> OutboxMessage:
    """The row as it is in the database now."""
    db.session.rollback()
    return db.session.scalars(
        select(OutboxMessage)
        .where(OutboxMessage.id == message.id)
        .execution_options(populate_existing=True)
    ).one()


def deliver_at(moment: datetime) -> int:
    with time_machine.travel(moment, tick=False):
        return delivery.deliver_due()


def test_a_message_belongs_to_the_callers_transaction(app: Flask, parent: Any) -> None:
    def fail_after_enqueueing() -> None:
        with transaction():
            outbox.enqueue("invitation", account_id=parent.id)
            raise LookupError

    with pytest.raises(LookupError):
        fail_after_enqueueing()
    assert outbox.list_messages() == []


def test_a_message_is_delivered_once_and_its_fate_is_known(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    message = outbox.enqueue("invitation", account_id=parent.id)
    assert delivery.deliver_due() == 1
    assert delivery.deliver_due() == 0
    assert [letter.recipients for letter in mail_server.letters] == [[ALICE]]
    assert row(message).status == "sent"
    assert row(message).finished_at is not None
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "mail_sent")).one()
    assert (event.actor, event.account_id) == ("worker", parent.id)
    assert event.detail["outbox_id"] == message.id


def test_a_taken_message_is_nobody_elses_until_its_lease_is_over(app: Flask, parent: Any) -> None:
    with time_machine.travel(START, tick=False) as now:
        message = outbox.enqueue("invitation", account_id=parent.id)
        assert [taken.message.id for taken in outbox.claim_due(5)] == [message.id]
        assert outbox.claim_due(5) == []
        now.shift(outbox.LEASE + timedelta(seconds=1))
        assert [taken.message.id for taken in outbox.claim_due(5)] == [message.id]


def test_whoever_lost_the_lease_does_not_overwrite_the_outcome(app: Flask, parent: Any) -> None:
    with time_machine.travel(START, tick=False) as now:
        message = outbox.enqueue("invitation", account_id=parent.id)
        (late,) = outbox.claim_due()
        db.session.expunge(late.message)
        now.shift(outbox.LEASE + timedelta(seconds=1))
        (second,) = outbox.claim_due()
        outbox.refused(late.message, "550 too late")
        outbox.give_back(late, "away")
        assert (row(message).status, row(message).attempts) == ("queued", 2)
        outbox.sent(second.message)
        outbox.put_back(late.message, "451 too late")
        assert row(message).status == "sent"


def test_workers_side_by_side_send_each_message_once(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    for _ in range(24):
        outbox.enqueue("password_changed", account_id=parent.id)
    db.session.remove()

    def drain() -> None:
        with app.app_context():
            while delivery.deliver_due(limit=2):
                pass
            db.session.remove()

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail_server.letters) == 24
    assert {message.status for message in outbox.list_messages()} == {"sent"}


def test_a_deferred_mail_is_tried_again_after_growing_pauses(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    mail_server.recipient_answer = "450 4.2.0 greylisted"
    with time_machine.travel(START, tick=False):
        message = outbox.enqueue("invitation", account_id=parent.id)
    moment, pauses = START, []
    for _ in range(12):
        assert deliver_at(moment) == 1
        pauses.append((row(message).due_at - moment).total_seconds())
        moment = row(message).due_at
    assert pauses[:4] == [4, 8, 16, 32]
    assert pauses[-1] == 3600
    assert row(message).status == "queued"
    assert row(message).answer == "450 4.2.0 greylisted"
    mail_server.behave()
    deliver_at(moment)
    assert row(message).status == "sent"


def test_after_three_days_a_mail_is_given_up_but_not_forgotten(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    with time_machine.travel(START, tick=False):
        message = outbox.enqueue("invitation", account_id=parent.id)
    mail_server.data_answer = "452 4.3.1 full"
    deliver_at(START + timedelta(days=3, seconds=1))
    assert row(message).status == "refused"
    assert row(message).answer == "given up after 1 attempts: 452 4.3.1 full"


@pytest.mark.parametrize("field", ["recipient_answer", "data_answer"])
def test_a_refused_mail_keeps_the_servers_answer_and_ends_its_token(
    app: Flask, parent: Any, mail_server: MailServer, field: str
) -> None:
    setattr(mail_server, field, f"550 5.1.1 <{ALICE}> is unknown here")
    message = outbox.enqueue("invitation", account_id=parent.id)
    assert delivery.deliver_due() == 1
    assert row(message).status == "refused"
    assert row(message).answer == "550 5.1.1 <…> is unknown here"
    token = db.session.scalars(select(OneTimeToken)).one()
    assert token.ended_at is not None
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "mail_refused")).one()
    assert event.account_id == parent.id


REFUSES_US = pytest.mark.parametrize("answer", ["421 4.3.0 closing", "550 5.7.1 sender unknown"])


@REFUSES_US
def test_a_server_that_refuses_us_is_not_the_recipients_fault(
    app: Flask, parent: Any, mail_server: MailServer, answer: str
) -> None:
    mail_server.sender_answer = answer
    message = outbox.enqueue("invitation", account_id=parent.id)
    assert delivery.deliver_due() == 0
    assert row(message).status == "queued"
    assert row(message).answer == f"sender refused, {answer[:3]}"


@REFUSES_US
def test_a_server_that_refuses_us_ends_no_token_in_use(
    app: Flask, parent: Any, mail_server: MailServer, answer: str
) -> None:
    with transaction():
        printed = one_time_tokens.mint(parent.id, "first_sign_in")
    mail_server.sender_answer = answer
    outbox.enqueue("fresh_token", account_id=parent.id)
    assert delivery.deliver_due() == 0
    assert isinstance(one_time_tokens.find(printed), one_time_tokens.Live)


@REFUSES_US
def test_a_server_that_refuses_us_costs_no_attempt_and_is_told_after_five_minutes(
    app: Flask, parent: Any, mail_server: MailServer, answer: str
) -> None:
    mail_server.sender_answer = answer
    with time_machine.travel(START, tick=False) as now:
        message = outbox.enqueue("invitation", account_id=parent.id)
        told = []
        for _ in range(90):
            now.shift(timedelta(seconds=4))
            assert delivery.deliver_due() == 0
            told.append(lateness.mails())
        assert {first for count, first in told if count} == {START}
        assert [count for count, _ in told] == [0] * 75 + [1] * 15
        assert lateness.words()["mails"] == "late"
        assert row(message).attempts == 0

        mail_server.behave()
        mail_server.recipient_answer = "450 4.2.0 greylisted"
        assert delivery.deliver_due() == 1
        assert row(message).due_at - clock.now() == outbox.FIRST_PAUSE


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        ("552 5.3.4 Message size exceeds fixed limit", ("refused", 1)),
        ("550 5.7.1 Not this one", ("queued", 1)),
        ("451 4.7.1 Not this one now", ("queued", 1)),
    ],
)
def test_a_mail_that_is_refused_as_it_begins_holds_up_no_other(
    app: Flask, parent: Any, mail_server: MailServer, answer: str, fate: tuple[str, int]
) -> None:
    answers = iter([answer])
    mail_server.size_answer = lambda: next(answers, None)
    with time_machine.travel(START, tick=False) as now:
        refused = outbox.enqueue("invitation", account_id=parent.id)
        now.shift(timedelta(seconds=1))
        others = [outbox.enqueue("password_changed", account_id=parent.id) for _ in range(3)]
        assert delivery.deliver_due() == 4
        assert {row(each).status for each in others} == {"sent"}
        assert (row(refused).status, row(refused).attempts) == fate
        assert row(refused).answer == answer
        assert db.session.scalars(select(OneTimeToken)).one().ended_at is not None
        if row(refused).status == "queued":
            assert row(refused).due_at - clock.now() == outbox.FIRST_PAUSE


def test_a_server_that_takes_few_mails_on_one_connection_gets_the_rest_on_others(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    mail_server.per_connection = 2
    messages = [outbox.enqueue("password_changed", account_id=parent.id) for _ in range(5)]
    assert delivery.deliver_due() == 5
    assert len(mail_server.letters) == 5
    assert {(row(each).status, row(each).attempts) for each in messages} == {("sent", 1)}


def test_a_closing_server_is_reached_again_for_the_next_mail(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    for _ in range(2):
        outbox.enqueue("password_changed", account_id=parent.id)
    mail_server.data_answer = "421 4.3.0 closing"
    assert delivery.deliver_due() == 2
    answers = {message.answer for message in outbox.list_messages(status="queued")}
    assert answers == {"421 4.3.0 closing"}


@pytest.mark.parametrize("moment", ["RCPT", "DATA"])
def test_a_connection_that_breaks_queues_the_mail_again(
    app: Flask, parent: Any, mail_server: MailServer, moment: str
) -> None:
    mail_server.drop_at = moment
    with time_machine.travel(START, tick=False):
        message = outbox.enqueue("invitation", account_id=parent.id)
    deliver_at(START)
    assert row(message).status == "queued"
    mail_server.behave()
    deliver_at(START + timedelta(seconds=10))
    assert row(message).status == "sent"
    assert len(mail_server.letters) == 1


def test_a_server_that_is_away_ends_no_token_in_use(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    with transaction():
        printed = one_time_tokens.mint(parent.id, "first_sign_in")
    mail_server.stop()
    outbox.enqueue("fresh_token", account_id=parent.id)
    assert delivery.deliver_due() == 0
    assert isinstance(one_time_tokens.find(printed), one_time_tokens.Live)


def test_a_server_that_is_away_costs_no_message_an_attempt(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    """However long it was, what is then put off for its own sake is so for its first pause."""
    mail_server.stop()
    with time_machine.travel(START, tick=False):
        messages = [outbox.enqueue("invitation", account_id=parent.id) for _ in range(3)]
    for minute in range(5):
        assert deliver_at(START + timedelta(minutes=minute)) == 0
    assert {row(each).attempts for each in messages} == {0}
    assert {row(each).meaning for each in messages} == {"server_away"}

    mail_server.start()
    mail_server.recipient_answer = "450 4.2.0 greylisted"
    moment = START + timedelta(minutes=5)
    assert deliver_at(moment) == 3
    assert {row(each).due_at - moment for each in messages} == {outbox.FIRST_PAUSE}


def test_after_three_days_a_mail_is_given_up_while_the_server_is_away(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    mail_server.stop()
    with time_machine.travel(START, tick=False):
        old = outbox.enqueue("invitation", account_id=parent.id)
    later = START + timedelta(days=3, seconds=1)
    with time_machine.travel(later, tick=False):
        new = outbox.enqueue("invitation", account_id=parent.id)
    assert deliver_at(later) == 0
    assert (row(old).status, row(old).meaning) == ("refused", "given_up")
    assert row(old).answer == "given up after 0 attempts: ConnectionRefusedError"
    assert row(new).status == "queued"
    event = db.session.scalars(select(AuditEvent).where(AuditEvent.event == "mail_refused")).one()
    assert event.detail["outbox_id"] == old.id


class Watched(threading.Event):
    """Ends a worker after so many waits, each of which is over at once."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        if len(self.waits) == self._most:
            self.set()
        return self.is_set()


def test_a_server_that_is_away_is_looked_for_each_few_seconds(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    mail_server.stop()
    outbox.enqueue("invitation", account_id=parent.id)
    stop = Watched(6)
    delivery.work(stop, pause=1)
    assert stop.waits == [2, 4, 4, 4, 4, 4]


@pytest.mark.parametrize(
    ("answer", "longest"), [("550 5.7.1 sender unknown", 60), ("451 4.3.0 later", 4)]
)
def test_a_server_that_refuses_us_for_good_is_asked_less_and_less(
    app: Flask, parent: Any, mail_server: MailServer, answer: str, longest: float
) -> None:
    mail_server.sender_answer = answer
    outbox.enqueue("invitation", account_id=parent.id)
    stop = Watched(7)
    delivery.work(stop, pause=1)
    assert stop.waits == [min(2**tries, longest) for tries in range(1, 8)]


def test_a_server_that_took_a_mail_is_looked_for_soon_again(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    """Whatever trouble there was before: it takes one at a time."""
    mail_server.sender_answer = "550 5.7.1 too much mail"
    for _ in range(9):
        outbox.enqueue("password_changed", account_id=parent.id)

    class Allowed(Watched):
        def wait(self, timeout: float | None = None) -> bool:
            if len(self.waits) == 4:
                mail_server.sender_answer = None
                mail_server.on_data = self.enough
            return super().wait(timeout)

        def enough(self) -> None:
            mail_server.sender_answer = "550 5.7.1 too much mail"

    stop = Allowed(7)
    delivery.work(stop, pause=1)
    assert stop.waits == [2, 4, 8, 16, 32, 2, 4]
    assert len(mail_server.letters) == 1


def test_a_server_that_breaks_down_meanwhile_has_the_message_at_once_when_it_is_back(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    """The first was being sent, the second was taken for it and found nobody."""
    for _ in range(2):
        outbox.enqueue("password_changed", account_id=parent.id)
    mail_server.drop_at = "DATA"
    mail_server.on_data = mail_server.stop_listening
    assert delivery.deliver_due() == 1
    mail_server.behave()
    mail_server.stop()
    mail_server.start()
    with time_machine.travel(clock.now() + outbox.FIRST_PAUSE, tick=False):
        assert delivery.deliver_due() == 2
    assert len(mail_server.letters) == 2


def test_a_message_that_was_taken_for_a_server_that_broke_down_waits_as_before(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    mail_server.drop_at = "DATA"
    mail_server.on_data = mail_server.stop_listening
    with time_machine.travel(START, tick=False) as now:
        outbox.enqueue("password_changed", account_id=parent.id)
        now.shift(timedelta(seconds=1))
        second = outbox.enqueue("invitation", account_id=parent.id)
        now.shift(timedelta(minutes=10))
        assert delivery.deliver_due() == 1
    kept = row(second)
    assert (kept.attempts, kept.due_at) == (0, START + timedelta(seconds=1))
    assert (kept.status, kept.meaning) == ("queued", "server_away")


@pytest.mark.parametrize("field", ["sender_answer", "recipient_answer"])
def test_of_several_letters_of_a_row_each_is_sent_once(
    app: Flask, mail_server: MailServer, field: str
) -> None:
    """Two spellings of one address; the server has enough after the first of them."""
    addresses = {"alice@example.org", "Alice@example.org"}
    for number, email in enumerate(sorted(addresses)):
        factories.account(username=f"parent{number}", email=email, status="active", locale="en")
    with time_machine.travel(START, tick=False):
        message = outbox.enqueue("password_reset", about={"email": "alice@example.org"})

    def has_enough() -> None:
        setattr(mail_server, field, "450 4.7.1 Error: too much mail")

    mail_server.on_data = has_enough
    for tries in range(10):  # too little for the second, each time
        deliver_at(START + timedelta(seconds=4 * tries))
    assert len(mail_server.letters) == 1
    assert row(message).status == "queued"
    assert tokens_left(mail_server) == 1
    lives = db.session.scalars(select(OneTimeToken.ended_at.is_(None))).all()
    assert sum(lives) == 1, "what was made for the second is in nobody's hands"

    mail_server.behave()
    deliver_at(START + timedelta(hours=1))
    assert {letter.recipients[0] for letter in mail_server.letters} == addresses
    assert len(mail_server.letters) == 2
    assert tokens_left(mail_server) == 2
    assert (row(message).status, "left" in row(message).about) == ("sent", False)


def tokens_left(mail_server: MailServer) -> int:
    """How many of the tokens that arrived work."""
    came = [token for letter in mail_server.letters for token in letter.tokens]
    with time_machine.travel(START + timedelta(minutes=1), tick=False):
        found = [one_time_tokens.find(token) for token in came]
    return sum(isinstance(each, one_time_tokens.Live) for each in found)


def test_a_row_whose_last_letter_has_nobody_any_more_has_been_sent(
    app: Flask, mail_server: MailServer
) -> None:
    for name, email in (("alice", "Alice@example.org"), ("bob", ALICE)):
        factories.account(username=name, email=email, status="active", locale="en")
    with time_machine.travel(START, tick=False):
        message = outbox.enqueue("password_reset", about={"email": ALICE})
    mail_server.on_data = lambda: setattr(mail_server, "recipient_answer", "450 4.2.0 later")
    deliver_at(START)
    assert len(mail_server.letters) == 1
    with transaction() as session:
        session.execute(text("UPDATE accounts SET status = 'disabled' WHERE username = 'bob'"))
    mail_server.behave()
    deliver_at(START + timedelta(minutes=1))
    assert row(message).status == "sent"
    assert len(mail_server.letters) == 1


def test_one_message_that_cannot_be_written_holds_up_no_other(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    strange = outbox.enqueue("from_a_newer_release", account_id=parent.id)
    outbox.enqueue("invitation", account_id=parent.id)
    assert delivery.deliver_due() == 2
    assert len(mail_server.letters) == 1
    assert row(strange).status == "queued"
    assert row(strange).answer == "can't be written: KeyError"


def test_the_list_tells_what_became_of_each_mail(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    outbox.enqueue("invitation", account_id=parent.id)
    outbox.enqueue("password_reset", about={"email": "nobody@example.org"})
    delivery.deliver_due()
    assert [m.kind for m in outbox.list_messages(status="sent")] == ["invitation"]
    assert [m.answer for m in outbox.list_messages(status="dropped")] == ["nobody to write to"]
    assert [m.kind for m in outbox.list_messages(account_id=parent.id)] == ["invitation"]
    assert len(outbox.list_messages(limit=1)) == 1


def test_the_worker_delivers_what_comes_in(
    app: Flask, parent: Any, mail_server: MailServer
) -> None:
    with worker(app):
        for number in range(1, 4):
            outbox.enqueue("password_changed", account_id=parent.id)
            until(lambda number=number: len(mail_server.letters) == number)
    db.session.rollback()
    db.session.expire_all()
    assert {message.status for message in outbox.list_messages()} == {"sent"}


def test_the_worker_survives_a_database_that_is_away(
    app: Flask, parent: Any, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "idp.mail")
    outbox.enqueue("invitation", account_id=parent.id)
    with transaction() as session:
        session.execute(text("ALTER TABLE outbox RENAME TO outbox_away"))
    with worker(app):
        until(lambda: "mail waits: database" in caplog.text)
        sleep(0.5)
        with transaction() as session:
            session.execute(text("ALTER TABLE outbox_away RENAME TO outbox"))
        until(lambda: len(mail_server.letters) == 1)
        until(lambda: "mail flows again" in caplog.text)
    assert caplog.text.count("mail waits") == 1


def test_the_worker_outlives_what_nobody_thought_of(
    app: Flask, parent: Any, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "idp.mail")
    flask_mail = app.extensions.pop("mail")
    outbox.enqueue("invitation", account_id=parent.id)
    with worker(app):
        until(lambda: "mail waits: unexpected: KeyError" in caplog.text)
        app.extensions["mail"] = flask_mail
        outbox.enqueue("password_changed", account_id=parent.id)
        until(lambda: len(mail_server.letters) == 1)
        until(lambda: "mail flows again" in caplog.text)
