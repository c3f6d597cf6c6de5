"""What pages.js adds, under our policy: show a password, tell a mismatch, copy the app's key."""

from typing import Any

from playwright.sync_api import Page

from tests.browser.conftest import NewPage, World, press, sign_in


def at_new_password(page: Page, world: World, account: dict[str, Any]) -> None:
    page.goto(f"{world.provider}/")
    sign_in(page, account)
    page.goto(f"{world.provider}/account/password")


def test_a_password_is_shown_and_hidden_again(world: World, page: Page) -> None:
    page.goto(f"{world.portal}/login")
    page.fill("#password", "Violette-Ardoise")

    page.click("[data-shows=password]")
    assert page.get_attribute("#password", "type") == "text"
    assert page.get_attribute("[data-shows=password]", "aria-pressed") == "true"
    page.click("[data-shows=password]")
    assert page.get_attribute("#password", "type") == "password"
    assert page.input_value("#password") == "Violette-Ardoise"


def test_two_passwords_that_differ_are_told_before_they_are_sent(world: World, page: Page) -> None:
    at_new_password(page, world, world.account("one-child"))
    page.fill("#current-password", "something")
    page.fill("#new-password", "Violette-Ardoise-1")
    page.fill("#repeat-password", "Violette-Ardoise-2")

    page.click("#password-submit")

    assert page.is_visible("#repeat-password-differs")
    assert page.input_value("#new-password") == "Violette-Ardoise-1"
    page.fill("#repeat-password", "Violette-Ardoise-1")
    assert not page.is_visible("#repeat-password-differs")


def test_the_key_is_copied_without_spaces(world: World, new_page: NewPage) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    account = world.account("one-child")
    page.goto(f"{world.provider}/")
    sign_in(page, account)
    page.goto(f"{world.provider}/account/two-factor")
    press(page, "#two-factor-begin")
    page.fill("#current-password", account["password"])  # a proof first
    press(page, "#confirm-submit")

    page.click("#totp-copy")
    page.wait_for_selector("#totp-copy [data-done]:visible")

    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == (page.text_content("#totp-secret") or "").strip()
    assert len(copied) >= 32


def test_without_scripts_nothing_of_it_is_seen(world: World, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"{world.portal}/login")

    assert page.locator("[data-shows]").count() == 1
    assert not page.is_visible("[data-shows]")
