"""Passkeys and two-step sign-in in a real browser, with Chromium's virtual authenticator.

The provider's issuer is ``http://localhost``: an IP address can't be a relying party's id.
"""

import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
from playwright.sync_api import CDPSession, Page

from tests import databases
from tests.browser.conftest import (
    NewPage,
    check_accessibility,
    check_width,
    in_each_language,
    in_its_look,
    press,
)
from tests.cli.conftest import output_of, start
from tests.conftest import environment_for_tests
from tests.examples.running import wait_until
from tests.factories import PASSWORD

pytestmark = pytest.mark.browser


@dataclass
class Provider:
    """A running provider at localhost, and its command line."""

    issuer: str
    environment: dict[str, str]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        return output_of(self.environment, *arguments, stdin=stdin)

    def account(self, username: str, given_name: str = "Claire") -> str:
        """A parent with a password; returns the user name."""
        person = ("--given-name", given_name, "--family-name", "Dubois", "--locale", "fr")
        self.run("user", "create", username, *person, "--password-stdin", stdin=PASSWORD)
        return username


@pytest.fixture(scope="module")
def provider(keys_folder: Path) -> Iterator[Provider]:
    """A provider of its own, on SQLite."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with databases.fresh("sqlite") as url:
        environment = environment_for_tests(url, keys_folder, IDP_ISSUER=f"http://localhost:{port}")
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = start(
            environment, "serve", "--port", str(port), "--workers", "1", measured=False, **silent
        )
        try:
            assert wait_until(lambda: answers(f"http://localhost:{port}/health/ready"))
            yield Provider(f"http://localhost:{port}", environment)
        finally:
            process.terminate()
            process.wait(60)


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def with_authenticator(page: Page, **options: Any) -> CDPSession:
    """Give this page's browser a phone that unlocks at once (CDP's WebAuthn domain)."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    settings = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **options,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": settings})
    return session


def without_autofill(page: Page) -> None:
    """Make it a browser that has no conditional mediation: there, only the button works."""
    page.add_init_script("PublicKeyCredential.isConditionalMediationAvailable = async () => false")


def sign_in(page: Page, provider: Provider, username: str) -> None:
    page.goto(f"{provider.issuer}/")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    press(page, "#login-submit")


def add_passkey(page: Page, provider: Provider) -> None:
    page.goto(f"{provider.issuer}/account/passkeys")
    press(page, "#passkey-add-submit")
    page.wait_for_selector("#passkey-list")


def sign_out(page: Page, provider: Provider) -> None:
    page.goto(f"{provider.issuer}/")
    press(page, "#sign-out")


def code_of(page: Page) -> str:
    """What the app shows for the key on the page."""
    return pyotp.TOTP(re.sub(r"\s", "", page.text_content("#totp-secret") or "")).now()


def test_a_passkey_is_suggested_added_and_signs_in(provider: Provider, page: Page) -> None:
    with_authenticator(page)
    without_autofill(page)
    sign_in(page, provider, provider.account("claire.adds"))
    press(page, "#passkey-offer-link")
    page.fill("#passkey-name", "Mon téléphone")
    press(page, "#passkey-add-submit")
    assert page.inner_text("#passkey-1") == "Mon téléphone"
    sign_out(page, provider)

    page.goto(f"{provider.issuer}/")
    press(page, "#passkey-submit")

    page.wait_for_selector("#sign-out")
    assert not page.query_selector("#passkey-offer")


def test_a_device_that_has_one_already_is_not_sent_to_try_again(
    provider: Provider, page: Page
) -> None:
    with_authenticator(page)
    without_autofill(page)
    sign_in(page, provider, provider.account("claire.twice"))
    add_passkey(page, provider)
    assert page.is_visible("main > .notice-good")

    page.click("#passkey-add-submit")

    page.wait_for_selector("#passkey-add-form [data-known]", state="visible")
    assert not page.is_visible("main > .notice-good"), "an earlier act's"
    assert not page.is_visible("#passkey-add-form [data-trouble]")
    assert page.is_enabled("#passkey-add-submit")
    check_accessibility(page, "a device that has one already")


