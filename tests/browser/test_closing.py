"""The pages of the demo's three applications close by themselves when a guardianship ends; those
about the sibling stay.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewPage, World, sign_in

SOON = 10
"""Seconds, from the school's deed to pages that have closed."""


def portal(browser: Page, home: str, child: str) -> Page:
    """The school's portal, where this browser has signed in."""
    browser.goto(f"{home}/login")
    browser.get_by_role("button", name=child).click()
    expect(browser.locator("#child-name")).to_contain_text(child)
    return browser


def helper(browser: Page, home: str, child: str) -> Page:
    """« Coup de pouce », in another tab: it has to be allowed."""
    page = browser.context.new_page()
    page.goto(f"{home}/coup-de-pouce/login")
    page.get_by_role("button", name=child).click()
    page.click("#consent-allow")
    expect(page.locator("#helper-welcome")).to_contain_text(child)
    return page


@dataclass
class Case:
    """A guardian whom no other test looks at, the child whom they lose, and a sibling."""

    username: str
    child: str
    sibling: str
    applications: dict[str, Callable[[Page, str, str], Page]]
    """Of that school, and how their page is opened."""


TILLEULS = Case("inge.claes", "Maxime", "Clara", {"portal-tilleuls": portal})
MOULIN = Case(
    "katrien.vandenbossche", "Ella", "Lars", {"portal-moulin": portal, "coup-de-pouce": helper}
)


def told(world: World, client_id: str) -> list[str]:
    """What became of telling this application of ended guardianships."""
    deliveries = json.loads(world.run("client", "deliveries", client_id, "--json"))
    return [each["status"] for each in deliveries if each["event"] == "guardianship-ended"]


@pytest.mark.parametrize("case", [TILLEULS, MOULIN], ids=["Les Tilleuls", "Le Moulin"])
def test_every_application_closes_the_childs_page_and_no_other(
    world: World, new_page: NewPage, case: Case
) -> None:
    home = world.portal if case is TILLEULS else world.other_portal
    opened: dict[str, list[Page]] = {}
    for child in (case.child, case.sibling):
        browser = new_page()
        browser.goto(f"{home}/login")
        sign_in(browser, {**world.account("one-child"), "username": case.username})
        ways = case.applications.values()
        opened[child] = [open_page(browser, home, child) for open_page in ways]
    pupils = json.loads(world.run("child", "list", "--json"))
    pupil = next(each["id"] for each in pupils if each["given_name"] == case.child)

    world.run("child", "unlink", pupil, case.username, "--reason", "court")

    ended = monotonic()
    for page in opened[case.child]:
        patience = SOON - (monotonic() - ended)
        closed = page.get_by_role("heading", name="Vous n'avez plus accès à cette page")
        expect(closed).to_be_visible(timeout=1000 * patience)
        expect(page.locator("body")).not_to_contain_text(case.child)
    for page in opened[case.sibling]:
        page.reload()
        expect(page.locator("main")).to_contain_text(case.sibling)
    for client_id in case.applications:
        assert told(world, client_id)[0] == "told"


def test_these_are_all_the_applications_of_the_demo_that_show_a_child(world: World) -> None:
    registered = json.loads(world.run("client", "list", "--json"))
    pages = {each["client_id"] for each in registered} - {"demo-curl"}
    assert pages == {*TILLEULS.applications, *MOULIN.applications}
