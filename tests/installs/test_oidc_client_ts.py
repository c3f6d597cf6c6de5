"""oidc-client-ts in Chromium, as docs/integrate/ prints it: an application without a server."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from idp.lifecycle import endings
from idp.people.models import Account, Child
from tests import factories
from tests.browser.conftest import NewPage, chromium, new_page, playwright
from tests.clients.documented import free_port, started
from tests.factories import PASSWORD
from tests.installs import walk as walks
from tests.installs.program import MAILBOX, is_certified, issuer
from tests.installs.stacks import node_with, printed, registered_as_printed

__all__ = ["chromium", "issuer", "new_page", "playwright"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(300),  # a registry is another's machine
]

PAGE = "oidc-client-ts"
FILES = ("index.html", "app.js", "signed-out.html")
SERVE = [sys.executable, "-m", "http.server", "PORT", "--bind", "127.0.0.1"]


@dataclass
class Site:
    """The printed application, served as files, and two parents of one mailbox."""

    home: str
    issuer: str
    client_id: str
    claire: tuple[Account, list[Child]]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page's command installs."""
    folder: Path = tmp_path_factory.mktemp("modules")
    node_with(folder, PAGE)
    return folder / "node_modules"


@pytest.fixture
def site(issuer: str, modules: Path, tmp_path: Path) -> Iterator[Site]:
    """Of the provider's own site: a port says nothing of that."""
    with served(issuer, modules, tmp_path, "127.0.0.1") as running:
        yield running


@contextmanager
def served(issuer: str, modules: Path, folder: Path, host: str) -> Iterator[Site]:
    port = free_port()
    home = f"http://{host}:{port}"
    school = factories.school()
    claire = factories.family(school, "Lina", "Noé", username="claire", email=MAILBOX)
    factories.family(school, "Lina", username="paul", given_name="Paul", email=MAILBOX)
    made = registered_as_printed(PAGE, school.id, home)
    write_files(folder, modules, issuer, made["CLIENT_ID"])
    with started([each.replace("PORT", str(port)) for each in SERVE], folder, port, {}):
        yield Site(f"{home}/", issuer, made["CLIENT_ID"], claire)


def write_files(folder: Path, modules: Path, issuer: str, client_id: str) -> None:
    for name in FILES:
        (folder / name).write_text(printed(PAGE, name))
    settings = printed(PAGE, "settings.js").replace("https://id.example", issuer)
    (folder / "settings.js").write_text(settings.replace("app_…", client_id))
    (folder / "node_modules").symlink_to(modules)


def signs_in(page: Page, username: str, *, child: bool = False) -> None:
    """Fill in the provider's pages; ``child``: there are several, and the first is chosen."""
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("#login-submit")
    if child:
        page.click("#child-submit-1")
    page.click("#consent-allow")


def says(page: Page, text: str) -> None:
    expect(page.locator("#said")).to_contain_text(text, timeout=20_000)


def key(page: Page) -> str:
    found = re.search(r"\((\S+)\)", page.locator("#said").inner_text())
    assert found
    return found[1]


def test_it_goes_the_whole_walk_by_redirect(site: Site, new_page: NewPage) -> None:
    page, other = new_page(), new_page()
    with walks.walking("oidc-client-ts") as walk:
        for each, username in ((page, "claire"), (other, "paul")):
            each.goto(site.home)
            each.click("#redirect")
            signs_in(each, username, child=username == "claire")
        says(page, "Hello Claire Dubois")
        says(other, "Hello Paul Dubois")
        assert key(page) != key(other), "two of one mailbox are two"
        walk("sign-in")
        walk("UserInfo")  # their names stand there alone
        says(page, "this is about Lina")
        page.click("#another")
        page.click("#child-submit-2")
        page.click("#consent-allow")
        says(page, "this is about Noé")
        walk("child")

        before = walks.refreshed(site.client_id)
        page.click("#renew")
        until(page, lambda: walks.refreshed(site.client_id) > before)
        says(page, "this is about Noé")
        walk("refresh")

        # The page shows that nobody is signed in before it goes to the provider, and comes back
        with other.expect_response(lambda response: response.url.partition("?")[0] == site.home):
            other.click("#out")
        expect(other.locator("#redirect")).to_be_visible()
        other.goto(f"{site.issuer}/")
        expect(other.locator("#login-form")).to_be_visible()
        walk("logout")


@pytest.mark.timeout(900)
def test_it_is_certified(modules: Path, tmp_path: Path, database_url: str) -> None:
    """In Chromium, whatever a browser can see."""

    def prepare(more: dict[str, str]) -> None:
        write_files(tmp_path, modules, more["ISSUER"], more["CLIENT_ID"])

    ways = ["--browser", "--login", "#redirect", "--switch", "#another", "--logout", "#out"]
    is_certified("oidc-client-ts", PAGE, tmp_path, SERVE, ways=ways, prepare=prepare)


def test_it_signs_in_by_a_popup(site: Site, new_page: NewPage) -> None:
    page = new_page()
    page.goto(site.home)
    with page.expect_popup() as opened:
        page.click("#popup")
    signs_in(opened.value, "claire", child=True)

    says(page, "Hello Claire Dubois")
    until(page, opened.value.is_closed)


def test_it_closes_with_the_guardianship(site: Site, new_page: NewPage) -> None:
    page = opened_at(site, new_page)

    guardian, children = site.claire
    endings.end_guardianship(guardian.id, children[0].id, "court")

    says(page, "You are signed out")  # by the renewal that comes by itself


def test_the_front_channel_reaches_a_page_of_the_same_site(site: Site, new_page: NewPage) -> None:
    page = opened_at(site, new_page)

    signs_out_at_the_provider(page, site)

    says(page, "You are signed out")


def test_a_renewal_that_is_under_way_brings_nobody_back(site: Site, new_page: NewPage) -> None:
    page = opened_at(site, new_page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/oauth2/token", hold)
    until(page, lambda: bool(held))  # it renews by itself

    signs_out_at_the_provider(page, site)
    says(page, "You are signed out")
    with page.expect_response("**/oauth2/token") as renewed:
        held[0].continue_()

    assert renewed.value.ok, "offline_access outlives the session"
    page.wait_for_timeout(1500)
    says(page, "You are signed out")
    assert (
        page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('oidc.user'))") == []
    )


def test_the_front_channel_does_not_reach_a_page_of_another_site(
    issuer: str, modules: Path, tmp_path: Path, new_page: NewPage
) -> None:
    """What the page says of it: once this fails, it may promise more."""
    with served(issuer, modules, tmp_path, "localhost") as site:
        page = opened_at(site, new_page)

        signs_out_at_the_provider(page, site)
        page.wait_for_timeout(1500)

        says(page, "this is about Lina")


def opened_at(site: Site, new_page: NewPage) -> Page:
    page = new_page()
    page.goto(site.home)
    page.click("#redirect")
    signs_in(page, "claire", child=True)
    says(page, "this is about Lina")
    return page


def signs_out_at_the_provider(page: Page, site: Site) -> None:
    """In another tab, until the page there has loaded the application's frame."""
    provider = page.context.new_page()
    provider.goto(f"{site.issuer}/")
    with provider.expect_response(lambda response: "/signed-out.html" in response.url):
        provider.click("#sign-out")


def until(page: Page, condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("waited in vain")