PORTAL = "http://localhost:9/callback"


def begins(provider: Provider, page: Page) -> str:
    """Where an application begins a sign-in; its own page is there as well."""
    page.route(f"{PORTAL}*", lambda route: route.fulfill(body="<p id=there>Bonjour</p>"))
    made = json.loads(provider.run("school", "create", "Collège", "--json"))
    options = ("--redirect-uri", PORTAL, "--scope", "openid", "--first-party", "--no-pkce")
    client = json.loads(
        provider.run("client", "create", "Portail", "--school", made["id"], *options, "--json")
    )
    asks = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": PORTAL}
    return f"{provider.issuer}/oauth2/authorize?{urlencode({**asks, 'scope': 'openid'})}"


@pytest.mark.long
@in_each_language
def test_a_passkey_is_offered_once_between_the_password_and_the_application(
    provider: Provider, new_page: NewPage, language: str
) -> None:
    page = new_page(locale=language, viewport={"width": 360, "height": 740})
    with_authenticator(page)
    without_autofill(page)
    username, address = provider.account(f"offered.{language.lower()}"), begins(provider, page)
    page.goto(address)
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    press(page, "#login-submit")
    check_accessibility(page, "the offer")

    page.click("#passkey-offer-submit")

    page.wait_for_selector("#there")
    page.context.clear_cookies()
    page.goto(address)
    press(page, "#passkey-submit")
    page.wait_for_selector("#there")


@pytest.mark.long
def test_who_declines_a_passkey_is_in_and_not_asked_again(provider: Provider, page: Page) -> None:
    with_authenticator(page)
    without_autofill(page)
    username, address = provider.account("claire.declines"), begins(provider, page)
    for is_first in (True, False):
        page.context.clear_cookies()
        page.goto(address)
        page.fill("#username", username)
        page.fill("#password", PASSWORD)
        page.click("#login-submit")
        if is_first:
            page.click("#passkey-offer-later")
        page.wait_for_selector("#there")


@pytest.mark.long
def test_a_device_that_cannot_make_a_passkey_goes_straight_to_the_application(
    provider: Provider, page: Page
) -> None:
    username, address = provider.account("claire.unable"), begins(provider, page)
    page.goto(address)
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("#login-submit")
    page.wait_for_selector("#there")


def test_a_passkey_is_offered_in_the_user_names_autofill(provider: Provider, page: Page) -> None:
    """Conditional mediation: the virtual authenticator chooses as soon as it is offered."""
    with_authenticator(page)
    sign_in(page, provider, provider.account("claire.autofill"))
    add_passkey(page, provider)
    sign_out(page, provider)

    page.goto(f"{provider.issuer}/")

    page.wait_for_selector("#sign-out")


@pytest.mark.long
def test_a_declined_passkey_leaves_the_page_as_it_was(provider: Provider, page: Page) -> None:
    with_authenticator(page, isUserVerified=False)
    without_autofill(page)
    page.goto(f"{provider.issuer}/")
    page.click("#passkey-submit")
    page.wait_for_selector("[data-trouble]:not([hidden])", timeout=60_000)
    assert page.is_enabled("#passkey-submit")
    check_accessibility(page, "passkey declined")


@pytest.mark.long
def test_without_scripts_there_is_no_button_and_the_password_works(
    provider: Provider, new_page: NewPage
) -> None:
    page = new_page(java_script_enabled=False)
    username = provider.account("claire.plain")
    page.goto(f"{provider.issuer}/")
    assert not page.is_visible("#passkey-submit")
    sign_in(page, provider, username)
    page.wait_for_selector("#sign-out")
    press(page, "#two-factor-link")
    press(page, "#two-factor-begin")
    page.fill("#current-password", PASSWORD)
    press(page, "#confirm-submit")
    page.fill("#code", code_of(page))
    press(page, "#totp-submit")
    assert page.locator("#recovery-codes li").count() == 10
    recovery = page.locator("#recovery-codes code").first.inner_text()
    press(page, "#recovery-continue")
    sign_out(page, provider)
    sign_in(page, provider, username)
    page.fill("#code", recovery)
    press(page, "#second-factor-submit")
    page.wait_for_selector("#sign-out")


