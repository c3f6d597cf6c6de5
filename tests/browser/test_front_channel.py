"""Signing out in a real browser loads the frames of two applications, and of nobody else."""

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Page

from tests import factories, receiver
from tests.browser.conftest import press
from tests.clients.test_authlib_client import issuer
from tests.examples.running import wait_until
from tests.receiver import Receiver
from tests.relying_party import RelyingParty

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def fronts(application: Receiver) -> list[str]:
    """The frames that it was asked for."""
    return [each for each in application.opened if each.startswith("/front")]


@pytest.mark.long
def test_two_applications_are_loaded_each_with_its_own_session(issuer: str, page: Page) -> None:
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    with receiver.running() as first, receiver.running() as second, receiver.running() as third:
        portals = [
            RelyingParty.of(
                school,
                redirect_uris=[f"{each.address}/callback"],
                post_logout_redirect_uris=[],
                frontchannel_logout_uri=f"{each.address}/front",
            )
            for each in (first, second, third)
        ]
        page.goto(f"{issuer}{portals[0].authorize_path()}")
        page.fill("#username", "claire")
        page.fill("#password", factories.PASSWORD)
        press(page, "#login-submit")
        page.wait_for_url(f"{first.address}/**")
        page.goto(f"{issuer}{portals[1].authorize_path()}")
        page.wait_for_url(f"{second.address}/**")

        page.goto(f"{issuer}/oauth2/logout?{urlencode({'client_id': portals[0].client_id})}")
        page.click("button[value=sign-out]")
        page.wait_for_selector("#logged-out")

        assert wait_until(lambda: bool(fronts(first) and fronts(second)))
        assert fronts(third) == []
        frames = fronts(first) + fronts(second)
        assert len({parse_qs(urlsplit(each).query)["sid"][0] for each in frames}) == 2
    assert not [text for text in said if "Content Security Policy" in text]
