"""Staying signed in (S11): a device key works once, proves nothing, and ends with everything."""

from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens
from idp.database import db, update_all
from idp.lifecycle import (
    endings,
    factor_changes,
    passwords,
    restored,
    second_factor,
    staying,
)
from idp.mail.models import OutboxMessage
from idp.people import schools
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, PersistentLogin
from idp.sessions.persistent import DeviceKey
from tests import factories
from tests.factories import PASSWORD
from tests.parallel import Queries, at_once
from tests.relying_party import Browser, World, answer, world
from tests.second_factors import switch_on
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

DAY = {"days": 1}
SINGLE = "urn:school-idp:acr:single-factor"


@pytest.fixture
def there(client: FlaskClient) -> World:
    """Claire has signed in at the portal, and ticked « stay signed in »."""
    there = world(client, "Lina", signed_in=False)
    there.ask()
    signed_in(there.browser)
    return there


def signed_in(browser: Browser, username: str = "claire", **fields: str) -> Any:
    fields = {"stay": "yes", **fields}
    return browser.submit("login-form", username=username, password=PASSWORD, **fields)


def cookie(browser: Browser, kind: str = "stay") -> str:
    found = browser.client.get_cookie(f"idp_{kind}")
    return found.value if found else ""


def copied(there: World) -> Browser:
    """Another browser, with a copy of the device key alone."""
    thief = Browser(there.http.application.test_client())
    thief.client.set_cookie("idp_stay", cookie(there.browser))
    return thief


def count(model: Any, *which: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*which)) or 0


def events(name: str) -> int:
    return count(AuditEvent, AuditEvent.event == name)


def is_in(browser: Browser) -> bool:
    browser.open("/")
    return browser.shows("sign-out")


# The next day


def test_the_next_day_the_portal_gets_its_answer_without_a_page(there: World) -> None:
    with later(**DAY):
        went = there.http.get(there.portal.authorize_path())
        assert went.status_code == 302
        assert "code" in answer(went)


def test_a_child_that_was_chosen_stays_chosen(client: FlaskClient) -> None:
    there = world(client, "Lina", "Tom", signed_in=False)
    there.ask(scope="openid child")
    signed_in(there.browser)
    tom = next(each for each in there.children if each.given_name == "Tom")
    there.browser.press("child-submit-2")
    for day in (1, 2, 3):
        with later(days=day):
            assert there.claims(scope="openid child")["child"]["given_name"] == "Tom"
    endings.end_guardianship(there.guardian.id, tom.id, "court")
    with later(days=4):
        assert there.claims(scope="openid child")["child"]["given_name"] == "Lina"


def test_a_request_that_allows_no_page_is_answered(there: World) -> None:
    with later(**DAY):
        assert "code" in answer(there.http.get(there.portal.authorize_path(prompt="none")))


def test_a_request_by_post_is_answered(there: World) -> None:
    with later(**DAY):
        went = there.http.post("/oauth2/authorize", data=there.portal.request())
        assert "code" in answer(went)


def test_the_account_pages_open(there: World) -> None:
    with later(**DAY):
        there.browser.open("/account/sessions")
        assert there.browser.shows("account-sessions")


def test_a_sign_in_page_that_was_open_goes_on(there: World) -> None:
    with later(**DAY):
        assert "code" in answer(there.ask(ui_locales="nl"))


def test_without_the_tick_the_next_day_asks(client: FlaskClient) -> None:
    there = world(client, "Lina")
    with later(**DAY):
        there.ask()
        assert there.browser.shows("login-form")


def test_it_ends_when_the_days_are_over(there: World) -> None:
    with later(days=89):
        assert is_in(there.browser)
    with later(days=91):
        assert not is_in(there.browser)
    assert count(PersistentLogin) == 0


def test_the_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    there = world(client, "Lina", signed_in=False)
    there.browser.open("/")
    form = there.browser._form("login-form")
    went = client.post(
        form.action, data={**form.hidden, "username": "claire", "password": PASSWORD, "stay": "yes"}
    )
    (made,) = [each for each in went.headers.getlist("Set-Cookie") if "idp_stay=" in each]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(made.split("; "))


