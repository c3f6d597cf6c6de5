"""Every page, on a phone and on a desktop, light and dark: axe-core finds nothing."""

import json
import secrets
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    NewPage,
    World,
    check_accessibility,
    check_width,
    press,
    sign_in,
)


def authorize(world: World, client: str = "curl_client", **parameters: str) -> str:
    """An authorization request of the demo's client for trying the protocol by hand."""
    chosen = world.demo.document[client]
    query = {
        "response_type": "code",
        "client_id": chosen["client_id"],
        "redirect_uri": chosen["redirect_uri"],
        "scope": "openid child",
        **parameters,
    }
    return f"{world.provider}/oauth2/authorize?{urlencode(query)}"


def test_sign_in_and_its_errors(world: World, page: Page) -> None:
    page.goto(f"{world.portal}/login")
    check_accessibility(page, "sign-in")
    press(page, "#login-submit")
    check_accessibility(page, "sign-in, empty")
    page.fill("#username", "nobody.at-all")
    page.fill("#password", "certainly wrong")
    press(page, "#login-submit")
    assert page.input_value("#username") == "nobody.at-all"
    assert page.input_value("#password") == ""
    check_accessibility(page, "sign-in, wrong")


def test_token_forgotten_and_new_password(world: World, page: Page) -> None:
    page.goto(f"{world.portal}/login")
    press(page, "#token-link")
    check_accessibility(page, "token")
    page.fill("#token", "AAAA-BBBB")
    press(page, "#token-submit")
    check_accessibility(page, "token, unknown")
    page.goto(f"{world.portal}/login")
    press(page, "#forgotten-link")
    check_accessibility(page, "forgotten")
    page.fill("#email", "nobody@nowhere.example")
    press(page, "#forgotten-submit")
    check_accessibility(page, "forgotten, done")


def test_n8_the_links_token_moves_from_the_address_into_the_field(world: World, page: Page) -> None:
    token = fresh_letter_token(world)
    page.goto(f"{world.provider}/welcome#{token}")
    expect(page.locator("#token")).to_have_value(token)
    assert token not in page.url
    assert "#" not in page.url
    press(page, "#token-submit")
    page.wait_for_selector("#new-password")


def test_n8_without_scripts_the_token_is_typed(world: World, new_page: NewPage) -> None:
    token, page = fresh_letter_token(world), new_page(java_script_enabled=False)
    page.goto(f"{world.provider}/welcome#{token}")
    page.fill("#token", token)
    page.click("#token-submit")
    page.wait_for_selector("#new-password")


def test_new_password_and_expired_token(world: World, page: Page) -> None:
    token = fresh_letter_token(world)
    page.goto(f"{world.provider}/welcome?token={token}")
    check_accessibility(page, "token, filled in")
    press(page, "#token-submit")
    check_accessibility(page, "new password")
    page.fill("#new-password", "motdepasse1234")
    page.fill("#repeat-password", "motdepasse1234")
    press(page, "#password-submit")
    check_accessibility(page, "new password, weak")

    expire_tokens(world)
    page.goto(f"{world.provider}/welcome?token={token}")
    press(page, "#token-submit")
    page.wait_for_selector("#token-renew")
    check_accessibility(page, "token, expired")
    press(page, "#token-renew")
    page.wait_for_selector("#token-renewed")
    check_accessibility(page, "token, renewed")


def test_choice_consent_and_account(world: World, page: Page) -> None:
    page.goto(authorize(world, response_mode="form_post"))
    sign_in(page, world.account("several-children"))
    page.wait_for_selector("#child-list")
    check_accessibility(page, "choice of the child")
    page.goto(f"{world.other_portal}/coup-de-pouce/login")
    page.wait_for_selector("#no-child, #consent-form")
    check_accessibility(page, "no child, or consent")
    page.goto(f"{world.provider}/")
    check_accessibility(page, "account")
    page.goto(f"{world.provider}/account/password")
    check_accessibility(page, "change password")
    page.goto(f"{world.provider}/oauth2/logout")
    check_accessibility(page, "sign out?")
    press(page, "#logout-submit")
    check_accessibility(page, "signed out")


def test_consent(world: World, page: Page) -> None:
    page.goto(authorize(world, prompt="consent"))
    sign_in(page, world.account("one-child"))
    page.wait_for_selector("#consent-form")
    check_accessibility(page, "consent")


def test_form_post_has_a_button_without_javascript(world: World, new_page: NewPage) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(authorize(world, response_mode="form_post"))
    sign_in(page, world.account("one-child"))
    page.wait_for_selector("#form-post-submit")
    assert page.get_attribute("#form-post", "action") == "http://127.0.0.1:9/callback"


