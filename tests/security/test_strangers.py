"""N6: strangers cost nothing lasting. No row before somebody has done something."""

import secrets
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from idp import clock
from idp.audit.models import AuditEvent
from idp.clients.metadata import DEVICE_CODE
from idp.clients.models import Client
from idp.credentials import throttling
from idp.credentials.counters import RateLimit
from idp.database import db, update_all
from idp.sessions import carried
from idp.sessions.models import FormSubmission
from idp.web import kept_for_strangers
from tests import factories
from tests.parallel import Queries, at_once
from tests.relying_party import Browser, RelyingParty, World, answer, forms_of, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MANY = 100
LONG = secrets.token_urlsafe(2000)


def rows() -> dict[str, int]:
    """How many rows each table has; those that have none are left out."""
    db.session.rollback()
    counted = {
        name: db.session.scalar(select(func.count()).select_from(table)) or 0
        for name, table in db.metadata.tables.items()
    }
    return {name: number for name, number in counted.items() if number}


def visits(there: World) -> dict[str, str]:
    """What anybody can ask for without doing anything."""
    portal, canteen = there.portal, there.other_portal(first_party=False, client_name="Cantine")
    return {
        "authorize": portal.authorize_path(),
        "authorize of a third party": canteen.authorize_path(prompt="consent"),
        "authorize with all there is": portal.authorize_path(
            state="s" * 400, nonce="n" * 100, login_hint="claire", ui_locales="nl", max_age="0"
        ),
        "start page": "/",
        "mailed link": "/welcome?token=ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345",
        "mailed link without its token": "/welcome",
        "confirming an address": "/account/email/confirm?token=" + "x" * 43,
        "undoing a change": "/account/email/undo?token=" + "x" * 43,
        "an own page": "/account/email",
        "the desk": "/admin/",
        "sign-out": "/oauth2/logout",
        "a wrong client": "/oauth2/authorize?client_id=nobody&response_type=code",
        "a provider's answer": "/federation/google/callback?state=x&code=y",
    }