def test_a_first_sign_in_by_a_token_may_stay_too(client: FlaskClient) -> None:
    parent = factories.account("neu", password=None, status="invited")
    token = one_time_tokens.mint(parent.id, "first_sign_in")
    browser = Browser(client)
    browser.open(f"/welcome?token={token}")
    browser.submit("token-form", token=token)
    new = {"new_password": "ein ganz anderes Wort", "repeat_password": "ein ganz anderes Wort"}
    browser.submit("password-form", **new, stay="yes")
    with later(**DAY):
        assert is_in(browser)


def test_a_second_factor_that_an_application_wished_for_is_a_new_one(there: World) -> None:
    """What was proved yesterday is no first factor of today."""
    with later(**DAY):
        there.browser.open("/account/sessions")
        found = sessions.find(cookie(there.browser, "session"))
        assert found is not None
        assert second_factor.of_session(found).amr == ()


# What an application is told


def test_the_answer_says_when_and_how_the_real_sign_in_was(there: World) -> None:
    first = sessions.live(there.guardian.id)[0].auth_time
    with later(**DAY):
        claims = there.claims(max_age="9999999")
        assert claims["auth_time"] == int(first.timestamp())
        assert claims["acr"] == "0"  # OpenID Connect Core §2: a long-lived browser cookie
        assert claims["amr"] == ["pwd"]


@pytest.mark.parametrize(
    "wish", [{"max_age": "3600"}, {"prompt": "login"}, {"acr_values": SINGLE}], ids=str
)
def test_who_asks_for_a_fresh_sign_in_gets_one(there: World, wish: dict[str, str]) -> None:
    with later(**DAY):
        there.ask(**wish)
        assert there.browser.shows("login-form")
        fields = answer(there.browser.sign_in("claire"))
        assert "code" in fields


def test_a_wish_is_no_page_where_none_may_be_shown(there: World) -> None:
    with later(**DAY):
        assert there.claims(prompt="none", acr_values=SINGLE)["acr"] == "0"


def test_a_demand_is_refused_where_no_page_may_be_shown(there: World) -> None:
    asks = '{"id_token":{"acr":{"essential":true,"value":"' + SINGLE + '"}}}'
    with later(**DAY):
        went = there.http.get(there.portal.authorize_path(prompt="none", claims=asks))
        assert answer(went)["error"] == "login_required"


def test_after_a_real_sign_in_the_answer_says_so_and_the_browser_stays(there: World) -> None:
    with later(**DAY):
        there.ask(prompt="login")
        there.browser.sign_in("claire")
        assert there.claims()["acr"] == SINGLE
    with later(days=2):
        assert "code" in there.answer()


def test_delicate_pages_ask_again(there: World) -> None:
    with later(minutes=1):
        there.http.delete_cookie("idp_session")
        there.browser.open("/account/passkeys")
        assert there.browser.shows("current-password")
        there.browser.submit("confirm-form", current_password=PASSWORD)
        assert not there.browser.shows("current-password")


# A key works once


def test_the_key_changes_at_each_use_and_not_before(there: World) -> None:
    first = cookie(there.browser)
    assert is_in(there.browser)
    assert cookie(there.browser) == first
    with later(**DAY):
        is_in(there.browser)
        second = cookie(there.browser)
        assert second != first
        assert second.partition(".")[0] == first.partition(".")[0]
    stored = {each.secret_hash for each in db.session.scalars(select(PersistentLogin))}
    assert not stored & {first, second, second.partition(".")[2]}


def test_a_copy_that_is_used_after_its_owner_ends_both_and_the_owner_hears_of_it(
    there: World,
) -> None:
    thief = copied(there)
    with later(**DAY):
        assert is_in(there.browser)
    with later(days=1, minutes=2):
        assert not is_in(thief)
        assert not is_in(there.browser)
        assert cookie(thief) == ""
    assert events("device_key_copied") == 1
    assert count(OutboxMessage, OutboxMessage.kind == "device_key_copied") == 1


def test_a_copy_that_is_used_before_its_owner_is_noticed_by_the_owner(there: World) -> None:
    thief = copied(there)
    with later(**DAY):
        assert is_in(thief)
        tokens = there.portal.redeem(
            thief.client, answer(thief.open(there.portal.authorize_path()))["code"]
        ).json
    with later(days=1, minutes=2):
        assert not is_in(there.browser)
        assert not is_in(thief)
        assert there.portal.userinfo(there.http, tokens["access_token"]).status_code == 401
    assert events("device_key_copied") == 1