def test_errors(world: World, page: Page) -> None:
    for address, code in (
        (f"{world.provider}/oauth2/authorize?client_id=nobody", "invalid_client"),
        (authorize(world, redirect_uri="https://evil.example/"), "invalid_redirect_uri"),
        (f"{world.provider}/interaction/i_nothing/login", "expired_interaction"),
        (f"{world.provider}/nowhere", "not_found"),
    ):
        page.goto(address)
        assert page.inner_text("#correlation-id")
        check_accessibility(page, code)


@pytest.mark.parametrize("language", ["fr-BE", "nl-BE", "de-DE", "en-GB"])
def test_the_browsers_language_is_spoken_and_no_page_is_too_wide_at_320_px(
    world: World, new_page: NewPage, language: str
) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale=language)
    page.goto(f"{world.portal}/login")
    assert page.get_attribute("html", "lang") == language[:2]
    for link in ("#token-link", "#forgotten-link"):
        check_width(page, language)
        page.goto(f"{world.portal}/login")
        press(page, link)
    check_width(page, language)


def test_the_language_that_a_visitor_chooses_is_kept(world: World, page: Page) -> None:
    page.goto(f"{world.portal}/login")
    press(page, "#language-nl")
    assert page.get_attribute("html", "lang") == "nl"
    page.goto(f"{world.portal}/login")
    assert page.get_attribute("html", "lang") == "nl"


def test_the_keyboard_alone_signs_in(world: World, page: Page) -> None:
    account = world.account("one-child")
    page.goto(f"{world.portal}/login")
    page.focus("#username")
    page.keyboard.type(account["username"])
    page.keyboard.press("Tab")
    page.keyboard.type(account["password"])
    page.keyboard.press("Enter")
    page.wait_for_selector("#child-name")


def fresh_letter_token(world: World) -> str:
    """The token of a guardian who was just invited, as it would be printed in a letter."""
    username = f"nouveau-{secrets.token_hex(4)}"
    person = ("--given-name", "Nour", "--family-name", "Haddad")
    world.run("user", "create", username, *person, "--email", f"{username}@familles.example")
    return str(json.loads(world.run("token", "issue", username, "--json"))["token"])


def expire_tokens(world: World) -> None:
    """Let every token's time be over, as two weeks do."""
    past = datetime(2020, 1, 1, tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    with closing(sqlite3.connect(world.demo.folder / "demo.db", timeout=10)) as connection:
        connection.execute("UPDATE one_time_tokens SET expires_at = ?", (past,))
        connection.commit()


@pytest.mark.parametrize("language", ["de", "nl"])
def test_at_320_px_rows_put_their_buttons_below_their_words(
    world: World, new_page: NewPage, language: str
) -> None:
    account = world.account("one-child")
    narrow = {"viewport": {"width": 320, "height": 640}, "locale": language}
    for page in (new_page(**narrow), new_page(**narrow)):  # the second sees two sessions
        page.goto(f"{world.provider}/")
        sign_in(page, account)
        page.goto(f"{world.provider}/account/sessions")
    row = page.locator(".row", has=page.locator("#end-session-2"))

    words = row.locator(".row-words").bounding_box()
    button = page.locator("#end-session-2").bounding_box()

    assert words is not None
    assert button is not None
    assert button["y"] >= words["y"] + words["height"]
    assert words["width"] >= 160
    check_width(page, f"rows in {language} at 320 px")


def test_at_320_px_an_address_breaks_before_its_at_or_its_dot(
    world: World, new_page: NewPage
) -> None:
    page = new_page(viewport={"width": 320, "height": 640}, locale="de")
    page.goto(f"{world.portal}/login")
    press(page, "#forgotten-link")
    page.fill("#email", "nobody@nowhere.example")
    press(page, "#forgotten-submit")

    # each line of the link, as it is laid out
    lines = page.locator(".contact a[href^='mailto:']").evaluate(
        """link => {
          const lines = [];
          const range = document.createRange();
          for (const node of link.childNodes) {
            if (node.nodeType !== Node.TEXT_NODE) continue;
            for (let i = 0; i < node.length; i += 1) {
              range.setStart(node, i);
              range.setEnd(node, i + 1);
              const top = Math.round(range.getBoundingClientRect().top);
              if (!lines.length || lines.at(-1).top !== top) lines.push({ top, text: "" });
              lines.at(-1).text += node.data[i];
            }
          }
          return lines.map((line) => line.text);
        }"""
    )

    assert "".join(lines).count("@") == 1
    assert all(line[0] in "@." for line in lines[1:]), lines
