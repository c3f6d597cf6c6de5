"""R18: a secret that is followed by another one signs nobody out and breaks nothing."""

import json
from collections.abc import Iterator
from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from flask.testing import FlaskClient
from sqlalchemy import select

from idp import clock, create_app
from idp.cli.program import cli
from idp.clients.used import first_use
from idp.credentials import counters, one_time_tokens, throttling, totp
from idp.credentials.models import ThrottleCounter
from idp.database import db, hashes, transaction
from idp.doctor import installation
from idp.oidc import dpop, tokens
from idp.readiness import agreement, marks
from idp.settings import Settings
from tests import factories
from tests.factories import PASSWORD
from tests.parallel import Queries
from tests.protocol.proofs import Prover
from tests.relying_party import Browser, World, answer, world
from tests.second_factors import code_now, switch_on
from tests.security.rotation import Start, lists, sent_to, worker
from tests.times import later

pytestmark = pytest.mark.long_on("postgresql")


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Starts a worker at a step of the rotation; the first one has served before."""
    started: list[Flask] = []

    def made(step: str) -> Flask:
        started.append(worker(settings, step))
        return started[-1]

    made("before")
    yield made
    for app in started:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def there(start: Start, client: FlaskClient) -> World:
    """Claire has signed in at the portal under the old secrets, and stays signed in."""
    there = world(client, "Lina", signed_in=False)
    there.ask()
    there.browser.submit("login-form", username="claire", password=PASSWORD, stay="yes")
    return there


def refresh_token(there: World) -> str:
    return str(there.redeem(scope="openid offline_access")["refresh_token"])


def assert_serves(app: Flask, there: World, token: str) -> str:
    """Everything that Claire and her portal do still works; returns the next refresh token."""
    sent_to(app, there.browser)
    assert "id_token" in there.redeem(), "signed in, and the client's secret is right"
    refreshed = there.portal.refresh(there.http, token)
    assert refreshed.status_code == 200, refreshed.text
    following = refreshed.json or {}
    assert there.portal.userinfo(there.http, following["access_token"]).status_code == 200
    stranger = Browser(app.test_client())
    assert "code" in there.portal.sign_in(stranger, "claire"), "the password is right"
    return str(following["refresh_token"])


def test_a_rotation_signs_nobody_out_and_breaks_nothing(start: Start, there: World) -> None:
    token = refresh_token(there)
    token = assert_serves(start("added"), there, token)
    with later(minutes=10):
        token = assert_serves(start("promoted"), there, token)
        assert_serves(start("removed"), there, token)


def test_old_and_new_workers_serve_beside_each_other(start: Start, there: World) -> None:
    token = refresh_token(there)
    added, promoted = start("added"), start("promoted")
    for app in (added, promoted, added, promoted):
        token = assert_serves(app, there, token)


def test_a_worker_that_does_not_know_the_new_one_may_not_serve(
    start: Start, app: Flask, client: FlaskClient
) -> None:
    assert client.get("/health/ready").status_code == 200
    start("added")
    assert client.get("/health/ready").status_code == 200
    start("promoted")
    assert client.get("/health/ready").status_code == 503


def test_a_device_key_goes_on_and_is_hashed_anew(start: Start, there: World) -> None:
    for day, step in enumerate(("added", "promoted", "removed"), 1):
        sent_to(start(step), there.browser)
        with later(days=day):
            assert "code" in answer(there.http.get(there.portal.authorize_path()))


def test_a_mailed_token_works_under_the_next_secret(start: Start, there: World) -> None:
    parent = factories.account("pierre", status="invited")
    token = one_time_tokens.mint(parent.id, "first_sign_in")
    promoted, removed = start("promoted"), start("removed")
    for app, opens in ((removed, False), (promoted, True)):
        browser = Browser(app.test_client())
        browser.open(f"/welcome?token={token}")
        browser.submit("token-form", token=token)
        assert browser.shows("password-form") == opens


def test_a_page_that_was_open_is_answered_by_whoever_knows_both(
    start: Start, client: FlaskClient
) -> None:
    there = world(client, "Lina", signed_in=False)
    there.ask()
    sent_to(start("promoted"), there.browser)
    assert "code" in answer(there.browser.sign_in("claire"))


def test_a_lost_refresh_answer_is_repeated_word_for_word(start: Start, there: World) -> None:
    token = refresh_token(there)
    first = there.portal.refresh(there.http, token).json or {}
    sent_to(start("promoted"), there.browser)
    again = there.portal.refresh(there.http, token).json or {}
    assert again["refresh_token"] == first["refresh_token"]


def test_a_token_used_twice_ends_its_grant_under_any_secret(start: Start, there: World) -> None:
    token = refresh_token(there)
    following = (there.portal.refresh(there.http, token).json or {})["refresh_token"]
    sent_to(start("promoted"), there.browser)
    there.portal.refresh(there.http, following)
    assert there.portal.refresh(there.http, token).status_code == 400
    assert there.portal.refresh(there.http, following).status_code == 400


def test_what_works_once_works_once_at_either_worker(start: Start, app: Flask) -> None:
    until = clock.timestamp() + 60

    def first(step: str, jti: str) -> bool:
        with start(step).app_context():
            return first_use("dpop", "key", jti, "app", until)

    assert first("before", "a")
    assert not first("promoted", "a")
    assert first("promoted", "b")
    assert not first("added", "b")


def test_a_proof_about_a_token_works_once_at_either_worker(start: Start, there: World) -> None:
    key, apps = Prover(), (start("promoted"), start("added"))
    answered = key.redeem(there.portal, there.http, there.answer()["code"]).json or {}
    token = answered["access_token"]
    proof = key.proof("GET", "/oauth2/userinfo", token=token)
    statuses = [key.userinfo(each.test_client(), token, proof).status_code for each in apps]
    assert statuses == [200, 401]


def guess(times: int) -> list[throttling.Allowed | throttling.Blocked]:
    return [throttling.attempt("account", "a") for _ in range(times)]


def test_guesses_are_counted_at_each_worker_and_forgotten_at_all(start: Start, app: Flask) -> None:
    orders = [start("added"), start("promoted")]
    for each in orders:
        with each.app_context():
            refused = guess(7)[-2:]  # told, though a counter of the other order stands there too
            assert all(isinstance(one, throttling.Blocked) for one in refused)
    with orders[1].app_context():
        throttling.reset("account", "a")
    for each in orders:
        with each.app_context():
            assert guess(1) == [throttling.Allowed()]


def test_an_attempt_is_given_back_to_the_counter_that_counted_it(start: Start, app: Flask) -> None:
    policy = counters.Growing(free=2, longest=60, fade=timedelta(hours=1))
    with start("promoted").app_context():
        newest, former = hashes.all_of(hashes.keyed_hash("throttle", "a"))
        for key in (newest, former):
            with transaction():
                counters.move((key, policy))
        with transaction():
            counters.settle((), (hashes.keyed_hash("throttle", "a"), policy))
        rows = db.session.execute(select(ThrottleCounter.key, ThrottleCounter.attempts)).all()
        assert dict(map(tuple, rows)) == {newest: 0, former: 1}


def test_an_app_is_sealed_anew_by_its_next_code(start: Start, there: World) -> None:
    secret, _codes = switch_on(there.guardian.id)
    with start("promoted").app_context():
        assert totp.spend(there.guardian.id, code_now(secret, 1))
    with start("removed").app_context(), later(minutes=5):
        assert totp.spend(there.guardian.id, code_now(secret))


def test_one_statement_finds_what_any_secret_made(start: Start, there: World) -> None:
    access = str(there.redeem()["access_token"])
    for step in ("before", "promoted"):
        with start(step).app_context():
            assert tokens.find_access(access) is not None  # the process knows its secrets
            with Queries() as statements:
                assert tokens.find_access(access) is not None
            assert len(statements) == 1
            assert ("token_hash IN (" in statements[0]) == (step == "promoted")


# Which secret the installation began with


@pytest.fixture
def from_before(there: World) -> World:
    """The database comes from a release that knew no lists, and no machine has started since."""
    with db.engine.begin() as now:
        marks.forget(now, [agreement.FIRST + name for name in agreement.MARKED])
    db.session.expire_all()
    return there


def test_a_machine_that_is_refused_settles_nothing(start: Start, from_before: World) -> None:
    token = refresh_token(from_before)
    with pytest.raises(agreement.Disagreement):
        start("removed")  # alone with a secret that nobody else has
    assert_serves(start("before"), from_before, token)


def test_a_first_secret_that_comes_back_opens_what_it_made(
    start: Start, settings: Settings, from_before: World
) -> None:
    token = refresh_token(from_before)
    with pytest.raises(agreement.Disagreement):
        start("removed")
    only_newer = create_app(replace(settings, **lists("removed")))
    with only_newer.app_context():
        agreement.settle()
        assert hashes.keyed_hash("session", "a").startswith(hashes.MARKED)
    start("removed")
    assert_serves(start("promoted"), from_before, token)


# What status tells


def status(app: Flask) -> tuple[int, dict[tuple[str, int], dict[str, Any]]]:
    run = CliRunner().invoke  # in a context of its own: the test's belongs to another worker
    result = Context().run(run, cli, ["secrets", "status", "--json"], obj=_of(app))
    assert result.stdout, result.output + str(result.exception)
    rows = json.loads(result.stdout)
    return result.exit_code, {(row["secret"], row["place"]): row for row in rows}


def _of(app: Flask) -> ScriptInfo:
    return ScriptInfo(create_app=lambda: app, set_debug_flag=False)


def test_status_says_when_the_former_secrets_may_go(start: Start, there: World) -> None:
    token = refresh_token(there)
    promoted = start("promoted")
    code, rows = status(promoted)
    former = rows["IDP_TOKEN_HASH_KEY", 2]
    assert code == 1
    assert {"client secrets", "sessions", "device keys", "refresh tokens"} <= set(former["hanging"])
    assert rows["IDP_PASSWORD_PEPPER", 2]["hanging"] == {"passwords": 1}
    assert not former["may_go"]

    with later(minutes=10):
        assert_serves(promoted, there, token)
    with later(days=91):
        sent_to(promoted, there.browser)
        assert "code" in there.portal.sign_in(there.browser, "claire")
        code, rows = status(promoted)
        assert (code, [row["may_go"] for (_, place), row in rows.items() if place == 2]) == (
            0,
            [True, True, True],
        )
        removed = start("removed")
        sent_to(removed, there.browser)
        assert "id_token" in there.redeem()
        assert status(removed)[0] == 0


def test_status_and_check_tell_of_a_secret_that_is_gone(start: Start, there: World) -> None:
    start("promoted")
    removed = start("removed")
    code, rows = status(removed)
    assert code == 1
    assert rows["IDP_PASSWORD_PEPPER", 0]["hanging"] == {"passwords": 1}
    assert rows["IDP_TOKEN_HASH_KEY", 0]["hanging"]["client secrets"] == 1
    with removed.app_context():
        told = [each.sentence for each in installation.of_installation()]
    assert any("IDP_PASSWORD_PEPPER any more" in each and "1 passwords" in each for each in told)


def test_a_restart_long_after_the_promotion_delays_nothing(start: Start, there: World) -> None:
    promoted = start("promoted")
    before = status(promoted)[1]["IDP_SESSION_SECRET", 2]["until"]
    with later(hours=2):
        start("promoted")
        moved = status(promoted)[1]["IDP_SESSION_SECRET", 2]["until"]
        assert moved > before, "another machine may have begun only now"
    with later(days=2):
        start("promoted")
        assert status(promoted)[1]["IDP_SESSION_SECRET", 2]["may_go"]


def test_what_is_derived_asks_no_database(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    with start("promoted").app_context(), monkeypatch.context() as away:
        away.setattr(db.engine, "connect", None)
        assert len(dpop.nonce()) == 22
        assert hashes.are_several()
