"""Every page at twice the text size on a phone, and in a window of 320 px (WCAG 1.4.4, 1.4.10).

Nothing sticks out sideways, nothing is cut, and no name breaks letter by letter.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Browser, Page, Playwright

from idp import clock
from tests.browser.conftest import ARGUMENTS, NewPage, World, chromium_path, press, sign_in
from tests.browser.reflow import lost

pytestmark = pytest.mark.long

OPERATOR = "ingrid.operatrice"
ACCOUNT = (
    *("", "profile", "email", "password", "passkeys", "two-factor", "connections"),
    *("applications", "sessions", "history", "data", "confirm"),
)
DESK = (
    *("", "people", "people?q=maes", "letters", "mails", "imports", "imports/new", "journal"),
    *("applications", "applications/new", "schools", "staff", "erasures"),
)
BEHIND = (
    *("people", "people?q=maes", "schools", "applications"),  # the first link of each list
)


@pytest.fixture(scope="module", params=["text of 200 %", "320 px"])
def chromium(playwright: Playwright, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium, as a reader with weak eyes has set it; or as it comes."""
    path = chromium_path()
    large = request.param == "text of 200 %"
    size = ["--blink-settings=defaultFontSize=32"] if large else []
    browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *size])
    browser.reader_width = 360 if large else 320  # type: ignore[attr-defined]
    yield browser
    browser.close()


Look = Callable[..., None]


@pytest.fixture
def look(chromium: Browser, new_page: NewPage) -> Iterator[Any]:
    """A page of that width, and a list of what was lost anywhere, which must stay empty."""
    width = chromium.reader_width  # type: ignore[attr-defined]
    page = new_page(viewport={"width": width, "height": 740})
    found: list[str] = []

    def here() -> None:
        found.extend(f"{page.url}: {each}" for each in lost(page))

    yield page, here
    assert found == []


def test_the_way_in(world: World, look: tuple[Page, Look]) -> None:
    page, here = look
    page.goto(f"{world.portal}/login")
    here()
    for link, field, button in (
        ("#token-link", "#token", "#token-submit"),
        ("#forgotten-link", "#email", "#forgotten-submit"),
    ):
        page.goto(f"{world.portal}/login")
        press(page, link)
        here()
        page.fill(field, "nobody@nowhere.example" if field == "#email" else "AAAA-BBBB")
        press(page, button)
        here()
    page.goto(f"{world.portal}/login")
    page.fill("#username", "nobody")
    page.fill("#password", "certainly wrong")
    press(page, "#login-submit")
    here()
    sign_in(page, world.account("several-children"))
    page.wait_for_selector("#child-list")
    here()
    page.goto(f"{world.other_portal}/coup-de-pouce/login")
    here()
    page.goto(f"{world.provider}/nowhere")
    here()


def test_a_school_whose_contact_has_a_long_name(world: World, look: tuple[Page, Look]) -> None:
    page, here = look
    wanted = world.account("several-children")["children"][0]["school"]
    schools = json.loads(world.run("school", "list", "--json"))
    school = next(each["id"] for each in schools if each["name"] == wanted)
    usual = json.loads(world.run("school", "show", school, "--json"))["contact_name"]
    for name in ("Secretariaat Vrije Basisschool De Wilg – mevrouw Vanderstraeten", "W" * 60):
        world.run("school", "edit", school, "--contact-name", name)
        try:
            page.goto(f"{world.portal}/login")
            assert name in page.inner_text(".footer-contact")
            here()
        finally:
            world.run("school", "edit", school, "--contact-name", usual)


def test_the_account(world: World, look: tuple[Page, Look]) -> None:
    page, here = look
    page.goto(f"{world.provider}/")
    account = world.account("several-children")
    sign_in(page, account)
    for path in ACCOUNT:
        page.goto(f"{world.provider}/account/{path}" if path else f"{world.provider}/")
        here()
    page.goto(f"{world.provider}/account/two-factor")
    press(page, "#two-factor-begin")
    here()
    page.fill("#current-password", account["password"])
    press(page, "#confirm-submit")
    here()
    page.goto(f"{world.provider}/oauth2/logout")
    here()


@pytest.fixture(scope="module")
def cookies() -> list[Any]:
    """What a browser holds in which an operator has signed in: a code is good once in 30 s."""
    return []


def test_the_desk(world: World, look: tuple[Page, Look], cookies: list[Any]) -> None:
    page, here = look
    clerk = next(c for c in world.demo.document["staff"] if c["username"] == OPERATOR)
    page.goto(f"{world.provider}/")
    sign_in(page, clerk)
    here()
    if cookies:
        page.context.add_cookies(cookies)
        page.goto(f"{world.provider}/")
    while page.query_selector("#code"):  # a code that another test has used just now is refused
        page.fill("#code", pyotp.TOTP(clerk["totp_secret"]).at(clock.timestamp()))
        press(page, "#second-factor-submit")
        page.wait_for_timeout(3000 if page.query_selector("#code") else 0)
    cookies[:] = page.context.cookies()
    for path in DESK:
        page.goto(f"{world.provider}/admin/{path}")
        here()
        if path in BEHIND:
            press(page, "#main tbody a")
            here()
