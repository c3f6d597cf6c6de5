"""Double taps, Back, and another language, in a real browser (security rule N5)."""

import re

import pytest

from tests.browser.conftest import NewPage, World, press, sign_in
from tests.browser.test_desk import new_guardian
from tests.browser.test_first_sign_in import NEW_PASSWORD

pytestmark = pytest.mark.browser


def test_n5_a_double_tap_on_change_signs_in(world: World, new_page: NewPage) -> None:
    guardian = new_guardian(world, "Tap")
    world.run("user", "invite", guardian["username"])
    page = new_page(has_touch=True, viewport={"width": 360, "height": 740})
    page.goto(world.link_in(world.next_mail_to(guardian["email"], 0)))
    press(page, "#token-submit")
    page.fill("#new-password", NEW_PASSWORD)
    page.fill("#repeat-password", NEW_PASSWORD)

    page.dblclick("#password-submit", no_wait_after=True)

    page.wait_for_selector("#sign-out")
    page.goto(f"{world.provider}/account/sessions")
    assert page.locator("[id^=end-session-]").count() == 0  # this one, and no other


def test_n5_back_after_mistakes_asks_to_send_nothing_again(world: World, new_page: NewPage) -> None:
    account = world.account("one-child")
    page = new_page()
    page.goto(f"{world.portal_of(account)}/login")
    sign_in(page, {**account, "password": "Not-The-Password-1"})
    assert page.locator("#error-summary").count() == 1
    press(page, "#forgotten-link")
    page.fill("#email", "no address")
    press(page, "#forgotten-submit")
    assert page.locator("#error-summary").count() == 1

    page.go_back()  # raises ERR_CACHE_MISS where the page was the answer to a form
    page.go_back()
    assert page.input_value("#username") == account["username"]
    assert page.input_value("#password") == ""
    sign_in(page, account)
    page.wait_for_url(f"{world.portal_of(account)}/**")
    page.go_back()

    assert page.url.startswith(world.provider)
    assert page.locator("#interaction-done, #login-form").count() == 1


def test_another_language_keeps_the_name_that_was_typed(world: World, new_page: NewPage) -> None:
    page = new_page()
    page.goto(f"{world.provider}/")
    page.fill("#username", "claire.dubois")
    page.fill("#password", "typed already")

    press(page, "#language-nl")

    assert re.search("Aanmelden|AANMELDEN", page.inner_text("main"))
    assert page.input_value("#username") == "claire.dubois"
    assert page.input_value("#password") == ""
    assert page.evaluate("sessionStorage.length") == 0