@pytest.mark.parametrize("how", ["on an old page", "by an application"])
def test_a_copy_is_noticed_by_an_owner_who_only_signs_out(there: World, how: str) -> None:
    id_token = there.redeem()["id_token"]
    there.browser.open("/")
    thief = copied(there)
    with later(**DAY):
        assert is_in(thief)
        got = answer(thief.open(there.portal.authorize_path(scope="openid offline_access")))
        tokens = there.portal.redeem(thief.client, got["code"]).json
    with later(days=1, minutes=2):
        if how == "on an old page":
            there.browser.press("sign-out")
        else:
            there.http.get(f"/oauth2/logout?id_token_hint={id_token}")
        assert not is_in(thief)
        assert there.portal.userinfo(there.http, tokens["access_token"]).status_code == 401
    assert events("device_key_copied") == 1
    assert count(OutboxMessage, OutboxMessage.kind == "device_key_copied") == 1


@pytest.mark.parametrize("stay", ["", "yes"])
def test_a_copy_is_noticed_by_a_form_that_was_open_before(there: World, stay: str) -> None:
    there.ask(prompt="login")
    thief = copied(there)
    with later(minutes=1):
        assert is_in(thief)
    with later(minutes=3):
        signed_in(there.browser, stay=stay)
        assert not is_in(thief)
        assert is_in(there.browser)
        assert bool(cookie(there.browser)) is bool(stay)
    assert events("device_key_copied") == 1
    assert count(OutboxMessage, OutboxMessage.kind == "device_key_copied") == 1


def test_a_session_that_a_thief_opened_a_moment_ago_ends_where_its_owner_stays_anew(
    there: World,
) -> None:
    """Too early to tell two tabs from a thief, and no reason to let either go on."""
    there.ask(prompt="login")
    thief = copied(there)
    with later(minutes=1):
        assert is_in(thief)
        signed_in(there.browser)
        assert not is_in(thief)
        assert is_in(there.browser)


def test_r5_after_a_clock_was_set_back_a_copy_is_no_second_tab(there: World) -> None:
    thief = copied(there)
    with later(days=10):
        assert is_in(there.browser)
    assert not is_in(thief)
    assert events("device_key_copied") == 1


def test_who_signs_out_without_the_key_ends_what_it_has_opened(there: World) -> None:
    thief = copied(there)
    with later(**DAY):
        assert is_in(thief)
    there.http.delete_cookie("idp_stay")
    there.browser.open("/")
    there.browser.press("sign-out")
    with later(**DAY):
        assert not is_in(thief)


def test_a_copy_in_another_browser_is_a_new_device_which_its_owner_hears_of(there: World) -> None:
    thief = copied(there)
    with later(**DAY):
        is_in(thief)
    assert count(OutboxMessage, OutboxMessage.kind == "new_device") == 1


@pytest.mark.quick_on("postgresql")
def test_two_tabs_at_the_same_instant_are_both_in(app: Flask, there: World) -> None:
    key = DeviceKey.of_cookie(cookie(there.browser))
    assert key is not None
    with later(**DAY):
        got, trouble = at_once(
            app, 4, lambda: staying.come_back(key, device="", device_secret=None)
        )
        assert trouble == []
        assert set(got) == {staying.CameBack(key.session_secret, key.successor)}
        assert sessions.find(key.session_secret) is not None
        assert count(BrowserSession, BrowserSession.ended_at.is_(None)) == 2  # yesterday's, run out
    assert events("device_key_copied") == 0


def test_a_lost_answer_may_be_asked_for_again_for_a_moment(there: World) -> None:
    with later(**DAY):
        lost = copied(there)
        is_in(there.browser)
        assert is_in(lost)
        assert cookie(lost) == cookie(there.browser)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
def test_who_only_looks_ahead_uses_nothing_up(there: World, headers: dict[str, str]) -> None:
    before = cookie(there.browser)
    with later(**DAY):
        there.http.get("/", headers=headers)
        there.http.get(there.portal.authorize_path(), headers=headers)
        there.http.head("/")
        assert cookie(there.browser) == before
        assert is_in(there.browser)


@pytest.mark.parametrize("text", ["", ".", "x.y", "a" * 32 + "." + "b" * 43, "\u00e9" * 80])
def test_what_is_no_key_opens_nothing(client: FlaskClient, text: str) -> None:
    client.set_cookie("idp_stay", text)
    assert not is_in(Browser(client))