@pytest.mark.long
@on_sqlite
def test_n6_a_visit_stores_nothing(app: Flask, client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    paths = visits(there)
    before = rows()
    for what, path in paths.items():
        for _ in range(MANY // 10):
            stranger = app.test_client()
            page = stranger.get(path, follow_redirects=True)
            stranger.get(page.request.path)
            assert page.status_code < 500, what
        assert rows() == before, what


@pytest.mark.long
@on_sqlite
def test_n6_a_thousand_authorization_requests_store_nothing(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    path, before = there.portal.authorize_path(state="s" * 300), rows()
    for _ in range(1000):
        client.delete_cookie("idp_browser")
        assert client.get(path).status_code == 303
    assert rows() == before


def test_n6_beginning_a_sign_in_takes_few_statements_and_no_write(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    path = there.portal.authorize_path()
    client.get(path)
    with Queries() as asked:
        client.get(path)
    assert len(asked) <= 4
    assert all(statement.startswith("SELECT") for statement in asked)


@pytest.mark.long
@on_sqlite
def test_n6_forms_of_strangers_are_kept_within_bounds(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_for_strangers, "OF_AN_ADDRESS", MANY)
    world(client, "Lina", signed_in=False)
    page = client.get("/", follow_redirects=True).request.path
    routes = {str(rule.rule) for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    paths = sorted(path for path in routes if "<" not in path and "oauth2" not in path)
    assert len(paths) > 10
    for number in range(MANY + 60):
        form = {"once": secrets.token_urlsafe(16), "username": "x" * (number % 7) * 9000}
        client.post("/nowhere", data=form)
        client.post(paths[number % len(paths)] if number % 2 else page, data=form)
    kept = db.session.scalars(select(FormSubmission)).all()
    assert len(kept) == MANY
    sizes = [len(each.answer or "") + len(each.typed or "") for each in kept]
    assert max(sizes) < 24_000, "bytes for one form of a stranger"
    assert sum(sizes) < MANY * 8_000


@on_sqlite
def test_n6_over_the_bound_forms_are_answered_all_the_same(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_for_strangers, "OF_AN_ADDRESS", MANY)
    there = world(client, "Lina", signed_in=False)
    for _ in range(MANY):
        client.post("/language", data={"once": secrets.token_urlsafe(16)})
    before = db.session.scalar(select(func.count()).select_from(FormSubmission))
    there.ask()
    there.browser.sign_in("claire", "Wrong-Guess-Of-A-Stranger-1")
    assert answer(there.browser.sign_in("claire"))["code"]
    assert db.session.scalar(select(func.count()).select_from(FormSubmission)) == before


@on_sqlite
def test_n6_what_the_browser_carries_is_short_and_tells_nothing(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    page = there.ask(state="secret-state", login_hint="claire@example.org")
    assert len(page.request.path) < 900
    for told in ("secret-state", "claire", "portal", there.portal.client_id):
        assert told not in page.request.path


@on_sqlite
@pytest.mark.parametrize("state", ["short", "s" * 900, LONG, "é€" * 700])
def test_n6_however_long_the_request_the_application_gets_its_state(
    client: FlaskClient, state: str
) -> None:
    there = world(client, "Lina", signed_in=False)
    page = there.ask(state=state, nonce=LONG[:900])
    headers = "".join(f"{name}: {value}\r\n" for name, value in page.headers)
    assert len(page.request.path) < carried.LONGEST + 40
    assert len(headers) < 4096, "more than a proxy takes by default"
    assert answer(there.browser.sign_in("claire"))["state"] == state


class TestCarried:
    """Nothing is lost because nothing is stored."""

    @on_sqlite
    def test_s10_it_is_worth_nothing_in_another_browser(
        self, app: Flask, client: FlaskClient
    ) -> None:
        there = world(client, "Lina", signed_in=False)
        path = there.ask().request.path
        other = Browser(app.test_client())
        other.open("/")
        assert other.open(path).status_code == 404

    @on_sqlite
    @pytest.mark.parametrize("at", [0, 20, 60, -1])
    def test_s10_a_changed_one_is_no_one(self, client: FlaskClient, at: int) -> None:
        there = world(client, "Lina", signed_in=False)
        begun = there.ask().request.path.split("/")[2]
        other = "A" if begun[at] != "A" else "B"
        end = begun[at + 1 :] if at != -1 else ""
        changed = begun[:at] + other + end
        if at == -1:  # the last character holds bits that base64 does not count
            changed = begun[:-3]
        assert client.get(f"/interaction/{changed}/login").status_code == 404

    @on_sqlite
    def test_many_tabs_each_get_their_own_answer(self, client: FlaskClient) -> None:
        there = world(client, "Lina", signed_in=False)
        tabs = [there.ask(state=f"tab {number}").request.path for number in range(30)]
        there.browser.open(tabs[0])
        assert answer(there.browser.sign_in("claire"))["state"] == "tab 0"
        for number, path in enumerate(tabs[1:], start=1):
            assert answer(there.browser.open(path))["state"] == f"tab {number}"

    def test_o4_one_request_gets_one_code_from_however_many_tabs(
        self, app: Flask, client: FlaskClient
    ) -> None:
        there = world(client, "Lina", signed_in=False)
        path = there.ask().request.path.removesuffix("/login")
        there.browser.sign_in_at_home("claire")
        cookies = {cookie.key: cookie.value for cookie in client._cookies.values()}

        def go_on() -> str:
            tab = app.test_client()
            for name, value in cookies.items():
                tab.set_cookie(name, value)
            return leads_to(tab.get(path))

        locations, errors = at_once(app, 8, go_on)
        assert not errors
        assert len([location for location in locations if "code=" in location]) == 1

    @on_sqlite
    def test_back_after_the_answer_says_that_it_is_done(self, client: FlaskClient) -> None:
        there = world(client, "Lina", signed_in=False)
        path = there.ask().request.path
        there.browser.sign_in("claire")
        there.browser.open(path)
        assert there.browser.shows("interaction-done")

    @pytest.mark.long
    @on_sqlite
    def test_answered_ones_are_never_forgotten_before_they_expire(
        self, client: FlaskClient
    ) -> None:
        there = world(client, "Lina", signed_in=False)
        path = there.ask(prompt="login").request.path
        there.browser.sign_in("claire")
        for _ in range(25):
            there.ask(prompt="login")
            there.browser.sign_in("claire")
        there.browser.open(path.removesuffix("/login"))
        assert there.browser.shows("interaction-done")

    @on_sqlite
    def test_cancelled_is_cancelled(self, client: FlaskClient) -> None:
        there = world(client, "Lina", signed_in=False)
        path = there.ask().request.path
        assert answer(there.browser.press("login-cancel"))["error"] == "access_denied"
        there.browser.open(path)
        assert there.browser.shows("interaction-done")

    def test_what_is_done_in_it_makes_one_row(self, client: FlaskClient) -> None:
        there = world(client, "Lina", "Noé", signed_in=False)
        there.ask(scope="openid child")
        there.browser.sign_in("claire")
        there.browser.press("child-submit-1")
        assert rows()["interactions"] == 1


def form_on(page: TestResponse, form_id: str) -> dict[str, str]:
    return next(form.hidden for form in forms_of(page.text) if form.id == form_id)


def _cancel(there: World) -> None:
    there.ask()
    there.browser.press("login-cancel")


def _long(there: World) -> None:
    there.http.get(there.portal.authorize_path(state=LONG))


BUTTONS: dict[str, Callable[[World], None]] = {"cancel": _cancel, "long request": _long}


@on_sqlite
@pytest.mark.parametrize("what", BUTTONS)
def test_n6_what_a_stranger_may_have_stored_has_a_budget(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    hour = throttling.POLICIES["stored"]
    assert isinstance(hour, RateLimit)
    assert hour.limit <= 1000
    monkeypatch.setitem(throttling.POLICIES, "stored", RateLimit(5, hour.length))
    there = world(client, "Lina", signed_in=False)
    for _ in range(12):
        client.delete_cookie("idp_browser")
        BUTTONS[what](there)
    assert rows()["interactions"] == 5


@on_sqlite
@pytest.mark.parametrize("kind", ["button", "long_request"])
def test_n6_all_strangers_together_have_a_budget_and_each_network_a_rest(
    app: Flask, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    hour = throttling.POLICIES[kind]
    assert isinstance(hour, RateLimit)
    monkeypatch.setitem(throttling.POLICIES, kind, RateLimit(3, hour.length))
    monkeypatch.setitem(throttling.POLICIES, "stored_network", RateLimit(2, hour.length))

    def allowed(network: int) -> int:
        outcomes = [throttling.check_stranger(f"10.0.{network}.{host}", kind) for host in range(6)]
        return len([each for each in outcomes if isinstance(each, throttling.Allowed)])

    assert [allowed(network) for network in (1, 2, 3)] == [5, 2, 2]


@on_sqlite
def test_n6_over_the_budget_cancel_still_answers_the_application(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = throttling.POLICIES["stored"]
    assert isinstance(hour, RateLimit)
    monkeypatch.setitem(throttling.POLICIES, "stored", RateLimit(0, hour.length))
    there = world(client, "Lina", signed_in=False)
    _cancel(there)
    _cancel(there)
    there.ask()
    assert answer(there.browser.press("login-cancel"))["error"] == "access_denied"


@pytest.mark.long
def test_n6_throttled_guesses_are_counted_and_not_written_down_one_by_one(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina", signed_in=False)
    page = there.ask()
    guess = {**form_on(page, "login-form"), "username": "claire", "password": "wrong wrong wrong"}
    guess.pop("once")  # with it, equal guesses within seconds are one
    with time_machine.travel(clock.now(), tick=False):
        for _ in range(5):
            client.post(page.request.path, data=guess)
        before = rows()["audit_events"]
        for _ in range(MANY):
            client.post(page.request.path, data=guess)
        after = rows()["audit_events"]
    told = db.session.scalars(select(AuditEvent).where(AuditEvent.result == "throttled")).all()
    # Of this name the 1st and the 10th; from the 101st on it is the address that has to wait
    assert sorted(event.detail["times"] for event in told) == [1, 1, 10]  # type: ignore[index]
    assert {event.account_id for event in told} == {there.guardian.id}
    assert after - before < 10


@on_sqlite
def test_n6_the_rows_that_are_left_are_of_people_who_did_something(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    factories.account("paul")
    there.ask()
    there.browser.sign_in("paul", "not the password of paul")
    assert "interactions" not in rows()
    there.browser.sign_in("claire")
    assert rows()["interactions"] == 1


@on_sqlite
@pytest.mark.parametrize("of", ["address", "client"])
def test_n6_a_screens_requests_have_a_budget_for_each_address_and_each_public_application(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    there = world(client, signed_in=False)
    kind = "stored" if of == "address" else "device_code"
    monkeypatch.setitem(throttling.POLICIES, kind, RateLimit(3, timedelta(hours=1)))
    monkeypatch.setitem(throttling.POLICIES, "stored_network", RateLimit(2, timedelta(hours=1)))
    public, proved = (
        there.other_portal(grant_types=[DEVICE_CODE], token_endpoint_auth_method=method)
        for method in ("none", "client_secret_basic")
    )
    other = there.other_portal(grant_types=[DEVICE_CODE], token_endpoint_auth_method="none")

    asked = [ask_from_screen(client, public) for _ in range(7)]

    statuses = [each.status_code for each in asked]
    assert statuses == [200] * (3 if of == "address" else 5) + [429] * (4 if of == "address" else 2)
    refused = asked[-1]
    assert refused.headers["Retry-After"].isdigit()
    assert refused.headers["Cache-Control"] == "no-store"
    assert (refused.json or {})["error"] == "temporarily_unavailable"
    assert ask_from_screen(client, proved).status_code == 200
    assert (ask_from_screen(client, other).status_code == 200) is (of == "client")


@on_sqlite
@pytest.mark.parametrize(
    "beside",
    [
        {"client_assertion": "x"},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
        {"resource": "https://api.example"},
    ],
    ids=lambda beside: next(iter(beside)),
)
def test_n6_a_screens_requests_are_counted_whatever_stands_beside_the_client_id(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, beside: dict[str, str]
) -> None:
    monkeypatch.setitem(throttling.POLICIES, "stored", RateLimit(1, timedelta(hours=1)))
    there = world(client, signed_in=False)
    public = there.other_portal(grant_types=[DEVICE_CODE], token_endpoint_auth_method="none")
    there.other_portal(origins=["https://app.example"])

    ask_from_screen(client, public, **beside)
    headers = {"Origin": "https://app.example"}
    form = {"client_id": public.client_id, "scope": "openid", **beside}
    refused = client.post("/oauth2/device_authorization", data=form, headers=headers)

    assert refused.status_code == 429
    assert rows().get("device_codes", 0) <= 1
    assert refused.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("of", ["unvetted", "all_unvetted"])
@pytest.mark.parametrize("endpoint", ["par", "device_authorization"])
def test_n6_who_registered_itself_where_everybody_may_has_a_budget_though_it_proves_itself(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, endpoint: str, of: str
) -> None:
    monkeypatch.setitem(throttling.POLICIES, of, RateLimit(3, timedelta(hours=1)))
    there = world(client, signed_in=False)
    grants = ["authorization_code", DEVICE_CODE]
    stranger, other, vetted = (
        there.other_portal(first_party=False, grant_types=grants) for _ in range(3)
    )
    ids = [stranger.client_id, other.client_id]
    update_all(Client, Client.id.in_(ids), registered_by="open")

    def status(portal: RelyingParty) -> int:
        form = portal.request() if endpoint == "par" else {"scope": "openid"}
        answered = portal.post(client, f"/oauth2/{endpoint}", form)
        if answered.status_code == 429:
            assert answered.headers["Retry-After"].isdigit()
        return answered.status_code

    good = 201 if endpoint == "par" else 200
    assert [status(stranger) for _ in range(5)] == [good] * 3 + [429] * 2
    assert status(other) == (429 if of == "all_unvetted" else good)
    assert [status(vetted) for _ in range(5)] == [good] * 5


def ask_from_screen(client: FlaskClient, portal: RelyingParty, **more: str) -> TestResponse:
    return portal.post(client, "/oauth2/device_authorization", {"scope": "openid", **more})
