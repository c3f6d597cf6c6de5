"""Throttling: what is free, how delays grow, what is forgiven, whom strangers can't slow."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, Engine, event, select

from idp import clock
from idp.credentials import throttling
from idp.credentials.counters import RateLimit
from idp.credentials.models import ThrottleCounter
from idp.credentials.throttling import Allowed, Blocked
from idp.database import db, transaction
from tests import factories
from tests.parallel import Queries, at_once

pytestmark = pytest.mark.long_on("postgresql")

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def time(app: Flask) -> Iterator[time_machine.Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def test_five_are_free_then_delays_double_up_to_a_quarter_of_an_hour(
    app: Flask, time: time_machine.Traveller
) -> None:
    waits = []
    for _ in range(5):
        assert throttling.attempt("account", "a") == Allowed()
    for _ in range(11):
        outcome = throttling.attempt("account", "a")
        assert isinstance(outcome, Blocked)
        waits.append(outcome.retry_after)
        time.shift(outcome.retry_after)
        assert throttling.attempt("account", "a") == Allowed()
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_attempts_that_are_refused_prolong_nothing(
    app: Flask, time: time_machine.Traveller
) -> None:
    for _ in range(5):
        throttling.attempt("account", "a")
    for _ in range(50):
        assert throttling.attempt("account", "a") == Blocked(2)
    time.shift(1)
    assert throttling.attempt("account", "a") == Blocked(1)
    time.shift(1)
    assert throttling.attempt("account", "a") == Allowed()


def test_a_counter_fades_after_a_day_without_attempts(
    app: Flask, time: time_machine.Traveller
) -> None:
    _use_up("account", "a")
    time.shift(timedelta(hours=24))
    for _ in range(5):
        assert throttling.attempt("account", "a") == Allowed()


def test_counters_of_different_things_and_kinds_are_apart(app: Flask) -> None:
    _use_up("account", "a")
    assert throttling.attempt("account", "b") == Allowed()
    assert throttling.attempt("identifier", "a") == Allowed()
    assert throttling.attempt("device", "a", "b") == Allowed()


def test_forgiving_begins_anew(app: Flask) -> None:
    _use_up("account", "a")
    throttling.reset("account", "a")
    assert throttling.attempt("account", "a") == Allowed()


@pytest.mark.parametrize("hours", [-1, -24 * 400])
def test_a_clock_set_back_blocks_nobody_for_long(
    app: Flask, time: time_machine.Traveller, hours: int
) -> None:
    _use_up("account", "a")
    time.shift(timedelta(hours=hours))
    assert throttling.attempt("account", "a") == Allowed()


def test_many_guesses_at_once_are_judged_as_often_as_the_budget_allows(app: Flask) -> None:
    with time_machine.travel(clock.now(), tick=False):
        outcomes, errors = at_once(app, 40, lambda: throttling.attempt("account", "a"))
    assert errors == []
    assert outcomes.count(Allowed()) == 5


def test_all_tokens_together_have_so_many_guesses_a_minute(
    app: Flask, time: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert throttling.POLICIES["tokens"] == RateLimit(600, timedelta(minutes=1))
    monkeypatch.setitem(throttling.POLICIES, "tokens", RateLimit(12, timedelta(minutes=1)))
    for number in range(12):
        assert throttling.check_token(f"10.0.{number}.1") == Allowed()
    time.shift(20)
    assert throttling.attempt("tokens") == Blocked(40)
    time.shift(40)
    assert throttling.attempt("tokens") == Allowed()
    time.shift(timedelta(hours=-1))
    assert throttling.attempt("tokens") == Allowed()


def test_p6_a_spent_minute_does_not_shut_out_who_guessed_nothing(
    app: Flask, time: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(throttling.POLICIES, "tokens", RateLimit(12, timedelta(minutes=1)))
    for number in range(40):  # somebody's /48 has 65,536 networks of 64 bits
        last = throttling.check_token(f"2001:db8:1:{number:x}::1")

    assert isinstance(last, Blocked)
    assert throttling.check_token("2001:db8:2::1") == Allowed()
    assert throttling.check_token("198.51.100.7") == Allowed()


def test_p6_a_network_is_judged_as_often_as_its_own_budget_allows(
    app: Flask, time: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(throttling.POLICIES, "tokens", RateLimit(1, timedelta(days=1)))
    throttling.check_token(THERE)

    outcomes = [throttling.check_token(f"2001:db8:1:{number:x}::1") for number in range(60)]

    assert outcomes.count(Allowed()) == 20
    assert outcomes[-1] == Blocked(2)


def test_one_address_has_100_free_and_waits_a_minute_at_most(
    app: Flask, time: time_machine.Traveller
) -> None:
    for _ in range(100):
        assert throttling.check_token(HERE) == Allowed()
    waits = []
    for _ in range(7):
        outcome = throttling.check_token(HERE)
        assert isinstance(outcome, Blocked)
        waits.append(outcome.retry_after)
        time.shift(outcome.retry_after)
        throttling.check_token(HERE)
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    assert throttling.check_token(THERE) == Allowed()


def test_an_address_gets_back_only_the_attempt_that_was_right(
    app: Flask, time: time_machine.Traveller
) -> None:
    claire = factories.account("claire")
    for number in range(99):
        throttling.check_sign_in(f"guess{number}", None, HERE, device_known=False)
    for _ in range(3):
        assert throttling.check_sign_in("claire", claire.id, HERE, False) == Allowed()
        throttling.reset_sign_in("claire", claire.id, HERE, False)
    assert throttling.check_sign_in("last", None, HERE, False) == Allowed()
    assert throttling.check_sign_in("more", None, HERE, False) == Blocked(2)


def test_a_right_token_is_given_back(app: Flask, time: time_machine.Traveller) -> None:
    for _ in range(99):
        throttling.check_token(HERE)
    for _ in range(5):
        assert throttling.check_token(HERE) == Allowed()
        throttling.reset_token(HERE)


def test_mail_requests_are_limited_by_address(app: Flask, time: time_machine.Traveller) -> None:
    for _ in range(20):
        assert throttling.check_mail_request(HERE) == Allowed()
    assert isinstance(throttling.check_mail_request(HERE), Blocked)
    assert throttling.check_mail_request(THERE) == Allowed()


def test_known_and_unknown_names_are_refused_alike(
    app: Flask, time: time_machine.Traveller
) -> None:
    claire = factories.account("claire")
    for account_id, typed in ((claire.id, "claire"), (None, "nobody")):
        outcomes = [throttling.check_sign_in(typed, account_id, HERE, False) for _ in range(7)]
        assert outcomes == [Allowed()] * 5 + [Blocked(2)] * 2


def test_the_spelling_of_a_name_opens_no_second_budget(
    app: Flask, time: time_machine.Traveller
) -> None:
    for typed in ("nobody", "NOBODY", " nobody ", "Ｎobody", "nobodY"):
        assert throttling.check_sign_in(typed, None, HERE, False) == Allowed()
    assert throttling.check_sign_in("nObody", None, THERE, False) == Blocked(2)
    assert throttling.check_sign_in("\0" * 5000, None, HERE, False) == Allowed()


def test_a_second_identifier_of_one_account_is_refused_without_a_sign(
    app: Flask, time: time_machine.Traveller
) -> None:
    claire = factories.account("claire", email="claire@example.org")
    for _ in range(5):
        throttling.check_sign_in("claire", claire.id, HERE, False)
    by_mail = throttling.check_sign_in("claire@example.org", claire.id, HERE, False)
    assert by_mail == Blocked(2, hidden=True)


def test_behind_an_address_that_must_wait_nobody_is_counted(
    app: Flask, time: time_machine.Traveller
) -> None:
    claire = factories.account("claire")
    _use_up("address", throttling.address_prefix(HERE))
    for _ in range(6):
        assert isinstance(throttling.check_sign_in("claire", claire.id, HERE, False), Blocked)
    assert db.session.scalars(select(ThrottleCounter.attempts)).all() == [100]
    assert throttling.check_sign_in("claire", claire.id, THERE, False) == Allowed()


def test_a_right_password_gives_back_and_forgets_what_was_counted(
    app: Flask, time: time_machine.Traveller
) -> None:
    claire = factories.account("claire")
    for typed, account_id in (("claire", claire.id), ("noah", None)):
        throttling.check_sign_in(typed, account_id, HERE, False)
    throttling.reset_sign_in("claire", claire.id, HERE, False)
    assert sorted(db.session.scalars(select(ThrottleCounter.attempts))) == [1, 1, 1]


def test_asking_for_an_unknown_name_takes_the_same_statements(app: Flask) -> None:
    claire = factories.account("claire")
    asked = []
    for account_id, typed in ((claire.id, "claire"), (None, "nobody")):
        with Queries() as queries:
            throttling.check_sign_in(typed, account_id, HERE, False)
        asked.append(queries)
    assert asked[0] == asked[1]


def test_an_attempt_is_never_counted_inside_anothers_transaction(app: Flask) -> None:
    with transaction(), pytest.raises(RuntimeError, match="before a transaction"):
        throttling.attempt("account", "a")


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("fe80::1%eth0", "fe80::/64"),
        ("nonsense", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_an_address_stands_for_what_one_visitor_holds(address: str | None, prefix: str) -> None:
    assert throttling.address_prefix(address) == prefix


def test_counters_name_nobody(app: Flask) -> None:
    throttling.check_sign_in("claire.dubois", None, HERE, False)
    keys = db.session.scalars(select(ThrottleCounter.key)).all()
    assert len(keys) == 3
    assert not any("claire" in key or HERE in key for key in keys)


def test_a_counter_forgiven_at_this_moment_asks_for_a_second(
    app: Flask, time: time_machine.Traveller
) -> None:
    _use_up("account", "a")

    def forgive(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE throttle_counters SET refused"):
            connection.exec_driver_sql("DELETE FROM throttle_counters")

    event.listen(Engine, "before_cursor_execute", forgive)
    try:
        assert throttling.attempt("account", "a") == Blocked(1)
    finally:
        event.remove(Engine, "before_cursor_execute", forgive)
    assert throttling.attempt("account", "a") == Allowed()


def test_claims_and_sign_ins_at_once_wait_in_no_circle(app: Flask) -> None:
    account = factories.account("claire", email="claire@example.org")

    def guess_and_forgive() -> None:
        for _ in range(10):
            throttling.check_sign_in("claire@example.org", account.id, HERE, False)
            throttling.reset_claim(account.id, "claire", "claire@example.org", address=HERE)

    done, errors = at_once(app, 6, guess_and_forgive)
    assert (len(done), errors) == (6, [])


def _use_up(kind: str, *parts: str) -> None:
    while isinstance(throttling.attempt(kind, *parts), Allowed):
        pass