def test_a_session_secret_is_no_key_and_a_key_no_session(there: World) -> None:
    key, session = cookie(there.browser), cookie(there.browser, "session")
    for kind, value in (("session", key.partition(".")[2]), ("stay", session)):
        other = Browser(there.http.application.test_client())
        other.client.set_cookie(f"idp_{kind}", value)
        assert not is_in(other)


# Who may


@pytest.mark.parametrize("days", [0, 30])
def test_the_strictest_school_counts(there: World, days: int) -> None:
    other = factories.school("Sint-Jan")
    factories.guardianship(there.guardian, factories.child(other, "Tom"))
    schools.change_school(there.school.id, None, {"stay_signed_in_days": 200})
    schools.change_school(other.id, None, {"stay_signed_in_days": days})
    assert staying.days_of(there.guardian.id) == days
    with later(days=29):
        assert is_in(there.browser) is bool(days)
    with later(days=31):
        assert not is_in(there.browser)


def test_a_school_that_lets_nobody_stay_shows_no_box(there: World) -> None:
    there.browser.sign_out()
    there.ask()
    assert there.browser.shows("stay")
    schools.change_school(there.school.id, None, {"stay_signed_in_days": 0})
    there.ask()
    assert not there.browser.shows("stay")
    signed_in(there.browser)
    assert cookie(there.browser) == ""


def test_who_may_not_stay_is_told_so_on_the_next_page(there: World) -> None:
    there.browser.sign_out()
    there.browser.open("/")
    schools.change_school(there.school.id, None, {"stay_signed_in_days": 0})
    page = signed_in(there.browser)
    assert there.browser.shows("sign-out")
    assert "pas plus longtemps" in page.text


def test_the_box_is_not_ticked(client: FlaskClient) -> None:
    Browser(client).open("/")
    page = client.get("/", follow_redirects=True).text
    box = page[page.index('id="stay"') :].partition(">")[0]
    assert "checked" not in box


def test_staff_do_not_stay(there: World) -> None:
    factor_changes.grant_role(there.guardian.id, "helper", there.school.id)
    assert staying.days_of(there.guardian.id) == 0
    with later(**DAY):
        assert not is_in(there.browser)


def test_a_key_is_no_second_step(there: World) -> None:
    with later(**DAY):
        switch_on(there.guardian.id)
        assert not is_in(there.browser)
    assert count(PersistentLogin) == 0


# What it ends with


def test_a_key_ends_with_whatever_ends_its_last_session(there: World) -> None:
    key = DeviceKey.of_cookie(cookie(there.browser))
    assert key is not None
    factories.end_sessions(BrowserSession.account_id == there.guardian.id)
    assert staying.come_back(key, device="", device_secret=None) == staying.Gone()
    assert staying.last_session(key) is None
    assert sessions.listed(there.guardian.id) == []


def test_a_sign_in_by_a_form_that_was_open_revives_no_key_that_has_ended(there: World) -> None:
    there.ask(prompt="login")
    thief = copied(there)
    factories.end_sessions(BrowserSession.account_id == there.guardian.id)
    signed_in(there.browser, stay="")
    assert cookie(there.browser) == ""
    assert not is_in(thief)
    assert events("device_key_copied") == 0


def test_in_a_restored_database_no_key_looks_like_a_copy(there: World) -> None:
    row = PersistentLogin.account_id == there.guardian.id
    names = ("secret_hash", "previous_hash", "session_id")
    columns = [getattr(PersistentLogin, name) for name in names]
    backup = dict(zip(names, db.session.execute(select(*columns).where(row)).one(), strict=True))
    with later(**DAY):
        assert is_in(there.browser)
    assert update_all(PersistentLogin, row, **backup) == 1
    restored.end_what_came_back()
    with later(days=2):
        assert not is_in(there.browser)
        assert cookie(there.browser) == ""
    assert events("device_key_copied") == 0
    assert count(OutboxMessage, OutboxMessage.kind == "device_key_copied") == 0


def test_signing_out_ends_it(there: World) -> None:
    thief = copied(there)
    there.browser.sign_out()
    assert cookie(there.browser) == ""
    assert count(PersistentLogin) == 0
    assert not is_in(thief)