def test_staff_set_up_a_passkey_before_anything_else(provider: Provider, page: Page) -> None:
    with_authenticator(page)
    username = provider.account("claire.staff")
    provider.run("user", "role", "grant", username, "operator")
    sign_in(page, provider, username)
    page.wait_for_selector("#enrol-app-form")
    page.goto(f"{provider.issuer}/account/passkeys")
    assert page.query_selector("#login-form")
    sign_in(page, provider, username)
    press(page, "#enrol-passkey-submit")
    page.wait_for_selector("#sign-out")


@pytest.mark.long
def test_a_passkey_confirms_before_it_is_removed(provider: Provider, page: Page) -> None:
    with_authenticator(page)
    sign_in(page, provider, provider.account("claire.removes"))
    add_passkey(page, provider)
    page.goto(f"{provider.issuer}/account/confirm?next=/account/passkeys")
    press(page, "#confirm-passkey-submit")
    page.click("#passkey-change-1")
    press(page, "#passkey-remove-1")
    page.wait_for_selector("#passkey-none")


@pytest.mark.long
@in_its_look
def test_the_new_pages_are_accessible(provider: Provider, page: Page, quick: bool) -> None:
    name = f"looked.at.{quick}".lower()
    see_every_page(page, provider, name, partial(check_accessibility, quick=quick))


@pytest.mark.long
@in_each_language
def test_no_new_page_is_too_wide_at_320_px(
    provider: Provider, new_page: NewPage, language: str
) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale=language)
    page.goto(f"{provider.issuer}/")
    press(page, f"#language-{language[:2]}")
    see_every_page(page, provider, f"narrow.{language[:2]}", check_width)


def see_every_page(
    page: Page, provider: Provider, username: str, check: Callable[[Page, str], None]
) -> None:
    """Walk through the new pages and check each."""

    def look(where: str) -> None:
        check(page, where)
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{username}.{where}.png", full_page=True)

    authenticator = with_authenticator(page)
    without_autofill(page)
    sign_in(page, provider, provider.account(username))
    page.wait_for_selector("#passkey-offer")
    look("home")
    press(page, "#passkey-offer-link")
    look("passkeys-none")
    press(page, "#passkey-add-submit")
    page.wait_for_selector("#passkey-list")
    page.click("#passkey-change-1")
    look("passkeys")
    page.goto(f"{provider.issuer}/account/two-factor")
    look("two-factor-off")
    press(page, "#two-factor-begin")
    page.fill("#current-password", PASSWORD)
    press(page, "#confirm-submit")
    look("two-factor-app")
    press(page, "#totp-submit")
    look("two-factor-app-wrong")
    page.fill("#code", code_of(page))
    press(page, "#totp-submit")
    look("recovery-codes")
    press(page, "#recovery-continue")
    look("two-factor-on")
    page.goto(f"{provider.issuer}/account/confirm")
    look("confirm")
    sign_out(page, provider)
    authenticator.send("WebAuthn.disable")
    page.goto(f"{provider.issuer}/")
    page.wait_for_selector("#passkey-submit")
    look("sign-in")
    sign_in(page, provider, username)
    page.wait_for_selector("#second-factor-form")
    look("second-factor")
    press(page, "#second-factor-submit")
    look("second-factor-wrong")
    provider.run("user", "factors", "reset", username)
    provider.run("user", "role", "grant", username, "operator")
    sign_in(page, provider, username)
    page.wait_for_selector("#enrol-app-form")
    look("enrol")
    press(page, "#enrol-app")
    look("enrol-app")
