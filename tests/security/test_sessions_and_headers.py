"""Security rules S1 to S10, on every page and form that the application has.

The routes come from the application itself: a page added tomorrow is tested tomorrow.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from idp import clock, create_app
from idp.database import db
from idp.sessions import service as sessions
from idp.sessions.models import Interaction
from tests import databases, factories
from tests.apart import ApartClient
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.relying_party import Browser, form_of, forms_of, leads_to, world
from tests.security.whole_site import (
    PROGRAMS,
    busy_world,
    cookie,
    csrf_of,
    everything,
    forms,
    pages,
    post_rules,
)

pytestmark = pytest.mark.quick_on("sqlite")

EVIL = "https://evil.example"
PUBLIC = {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}
PUBLIC |= {"/.well-known/oauth-protected-resource", "/oauth2/jwks", "/openapi.json"}
PUBLIC |= {"/.well-known/oauth-protected-resource/oauth2/userinfo"}
TOKEN_EXEMPT = {"authorize", "logout", "token", "revoke", "introspect", "userinfo"}
TOKEN_EXEMPT |= {"par", "device_authorization", "register_client"}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def still() -> Iterator[time_machine.Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def secure(keys_folder: Path) -> Iterator[Flask]:
    """The provider behind TLS."""
    with databases.fresh("sqlite") as url:
        changes = {"issuer": "https://id.school.example"}
        app = create_app(settings_for_tests(url, keys_folder, **changes))
        app.testing = True
        app.test_client_class = ApartClient
        app.config.update(PREFERRED_URL_SCHEME="https", SERVER_NAME="id.school.example")
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


class TestSession:
    """S1: opaque, on the server, renewed, ended."""

    def test_s1_the_secret_is_long_and_stored_only_as_a_hash(self, client: FlaskClient) -> None:
        world(client, "Lina")
        secret = cookie(client, "idp_session")
        assert len(secret) >= 22  # 128 bits in base64url
        assert not any(secret in str(row) for rows in everything().values() for row in rows)

    def test_s1_a_sign_in_renews_it_and_ends_the_one_before(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        before = cookie(client, "idp_session")
        site.ask(prompt="login")
        site.browser.sign_in("claire")
        assert cookie(client, "idp_session") != before
        assert sessions.find(before) is None

    def test_s1_a_planted_session_cookie_is_not_taken_over(self, client: FlaskClient) -> None:
        factories.account("claire")
        planted = "A" * 43
        client.set_cookie("idp_session", planted)
        Browser(client).sign_in_at_home("claire")
        assert cookie(client, "idp_session") != planted
        assert sessions.find(planted) is None

    @pytest.mark.parametrize("rhythm", [timedelta(hours=8, seconds=1), timedelta(hours=2)])
    def test_s1_it_ends_when_idle_and_absolutely(
        self, client: FlaskClient, still: time_machine.Traveller, rhythm: timedelta
    ) -> None:
        site = world(client, "Lina")
        began = clock.now()
        while signed_in(site.browser):
            still.shift(rhythm)
            assert clock.now() - began <= timedelta(hours=24) + rhythm
        lived = clock.now() - began
        assert lived == (rhythm if rhythm > timedelta(hours=8) else timedelta(hours=24))

    def test_s1_signing_out_ends_it_on_the_server(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        secret = cookie(client, "idp_session")
        site.browser.sign_out()
        client.set_cookie("idp_session", secret)
        assert not signed_in(site.browser)

    def test_s1_a_logout_by_an_application_ends_it_on_the_server(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        secret = cookie(client, "idp_session")
        site.browser.open("/oauth2/logout")
        site.browser.press("logout-submit")
        client.set_cookie("idp_session", secret)
        assert not signed_in(site.browser)

    def test_s1_ending_another_guardians_session_ends_nothing(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        victim = factories.account("victim")
        other, secret = sessions.begin(victim.id, amr=("pwd",), acr="x")
        page = site.browser.open("/")
        token = form_of(page.text, "language-form")[1]["csrf_token"]
        client.post(f"/account/sessions/{other.id}/end", data={"csrf_token": token})
        client.post("/account/sessions/end-others", data={"csrf_token": token})
        assert sessions.find(secret) is not None

    def test_s6_after_signing_out_the_browser_forgets_what_it_showed(
        self, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        site.browser.open("/")
        action, fields = form_with(site.browser, "sign-out")
        answer = client.post(action, data=fields)
        assert '"cache"' in answer.headers["Clear-Site-Data"]
        assert "idp_session=;" in answer.headers["Set-Cookie"]


class TestCookies:
    """S2: flags and names."""

    def test_s2_behind_tls_every_cookie_is_a_host_cookie(self, secure: Flask) -> None:
        factories.account("claire")
        browser = Browser(secure.test_client())
        set_cookies = all_set_cookies(browser, "claire")
        assert {name for name, _ in set_cookies} == {
            f"__Host-idp_{kind}" for kind in ("browser", "session", "device")
        }
        for _name, flags in set_cookies:
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= flags
            assert not any(flag.startswith("domain") for flag in flags)

    def test_s2_in_the_demo_only_the_prefix_and_secure_are_missing(
        self, client: FlaskClient
    ) -> None:
        factories.account("claire")
        for name, flags in all_set_cookies(Browser(client), "claire"):
            assert name in {"idp_browser", "idp_session", "idp_device"}
            assert {"httponly", "samesite=lax", "path=/"} <= flags
            assert "secure" not in flags

    def test_s2_the_session_cookie_ends_with_the_browser(self, client: FlaskClient) -> None:
        factories.account("claire")
        flags = dict(all_set_cookies(Browser(client), "claire"))["idp_session"]
        assert not any(flag.startswith(("max-age", "expires")) for flag in flags)

    def test_s2_a_demo_cookie_is_worth_nothing_behind_tls(self, secure: Flask) -> None:
        account = factories.account("claire")
        _session, secret = sessions.begin(account.id, amr=("pwd",), acr="x")
        browser = Browser(secure.test_client())
        browser.client.set_cookie("idp_session", secret, domain="id.school.example")
        assert not signed_in(browser)


class TestForms:
    """S3 and S7: every form of the application, with its own token and from its own pages."""

    def test_s3_only_the_protocols_endpoints_need_no_form_token(self, app: Flask) -> None:
        exempt = {each.endpoint for each in post_rules(app) if each.endpoint.startswith(PROGRAMS)}
        signed = {"provider_callbacks.deletion", "provider_callbacks.deauthorize"}
        assert exempt == {f"oauth2.{name}" for name in TOKEN_EXEMPT} | signed

    @pytest.mark.parametrize(
        "token",
        [
            None,
            pytest.param("", marks=pytest.mark.long),
            pytest.param("forged", marks=pytest.mark.long),
            "of another browser",
        ],
    )
    def test_s3_every_form_without_its_token_is_refused_and_changes_nothing(
        self, app: Flask, client: FlaskClient, token: str | None
    ) -> None:
        site = busy_world(app, client)
        if token == "of another browser":
            token = csrf_of(Browser(app.test_client()))
        before = everything()
        for path, fields in forms(app, site):
            with_token = {} if token is None else {"csrf_token": token}
            answer = client.post(path, data={**fields, **with_token})
            assert answer.status_code == 400 or leads_back(answer), path
            assert everything() == before, path

    @pytest.mark.parametrize(
        "header",
        [
            ("Origin", EVIL),
            pytest.param(("Sec-Fetch-Site", "cross-site"), marks=pytest.mark.long),
            ("Sec-Fetch-Site", "same-site"),
        ],
    )
    def test_s3_every_form_of_a_foreign_page_is_refused_whatever_token_it_has(
        self, app: Flask, client: FlaskClient, header: tuple[str, str]
    ) -> None:
        site = busy_world(app, client)
        token = csrf_of(site.browser)
        before = everything()
        for path, fields in forms(app, site):
            answer = client.post(path, data={**fields, "csrf_token": token}, headers=dict([header]))
            assert answer.status_code == 403, path
            assert everything() == before, path

    def test_s3_nobody_is_signed_in_by_a_strangers_form(
        self, app: Flask, client: FlaskClient
    ) -> None:
        """Login CSRF: the attacker's own form, token and all, sent by the victim's browser."""
        factories.account("mallory")
        attacker = Browser(app.test_client())
        attacker.open("/")
        action, hidden = form_of(attacker.page.text, "login-form")  # type: ignore[union-attr]
        victim = Browser(client)
        victim.open("/")
        fields = {**hidden, "username": "mallory", "password": PASSWORD}
        own_action, _ = form_of(victim.page.text, "login-form")  # type: ignore[union-attr]
        assert client.post(action, data=fields).status_code == 404
        assert client.post(own_action, data=fields).status_code == 400
        assert not signed_in(victim)

    def test_s3_a_form_token_does_not_outlive_the_sign_out(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        token = csrf_of(site.browser)
        site.browser.press("sign-out")
        site.browser.open("/")
        site.browser.sign_in("claire")
        answer = client.post("/account/sessions/end-others", data={"csrf_token": token})
        assert answer.status_code == 400

    @pytest.mark.long
    def test_s7_every_redirect_after_a_form_is_a_303(self, app: Flask, client: FlaskClient) -> None:
        site = busy_world(app, client)
        token = csrf_of(site.browser)
        found = []
        for path, fields in forms(app, site):
            answer = client.post(path, data={**fields, "csrf_token": token})
            assert answer.status_code not in {301, 302, 307, 308}, path
            assert answer.status_code < 500, path
            found.append(answer.status_code)
            token = csrf_of(site.browser)
        assert 303 in found

    @pytest.mark.long
    def test_s7_what_answers_forms_does_nothing_by_get(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = busy_world(app, client)
        before = everything()
        for path, fields in forms(app, site):
            assert client.get(path, query_string=fields).status_code in {200, 303, 404, 405}, path
            assert everything() == before, path


class TestHeaders:
    """S4, S8 and S9: what every answer says, error pages too."""

    @on_sqlite
    @pytest.mark.parametrize("who", ["a guardian", "nobody"])
    def test_s4_every_page_has_every_header(
        self, app: Flask, client: FlaskClient, who: str
    ) -> None:
        site = busy_world(app, client)
        http = client if who == "a guardian" else app.test_client()
        for path in [*pages(app, site), "/nothing-here", "/account/sign-out"]:
            answer = http.get(path, buffered=True)
            assert answer.status_code < 500, path
            check_headers(answer, path)

    @on_sqlite
    @pytest.mark.parametrize("status", [303, 400, 403, 413])
    def test_s4_refused_forms_have_them_too(self, client: FlaskClient, status: int) -> None:
        if status != 303:  # a browser without a cookie is sent on once, to see if it takes one
            client.get("/")
        origin = {403: EVIL}.get(status, "null")
        size = {413: 70_000}.get(status, 10)
        answer = client.post("/language", data={"next": "x" * size}, headers={"Origin": origin})
        assert answer.status_code == status
        check_headers(answer, "/language")

    def test_s4_behind_tls_browsers_are_told_to_stay_there(self, secure: Flask) -> None:
        for path in ("/health/live", "/nothing-here", "/.well-known/openid-configuration"):
            told = secure.test_client().get(path).headers["Strict-Transport-Security"]
            assert int(re.findall(r"max-age=(\d+)", told)[0]) >= 180 * 24 * 3600

    @on_sqlite
    def test_s4_forms_end_with_us_and_nowhere_else(self, client: FlaskClient) -> None:
        site = world(client, "Lina", signed_in=False)
        page = site.ask()
        assert sources(page, "form-action") == {"'self'"}
        assert sources(site.browser.open("/nothing-here"), "form-action") == {"'self'"}

    @on_sqlite
    def test_s4_no_page_has_inline_script_or_style(self, app: Flask, client: FlaskClient) -> None:
        site = busy_world(app, client)
        for path in pages(app, site):
            text = client.get(path, buffered=True).text
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), path
            assert not re.search(r"<script(?![^>]*\ssrc=)", text), path
            assert not re.search(r'(src|href)="(https?:)?//(?!portal\.example)', text), path

    @on_sqlite
    def test_s9_only_what_is_public_may_be_read_by_foreign_pages(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = busy_world(app, client)
        for path in pages(app, site):
            headers = client.get(path, headers={"Origin": EVIL}, buffered=True).headers
            allowed = headers.get("Access-Control-Allow-Origin")
            assert allowed == ("*" if path in PUBLIC else None), path
            assert "Access-Control-Allow-Credentials" not in headers, path


class TestWhereTo:
    """S5 and S10: redirects stay with us; an address sent to somebody else is worth nothing."""

    @on_sqlite
    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example/",
            "//evil.example/",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/%0d%0aLocation:%20https://evil.example",
            "javascript:alert(1)",
            "/.//evil.example",
            "/account/..//evil.example",
            "/oauth2/authorize@evil.example",
            "http:evil.example",
            "evil.example",
            " //evil.example",
            "/static/../..//evil.example",
            "/" + "x" * 5000,
        ],
    )
    def test_s5_the_choice_of_a_language_leads_nowhere_else(
        self, client: FlaskClient, target: str
    ) -> None:
        token = csrf_of(Browser(client))
        fields = {"csrf_token": token, "locale": "nl", "next": target}
        answer = client.post("/language", data=fields)
        place = urljoin("http://us.example/language", answer.headers["Location"])
        assert answer.status_code == 303
        assert urlsplit(place)[:2] == ("http", "us.example")
        assert not answer.headers["Location"].startswith(("//", "/\\"))

    @on_sqlite
    def test_s5_the_choice_of_a_language_shows_the_page_again(self, client: FlaskClient) -> None:
        site = world(client, "Lina", signed_in=False)
        page = site.ask()
        again = site.browser.press("language-de")
        assert again.request.path == page.request.path
        assert 'lang="de"' in again.text

    def test_s10_an_interactions_address_is_worth_nothing_in_another_browser(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = world(client, "Lina", "Noah", signed_in=False)
        address = site.ask(scope="openid child").request.path.rpartition("/")[0]
        others = Browser(app.test_client())
        others.sign_in_at_home("claire")
        for page in ("", "/login", "/token", "/password", "/forgotten", "/child", "/consent"):
            answer = others.client.get(address + page)
            assert answer.status_code == 404, page
            assert "portal.example" not in answer.text
            assert not leads_to(answer)

    def test_s10_stored_ones_are_bounded_in_number(self, client: FlaskClient) -> None:
        site = world(client, "Lina", signed_in=False)
        for _ in range(50):  # too long to be carried by the browser
            client.get(site.portal.authorize_path(state="s" * 3000))
        assert db.session.scalar(select(func.count()).select_from(Interaction)) <= 20

    def test_s10_the_newest_of_many_still_works(self, client: FlaskClient) -> None:
        site = world(client, "Lina", signed_in=False)
        for number in range(25):
            site.ask(state=f"s{number}")
        location = leads_to(site.browser.sign_in("claire"))
        assert "state=s24" in location

    def test_s10_what_one_guardian_allowed_the_next_in_this_browser_is_asked_again(
        self, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        factories.account("paul")
        canteen = site.other_portal(first_party=False, client_name="Cantine")
        asked = site.browser.open(canteen.authorize_path()).request.path
        action, fields = form_with(site.browser, "consent-allow")
        client.post(action or asked, data={**fields, "decision": "allow"})  # and goes away
        site.browser.open("/")
        site.browser.press("sign-out")
        site.browser.sign_in_at_home("paul")
        site.browser.open(asked.rpartition("/")[0])
        assert site.browser.shows("consent-form")

    def test_s10_an_expired_one_says_so(
        self, client: FlaskClient, still: time_machine.Traveller
    ) -> None:
        site = world(client, "Lina", signed_in=False)
        path = site.ask().request.path
        still.shift(timedelta(hours=1, seconds=1))
        answer = client.get(path)
        assert answer.status_code == 404
        assert 'id="oauth-error">expired_interaction' in answer.text


# What they look at


def signed_in(browser: Browser) -> bool:
    browser.open("/")
    return browser.shows("sign-out")


def form_with(browser: Browser, button: str) -> tuple[str, dict[str, str]]:
    assert browser.page is not None
    form = next(form for form in forms_of(browser.page.text) if button in form.buttons)
    return form.action, form.hidden


def all_set_cookies(browser: Browser, username: str) -> list[tuple[str, set[str]]]:
    """Name and flags of every cookie that is set from the first page to the sign-in."""
    first = browser.client.get("/")
    page = browser.open(first.headers["Location"])
    action, hidden = form_of(page.text, "login-form")
    second = browser.client.post(
        action, data={**hidden, "username": username, "password": PASSWORD}
    )
    assert second.status_code == 303
    lines = [line for r in (first, page, second) for line in r.headers.getlist("Set-Cookie")]
    parts = [line.split("; ") for line in lines]
    return [(each[0].partition("=")[0], {flag.lower() for flag in each[1:]}) for each in parts]


def leads_back(answer: TestResponse) -> bool:
    """Whether a form that came out of turn only leads back to a page of the walk."""
    return answer.status_code == 303 and answer.headers["Location"].startswith("/interaction/")


def sources(answer: TestResponse, directive: str) -> set[str]:
    policy = answer.headers["Content-Security-Policy"]
    found = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    return set(found[directive].split())


def check_headers(answer: TestResponse, path: str) -> None:
    headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe-" not in policy, path
    assert "*" not in policy, path
    assert sources(answer, "default-src") == {"'none'"}, path
    assert sources(answer, "frame-ancestors") == {"'none'"}, path
    assert sources(answer, "base-uri") == {"'none'"}, path
    assert headers["X-Content-Type-Options"] == "nosniff", path
    assert headers["Referrer-Policy"] == "no-referrer", path
    # A redirect within a walk shows nothing, and the page at its end has one of its own
    goes_on = headers.get("Location", "").startswith("/interaction/") and path.startswith("/inter")
    opener = "unsafe-none" if goes_on else "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == opener, path
    assert "camera=()" in headers["Permissions-Policy"], path
    shared = path in PUBLIC or path.startswith(("/static/", "/branding/"))
    if not (shared and answer.status_code == 200):
        assert "no-store" in headers["Cache-Control"], path
    if not path.startswith(("/oauth2/", "/static/", "/branding/", *PUBLIC)):
        assert "Cookie" in headers["Vary"], path