def test_signing_out_by_an_application_ends_it_on_the_next_day_too(there: World) -> None:
    id_token = there.redeem()["id_token"]
    there.http.delete_cookie("idp_session")
    with later(**DAY):
        went = there.http.get(f"/oauth2/logout?id_token_hint={id_token}")
        assert went.status_code == 200
        assert count(PersistentLogin) == 0
        assert cookie(there.browser) == ""


def test_a_logout_that_proves_nothing_asks_first(there: World) -> None:
    there.http.delete_cookie("idp_session")
    with later(**DAY):
        there.browser.open("/oauth2/logout")
        assert count(PersistentLogin) == 1
        assert there.browser.shows("logout-confirm")


def test_another_person_ends_it(there: World) -> None:
    factories.account("paul")
    there.http.delete_cookie("idp_session")
    there.browser.open("/")
    there.browser.sign_out()
    there.ask()
    signed_in(there.browser, "paul", stay="")
    assert count(PersistentLogin) == 0
    assert cookie(there.browser) == ""


def test_another_person_who_signs_in_over_it_ends_it(there: World) -> None:
    factories.account("paul")
    with later(**DAY):
        there.ask(prompt="login")
        signed_in(there.browser, "paul", stay="")
        assert count(PersistentLogin) == 0
        assert cookie(there.browser) == ""


def test_a_new_password_ends_every_other_one(there: World) -> None:
    phone = Browser(there.http.application.test_client())
    phone.open("/")
    signed_in(phone)
    here = sessions.find(cookie(phone, "session"))
    assert here is not None
    passwords.change_password(here.account, PASSWORD, "ein ganz anderes Wort", here.session.id)
    with later(**DAY):
        assert not is_in(there.browser)
        assert is_in(phone)


def test_a_disabled_account_comes_back_nowhere(there: World) -> None:
    endings.disable_account(there.guardian.id)
    endings.enable_account(there.guardian.id)
    with later(**DAY):
        assert not is_in(there.browser)


def test_the_list_shows_each_and_ends_each(there: World) -> None:
    phone = Browser(there.http.application.test_client())
    with later(**DAY):
        phone.open("/")
        signed_in(phone, stay="")
        phone.open("/account/sessions")
        assert phone.page is not None
        assert phone.page.text.count('id="end-session-') == 1
        phone.press("end-session-2")
        assert not is_in(there.browser)


def test_a_list_that_was_open_ends_what_came_back_meanwhile(there: World) -> None:
    phone, computer = there.browser, Browser(there.http.application.test_client())
    with later(**DAY):
        computer.open("/")
        signed_in(computer, stay="")
        computer.open("/account/sessions")
        assert is_in(phone)
        computer.press("end-session-2")
        assert not is_in(phone)
        assert is_in(computer)
    assert count(PersistentLogin) == 0


@pytest.mark.quick_on("postgresql")
@pytest.mark.parametrize("which", ["one", "others"])
def test_what_comes_back_at_this_moment_ends_too(
    app: Flask, there: World, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    key = DeviceKey.of_cookie(cookie(there.browser))
    assert key is not None
    owner, last = there.guardian.id, sessions.live(there.guardian.id)[0].id
    opened = Event()

    def take_long(*_account: Any) -> None:
        opened.set()
        sleep(0.3)

    def come_back() -> None:
        with app.app_context():
            staying.come_back(key, device="", device_secret=None)

    monkeypatch.setattr(staying, "notify_new_device", take_long)
    with later(**DAY):
        thread = Thread(target=come_back)
        thread.start()
        assert opened.wait(30)
        if which == "one":
            endings.end_session(owner, last)
        else:
            endings.end_other_sessions(owner, keep="none")
        thread.join(30)
        assert sessions.find(key.session_secret) is None
        again = staying.come_back(key.successor, device="", device_secret=None)
        assert again == staying.Gone()


def test_ending_all_others_ends_it(there: World) -> None:
    phone = Browser(there.http.application.test_client())
    with later(**DAY):
        phone.open("/")
        signed_in(phone)
        phone.open("/account/sessions")
        phone.press("end-others")
        assert not is_in(there.browser)
        assert is_in(phone)


# What it costs


def test_who_has_a_session_or_no_key_is_asked_nothing_more(app: Flask, there: World) -> None:
    path = there.portal.authorize_path()
    there.http.get(path)  # the application is kept from here on
    with Queries() as with_key:
        there.http.get(path)
    there.http.delete_cookie("idp_stay")
    with Queries() as without:
        there.http.get(path)
    assert with_key == without
