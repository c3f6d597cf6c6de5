"""A phone that stays signed in: the next day the portal leads to its page, and no page of ours."""

import re

import pytest
from playwright.sync_api import Page, Response

from idp.sessions import service as sessions
from tests import factories, receiver
from tests.browser.conftest import NewPage, World, check_accessibility, check_width, press
from tests.clients.test_authlib_client import issuer
from tests.relying_party import RelyingParty
from tests.times import later

__all__ = ["issuer"]

SMALL = {"width": 360, "height": 740}
SESSION = "idp_session"
"""A cookie without an age: the phone forgets it as soon as it closes its browser."""


def pages_of(page: Page, address: str) -> list[str]:
    """What this address shows from now on; redirects show nothing."""
    shown: list[str] = []

    def note(response: Response) -> None:
        is_document = response.request.resource_type == "document"
        if is_document and response.url.startswith(address) and response.status == 200:
            shown.append(response.url)

    page.on("response", note)
    return shown


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_next_day_a_phone_goes_from_the_portal_to_its_page_without_one_of_ours(
    issuer: str, new_page: NewPage
) -> None:
    school = factories.school()
    claire, _ = factories.family(school, "Lina", username="claire")
    page = new_page(viewport=SMALL)
    with receiver.running() as portal:
        registered = RelyingParty.of(school, redirect_uris=[f"{portal.address}/callback"])
        begins = f"{issuer}{registered.authorize_path(scope='openid child')}"
        page.goto(begins)
        check_accessibility(page, "sign-in with the box")
        assert not page.is_checked("#stay")
        page.fill("#username", "claire")
        page.fill("#password", factories.PASSWORD)
        page.check("#stay")
        press(page, "#login-submit")
        page.wait_for_url(f"{portal.address}/**")

        for day in (1, 2, 30):
            with later(days=day):
                page.context.clear_cookies(name=SESSION)
                shown = pages_of(page, issuer)
                page.goto(begins)
                page.wait_for_url(f"{portal.address}/callback?code=*")
                assert shown == []
        with later(days=30, minutes=1):
            assert [each.session.acr for each in sessions.listed(claire.id)] == ["0"]
            page.goto(f"{issuer}/account/sessions")
            check_width(page, "the list")
            assert page.locator("#account-sessions li").count() == 1


def test_the_demos_portal_opens_again_after_the_phone_was_off(
    world: World, new_page: NewPage
) -> None:
    account = world.account("one-child")
    page = new_page(viewport=SMALL)
    portal = world.portal_of(account)
    page.goto(portal)
    press(page, "#sign-in")
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    page.check("#stay")
    press(page, "#login-submit")
    page.wait_for_url(f"{portal}/**")

    page.context.clear_cookies(name=SESSION)
    page.context.clear_cookies(name=re.compile("^portal_"))
    page.goto(portal)
    shown = pages_of(page, world.provider)
    page.click("#sign-in")
    page.wait_for_selector("#child-name")
    assert shown == []
