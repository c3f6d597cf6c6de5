"""The daily sign-in on a phone: 360 by 740, of which Android shows 616."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewPage, World, press, sign_in

PHONE = {"width": 360, "height": 616}
FORM = ("#username", "#password", "#login-submit")


def assert_on_screen(page: Page, *selectors: str) -> None:
    assert page.evaluate("scrollY") == 0
    for selector in selectors:
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] >= 0, selector
        assert box["x"] >= 0, selector
        assert box["y"] + box["height"] <= PHONE["height"], f"{selector}: {box}"
        assert box["x"] + box["width"] <= PHONE["width"], f"{selector}: {box}"


@pytest.mark.long
@pytest.mark.parametrize("language", ["fr-BE", "nl-BE", "de-DE", "en-GB"])
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_the_form_and_its_error_are_on_the_first_screen(
    world: World, new_page: NewPage, language: str, scripts: bool
) -> None:
    page = new_page(viewport=PHONE, locale=language, java_script_enabled=scripts)
    page.goto(f"{world.portal}/login")
    assert_on_screen(page, "#token-link", "#forgotten-link")

    page.fill("#username", "somebody")
    page.fill("#password", "certainly wrong")
    press(page, "#login-submit")
    assert_on_screen(page, "#error-summary", *FORM)


def test_whoever_comes_back_signs_in_without_a_scroll(world: World, new_page: NewPage) -> None:
    page = new_page(viewport=PHONE)
    page.goto(f"{world.provider}/")
    sign_in(page, world.account("one-child"))
    page.goto(f"{world.provider}/")
    press(page, "#sign-out")

    page.goto(f"{world.portal}/login")

    assert_on_screen(page, *FORM)
