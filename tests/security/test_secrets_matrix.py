"""Security rules P8 and P10 to P15: each secret opens its own door, once, in its own browser."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp import clock
from idp.audit.models import AuditEvent
from idp.credentials import email_changes, one_time_tokens, passwords
from idp.credentials.models import OneTimeToken
from idp.database import db
from idp.lifecycle import email_change, endings
from idp.lifecycle.mails import requests as mail_requests
from idp.mail.models import OutboxMessage
from idp.people.models import Account
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, RelyingParty, World, answer, form_of, world

pytestmark = pytest.mark.quick_on("sqlite")

NEW = "Brouette-Citadelle-Orage-9"
OTHER = "Ficelle-Marmotte-Jasmin-4"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def still() -> Iterator[time_machine.Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


class TestMatrix:
    """P12: every kind of secret at every door; only its own opens."""

    @on_sqlite
    def test_p12_no_secret_works_where_another_is_expected(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        secrets = every_secret(site)
        opened = {
            (kind, place)
            for place, door in DOORS.items()
            for kind, secret in secrets.items()
            if door(site, secret)
        }
        assert opened == {
            ("code", "code"),
            ("refresh token", "refresh token"),
            ("refresh token", "introspection"),
            ("access token", "userinfo"),
            ("access token", "introspection"),
            ("mailed token", "token page"),
            ("session cookie", "session"),
            ("device cookie", "device"),
            ("interaction", "address"),
            ("browser cookie", "browser"),
            ("confirm link", "confirm page"),
            ("undo link", "undo page"),
        }

    @on_sqlite
    def test_p12_a_session_works_only_as_the_cookie_that_it_is(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        secret = cookie(client, "idp_session")
        server = client.application.test_client(use_cookies=False)
        for path in (
            f"/?idp_session={secret}",
            f"/?session={secret}",
            f"/account/password?s={secret}",
        ):
            assert server.get(path).status_code == 303
        bearer = {"Authorization": f"Bearer {secret}"}
        assert server.get("/", headers=bearer).status_code == 303
        assert site.portal.userinfo(client, secret).status_code == 401


class TestNewPassword:
    """P11: « new password » is reached only through a token proved in this interaction."""

    def test_p11_not_without_a_token(self, client: FlaskClient) -> None:
        account, _token = invited()
        browser = at_sign_in(client)
        for _ in range(2):
            reach(browser, "password")
            assert browser.shows("token-form")
            post(browser, "password", new_password=NEW, repeat_password=NEW)
            assert browser.shows("token-form")
        assert untouched(account)

    @on_sqlite
    @pytest.mark.parametrize("typed", ["", " ", "0" * 28, "?", "\0", "%", "t_x", "None", "null"])
    def test_p11_not_after_a_token_that_proves_nothing(
        self, client: FlaskClient, typed: str
    ) -> None:
        account, _token = invited()
        browser = at_sign_in(client)
        post(browser, "token", token=typed)
        post(browser, "password", new_password=NEW, repeat_password=NEW)
        assert untouched(account)

    def test_p11_not_by_fields_of_other_steps(self, client: FlaskClient) -> None:
        account, token = invited()
        browser = at_sign_in(client)
        found = one_time_tokens.find(token).token.id  # type: ignore[union-attr]
        guesses = {"token": token, "token_id": found, "verified_token_id": found}
        owner = {"username": account.username, "account_id": account.id}
        both = {"new_password": NEW, "repeat_password": NEW}
        post(browser, "password", **guesses, **owner, **both)
        post(browser, f"password?token={token}&verified_token_id={found}", **both)
        assert untouched(account)

    def test_p11_not_in_another_interaction_of_the_same_browser(self, client: FlaskClient) -> None:
        account, token = invited()
        first = at_sign_in(client)
        prove(first, token)
        second = at_sign_in(client)
        assert second.page.request.path != first.page.request.path  # type: ignore[union-attr]
        post(second, "password", new_password=NEW, repeat_password=NEW)
        assert untouched(account)

    def test_p11_not_in_another_browser(self, app: Flask, client: FlaskClient) -> None:
        account, token = invited()
        browser = at_sign_in(client)
        prove(browser, token)
        path, fields = filled(browser, "password-form", new_password=NEW, repeat_password=NEW)
        thief = at_sign_in(app.test_client())
        own = {"csrf_token": form_of(thief.page.text, "login-form")[1]["csrf_token"]}  # type: ignore[union-attr]
        assert thief.client.get(path).status_code == 404
        assert thief.client.post(path, data={**fields, **own}).status_code == 404
        assert untouched(account)

    def test_p11_a_token_that_died_after_it_was_proved_opens_nothing(
        self, client: FlaskClient, still: time_machine.Traveller
    ) -> None:
        for die in (replace_token, endings.disable_account, lambda _id: still.shift(15 * 86400)):
            account, token = invited()
            browser = at_sign_in(client)
            prove(browser, token)
            path, fields = filled(browser, "password-form", new_password=NEW, repeat_password=NEW)
            die(account.id)
            client.post(path, data=fields)
            assert untouched(account)

    def test_p11_the_page_of_a_spent_token_saves_nothing_more(self, client: FlaskClient) -> None:
        account, token = invited()
        browser = at_sign_in(client)
        prove(browser, token)
        path, fields = filled(browser, "password-form", new_password=NEW, repeat_password=NEW)
        browser.submit("password-form", new_password=NEW, repeat_password=NEW)
        again = {**fields, "new_password": OTHER, "repeat_password": OTHER}
        client.post(path, data={**again, "csrf_token": csrf_of(browser)})
        assert passwords.verify(account.id, NEW)
        assert not passwords.verify(account.id, OTHER)

    def test_p11_a_second_token_in_one_interaction_moves_no_password_to_the_first_owner(
        self, client: FlaskClient
    ) -> None:
        (victim, token), (mallory, own) = invited(), invited()
        browser = at_sign_in(client)
        prove(browser, token)
        prove(browser, own)
        browser.submit("password-form", new_password=NEW, repeat_password=NEW)
        assert passwords.verify(mallory.id, NEW)
        assert untouched(victim)

    def test_p11_the_page_says_whose_password_it_sets(self, client: FlaskClient) -> None:
        account, token = invited()
        browser = at_sign_in(client)
        prove(browser, token)
        assert f'value="{account.username}"' in browser.page.text  # type: ignore[union-attr]

    @on_sqlite
    @pytest.mark.parametrize("again", ["", OTHER, NEW.lower(), NEW + " "])
    def test_p11_two_passwords_that_differ_save_nothing(
        self, client: FlaskClient, again: str
    ) -> None:
        account, token = invited()
        browser = at_sign_in(client)
        prove(browser, token)
        page = browser.submit("password-form", new_password=NEW, repeat_password=again)
        assert page.status_code == 400
        assert NEW not in page.text
        assert untouched(account)

    def test_p6_of_20_submissions_at_once_exactly_one_wins(
        self, app: Flask, client: FlaskClient
    ) -> None:
        account, token = invited()
        browser = at_sign_in(client)
        prove(browser, token)
        path, fields = filled(browser, "password-form")
        headers = {"Cookie": f"idp_browser={cookie(client, 'idp_browser')}"}
        choices = [f"Brouette-Citadelle-Orage-{number}" for number in range(20)]

        def send(choice: str) -> Any:
            http = app.test_client(use_cookies=False)
            data = {**fields, "new_password": choice, "repeat_password": choice}
            return http.post(path, data=data, headers=headers)

        with ThreadPoolExecutor(20) as threads:
            answers = list(threads.map(send, choices))
        winners = [a for a in answers if "idp_session=" in str(a.headers.getlist("Set-Cookie"))]
        assert len(winners) == 1
        assert all(a.status_code in {303, 400} for a in answers)
        assert [passwords.verify(account.id, c) for c in choices].count(True) == 1
        assert count_of(OutboxMessage, kind="password_changed") == 1
        assert count_of(AuditEvent, event="password_set") == 1


class TestMailsLink:
    """P7, P8 and P10: opening a link spends nothing and leaves no secret in an address."""

    @on_sqlite
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_p7_opening_the_link_spends_nothing(
        self, app: Flask, client: FlaskClient, method: str
    ) -> None:
        account, token = invited()
        for _ in range(3):
            scanner = app.test_client()
            scanner.open(f"/welcome?token={token}", method=method, follow_redirects=True)
        assert untouched(account)
        browser = Browser(client)
        browser.open(f"/welcome?token={token}")
        finish(browser)
        assert browser.shows("sign-out")

    def test_p8_one_redirect_takes_the_token_out_of_the_address(self, client: FlaskClient) -> None:
        _account, token = invited()
        first = client.get(f"/welcome?token={token}")
        assert first.status_code == 303
        assert token not in first.headers["Location"]
        assert first.headers["Referrer-Policy"] == "no-referrer"
        page = client.get(first.headers["Location"])
        assert token in page.text
        assert not re.findall(rf'(?:href|action|src)="[^"]*{token}', page.text)

    def test_p6_the_link_leaves_the_token_in_clear_nowhere(self, client: FlaskClient) -> None:
        _account, token = invited()
        client.get(f"/welcome?token={token}")
        for table in db.metadata.sorted_tables:
            for row in db.session.execute(select(table)):
                assert token not in str(row)
                assert token.replace("-", "") not in str(row)
        assert token not in str(client.get_cookie("idp_browser"))

    def test_p10_a_token_works_to_its_last_second_and_no_longer(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        _account, token = invited()
        still.shift(timedelta(days=14) - timedelta(seconds=1))
        assert reaches_password(app, token)
        still.shift(1)
        assert not reaches_password(app, token)

    @pytest.mark.parametrize("end", ["spent", "replaced", "changed", "moved", "disabled"])
    def test_p15_a_token_ends_when_its_time_has_passed_otherwise(
        self, app: Flask, client: FlaskClient, end: str
    ) -> None:
        account = factories.account("claire", email="claire@x.example")
        token = one_time_tokens.mint(account.id, "password_reset")
        {
            "spent": lambda: claim(client, token),
            "replaced": lambda: one_time_tokens.mint(account.id, "password_reset"),
            "changed": lambda: change_password(client),
            "moved": lambda: email_change.by_staff(account.id, "claire@y.example"),
            "disabled": lambda: endings.disable_account(account.id),
        }[end]()
        assert not reaches_password(app, token)


class TestWhoIsSignedIn:
    """P13 and P14: the browser that completes, nobody else; and nothing from before lives on."""

    def test_p13_in_the_browser_that_began_the_application_goes_on(
        self, client: FlaskClient
    ) -> None:
        site = waiting_world(client)
        token = mail_requests.issue_letter_token(site.guardian.id)
        site.ask(state="of-this-browser", nonce="n-1")
        site.browser.open(f"/welcome?token={token}")
        fields = answer(finish(site.browser))
        assert fields["state"] == "of-this-browser"
        assert site.portal.redeem(client, fields["code"]).status_code == 200

    def test_p13_in_another_browser_nothing_of_the_request_appears(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = waiting_world(client)
        token = mail_requests.issue_letter_token(site.guardian.id)
        began = site.ask(state="of-the-other-browser").request.path
        phone = Browser(app.test_client())
        phone.open(f"/welcome?token={token}")
        page = finish(phone)
        assert phone.shows("sign-out")
        assert "of-the-other-browser" not in page.text
        assert "code=" not in page.text
        waiting = client.get(began)
        assert waiting.status_code == 200
        assert 'id="login-form"' in waiting.text

    def test_p13_a_stolen_link_signs_in_nobody_elses_browser(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = waiting_world(client)
        site.ask()
        claim(app.test_client(), mail_requests.issue_letter_token(site.guardian.id))
        site.browser.open("/")
        assert not site.browser.shows("sign-out")

    def test_p13_the_session_before_ends_and_a_new_one_begins(self, client: FlaskClient) -> None:
        factories.account("mallory")
        browser = Browser(client)
        browser.sign_in_at_home("mallory")
        before = cookie(client, "idp_session")
        account, token = invited()
        browser.open(f"/welcome?token={token}")
        page = finish(browser)
        assert cookie(client, "idp_session") != before
        assert account.username in page.text
        client.set_cookie("idp_session", before)
        browser.open("/")
        assert not browser.shows("sign-out")

    def test_p14_whoever_was_in_before_is_out(self, app: Flask, client: FlaskClient) -> None:
        site = world(client, "Lina")
        tokens = site.redeem(scope="openid offline_access")
        device = cookie(client, "idp_device")
        claim(app.test_client(), one_time_tokens.mint(site.guardian.id, "password_reset"))
        site.browser.open("/")
        assert not site.browser.shows("sign-out")
        assert site.portal.refresh(client, tokens["refresh_token"]).status_code == 400
        assert site.portal.userinfo(client, tokens["access_token"]).status_code == 401
        assert not DOORS["device"](site, device)

    def test_p5_changing_the_password_keeps_this_session_and_ends_the_others(
        self, app: Flask, client: FlaskClient
    ) -> None:
        factories.account("claire")
        other = Browser(app.test_client())
        other.sign_in_at_home("claire")
        change_password(client)
        here = Browser(client)
        here.open("/")
        assert here.shows("sign-out")
        other.open("/")
        assert not other.shows("sign-out")
        assert count_of(OutboxMessage, kind="password_changed") == 1


# Doors, and what opens them


def _code(site: World, secret: str) -> bool:
    return site.portal.redeem(site.http, secret).status_code == 200


def _refresh(site: World, secret: str) -> bool:
    return site.portal.refresh(site.http, secret).status_code == 200


def _userinfo(site: World, secret: str) -> bool:
    return site.portal.userinfo(site.http, secret).status_code == 200


def _introspection(site: World, secret: str) -> bool:
    return bool(site.portal.introspect(site.http, secret)["active"])


def _session(site: World, secret: str) -> bool:
    return 'id="sign-out"' in with_cookie(site, "idp_session", secret, "/").text


def _device(site: World, secret: str) -> bool:
    from idp.credentials import devices

    return devices.is_known_device(site.guardian.id, secret)


def _token_page(site: World, secret: str) -> bool:
    browser = at_sign_in(site.http.application.test_client())
    post(browser, "token", token=secret)
    return browser.shows("password-form")


def _address(site: World, secret: str) -> bool:
    return site.http.get(f"/interaction/{secret}/forgotten").status_code == 200


def _browser(site: World, secret: str) -> bool:
    waiting = every_secret.interaction  # type: ignore[attr-defined]
    return (
        with_cookie(site, "idp_browser", secret, f"/interaction/{waiting}/forgotten").status_code
        == 200
    )


def _confirm_page(site: World, secret: str) -> bool:
    browser = Browser(site.http.application.test_client())
    browser.open(f"/account/email/confirm?token={secret}")
    return browser.shows("confirm-email-form")


def _undo_page(site: World, secret: str) -> bool:
    browser = Browser(site.http.application.test_client())
    browser.open(f"/account/email/undo?token={secret}")
    return browser.shows("undo-email-form")


def _password(site: World, secret: str) -> bool:
    return passwords.verify(site.guardian.id, secret)


DOORS: dict[str, Callable[[World, str], bool]] = {
    "introspection": _introspection,
    "userinfo": _userinfo,
    "session": _session,
    "device": _device,
    "token page": _token_page,
    "address": _address,
    "browser": _browser,
    "password": _password,
    "confirm page": _confirm_page,
    "undo page": _undo_page,
    "refresh token": _refresh,
    "code": _code,
}


def every_secret(site: World) -> dict[str, str]:
    """One fresh secret of each kind, all of one guardian and one application."""
    tokens = site.redeem(scope="openid offline_access")
    code = site.answer()["code"]
    mailed = one_time_tokens.mint(site.guardian.id, "password_reset")
    change = email_changes.begin_change(
        site.guardian.id, "claire@dubois.example", "claire@new.example", proved=True
    )
    waiting = site.ask(prompt="login").request.path.split("/")[2]
    every_secret.interaction = waiting  # type: ignore[attr-defined]
    return {
        "access token": tokens["access_token"],
        "ID token": tokens["id_token"],
        "refresh token": tokens["refresh_token"],
        "mailed token": mailed,
        "session cookie": cookie(site.http, "idp_session"),
        "device cookie": cookie(site.http, "idp_device"),
        "browser cookie": cookie(site.http, "idp_browser"),
        "interaction": waiting,
        "client secret": site.portal.registered.secret,
        "confirm link": email_changes.mint_link(change, "confirm", "m_1"),
        "undo link": email_changes.mint_link(change, "undo", "m_2"),
        "code": code,
    }


def with_cookie(site: World, name: str, secret: str, path: str) -> Any:
    http = site.http.application.test_client(use_cookies=False)
    return http.get(path, headers={"Cookie": f"{name}={secret}"})


# Steps of the walk


def invited() -> tuple[Account, str]:
    account = factories.account(status="invited")
    return account, mail_requests.issue_letter_token(account.id)


def waiting_world(client: FlaskClient) -> World:
    """An invited guardian, and an application whose request nobody has made yet."""
    school = factories.school()
    guardian, children = factories.family(school, "Lina", username="claire", status="invited")
    return World(school, guardian, children, RelyingParty.of(school), Browser(client))


def at_sign_in(client: FlaskClient) -> Browser:
    browser = Browser(client)
    browser.open("/")
    assert browser.shows("login-form")
    return browser


def reach(browser: Browser, step: str) -> None:
    """Open a page of the interaction that is open by its address."""
    assert browser.page is not None
    browser.open("/".join([*browser.page.request.path.split("/")[:3], step]))


def post(browser: Browser, step: str, **fields: str) -> None:
    """Send a form to a page of the interaction that is open, without having seen it."""
    assert browser.page is not None
    path = "/".join([*browser.page.request.path.split("/")[:3], step])
    answered = browser.client.post(path, data={"csrf_token": csrf_of(browser), **fields})
    browser.page = browser._follow(answered)


def csrf_of(browser: Browser) -> str:
    assert browser.page is not None
    return form_of(browser.page.text, "language-form")[1]["csrf_token"]


def prove(browser: Browser, token: str) -> None:
    post(browser, "token", token=token)
    assert browser.shows("password-form"), browser.page


def filled(browser: Browser, form_id: str, **fields: str) -> tuple[str, dict[str, str]]:
    assert browser.page is not None
    action, hidden = form_of(browser.page.text, form_id)
    return action, {**hidden, **fields}


def finish(browser: Browser) -> Any:
    """From the filled-in token page to the end."""
    assert browser.page is not None
    found = re.search(r'name="token"[^>]*?value="([^"]+)"', browser.page.text, re.DOTALL)
    assert found is not None
    browser.submit("token-form", token=found[1])
    return browser.submit("password-form", new_password=NEW, repeat_password=NEW)


def claim(client: FlaskClient, token: str) -> None:
    browser = Browser(client)
    browser.open(f"/welcome?token={token}")
    finish(browser)


def change_password(client: FlaskClient) -> None:
    browser = Browser(client)
    browser.sign_in_at_home("claire")
    browser.open("/account/password")
    browser.submit(
        "password-form", current_password=PASSWORD, new_password=NEW, repeat_password=NEW
    )
    assert browser.shows("sign-out")


def replace_token(account_id: str) -> None:
    mail_requests.issue_letter_token(account_id)


def reaches_password(app: Flask, token: str) -> bool:
    browser = at_sign_in(app.test_client())
    post(browser, "token", token=token)
    return browser.shows("password-form")


# What they look at


def cookie(client: FlaskClient, name: str) -> str:
    found = client.get_cookie(name)
    return found.value if found else ""


def untouched(account: Account) -> bool:
    """Whether the account still waits for its first password."""
    db.session.rollback()
    fresh = db.session.get(Account, account.id, populate_existing=True)
    assert fresh is not None
    spent = db.session.scalar(
        select(func.count()).where(
            OneTimeToken.account_id == account.id, OneTimeToken.spent_at.is_not(None)
        )
    )
    return fresh.status != "active" and not spent and not passwords.verify(account.id, NEW)


def count_of(model: Any, **having: str) -> int:
    db.session.rollback()
    conditions = [getattr(model, name) == value for name, value in having.items()]
    return int(db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0)
