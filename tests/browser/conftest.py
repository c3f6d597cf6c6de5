"""A real browser before the real processes of the demo."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from zlib import crc32

import pytest
import requests
from axe_playwright_python.base import AxeResults
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    ViewportSize,
    sync_playwright,
)

from tests import databases, postgres
from tests.cli.conftest import output_of
from tests.examples.running import Demo, running_demo, wait_until

PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
WHOLE = ("chromium", "google-chrome")
"""With windows, preferences and all."""
BROWSERS = ("chromium-headless-shell", *WHOLE)
"""The shell draws, scripts and answers as Chromium does, without windows around its pages: a new
page takes a third of the time.
"""
Looks = tuple[tuple[ViewportSize, Literal["light", "dark"]], ...]
EVERY_LOOK: Looks = (
    (PHONE, "light"),
    (DESKTOP, "dark"),
    (PHONE, "dark"),
    (DESKTOP, "light"),
)
in_its_look = pytest.mark.parametrize(
    "quick",
    [
        pytest.param(True, id="each page once"),
        pytest.param(False, id="every look", marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
"""For many pages in a row, whose looks are minutes of axe-core: a quick run sees one page on a
phone and the next on a desktop, a long one sees each on both devices and in both schemes.
"""
in_each_language = pytest.mark.parametrize(
    "language",
    [
        "fr-BE",
        "de-DE",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("nl-BE", "en-GB")),
    ],
)
"""For widths: German has the longest words and French the longest sentences."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PARTITIONS = "ThirdPartyStoragePartitioning"


@dataclass
class World:
    """The running demo, and ways to look into its mailbox."""

    demo: Demo

    @property
    def provider(self) -> str:
        return str(self.demo.document["issuer"])

    @property
    def portal(self) -> str:
        return str(self.demo.document["portals"][0]["url"])

    @property
    def other_portal(self) -> str:
        return str(self.demo.document["portals"][1]["url"])

    def portal_of(self, account: dict[str, Any]) -> str:
        """The portal of the school of this guardian's first child."""
        school = account["children"][0]["school"]
        portals: list[dict[str, str]] = self.demo.document["portals"]
        return next(portal["url"] for portal in portals if portal["school"] == school)

    def account(self, case: str) -> dict[str, Any]:
        return self.demo.account(case)

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the provider's command line on the demo's data; what it prints."""
        settings = str(self.demo.folder / "demo.env")
        return output_of({}, "--env-file", settings, *arguments, stdin=stdin)

    def mails_to(self, address: str) -> list[dict[str, Any]]:
        mails = requests.get(f"{self.portal}/mailbox.json", timeout=10).json()
        return [mail for mail in mails if address in mail["to"]]

    def next_mail_to(self, address: str, already: int) -> dict[str, Any]:
        """The newest mail once there are more than ``already``."""
        assert wait_until(lambda: len(self.mails_to(address)) > already), "no mail came"
        return self.mails_to(address)[-1]

    def mail_saying(self, address: str, words: str) -> dict[str, Any]:
        """The newest mail with these words, once there is one."""

        def found() -> list[dict[str, Any]]:
            return [mail for mail in self.mails_to(address) if words in mail["text"]]

        assert wait_until(lambda: bool(found())), f"no mail says {words}"
        return found()[-1]

    def token_in(self, mail: dict[str, Any]) -> str:
        found = re.search(r"\b(?:[0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}\b", mail["text"])
        assert found, mail["text"]
        return found[0]

    def link_in(self, mail: dict[str, Any]) -> str:
        found = re.search(r"https?://\S+/welcome#\S+", mail["text"])
        assert found, mail["text"]
        return found[0]


@pytest.fixture(scope="session")
def world(demo: Demo) -> World:
    """The demo, on SQLite."""
    return World(demo)


@pytest.fixture
def world_on_postgresql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Four processes of which the provider's keep their state in PostgreSQL."""
    url = postgres.create_database(databases.postgresql_cluster(), "demo")
    monkeypatch.setenv("DEMO_DATABASE_URL", url)
    with running_demo(tmp_path / "demo") as demo:
        yield World(demo)
    postgres.drop_database(databases.postgresql_cluster(), "demo")


def chromium_path(names: tuple[str, ...] = BROWSERS) -> str:
    """The first of these programs; the test is skipped where there is none."""
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("Chromium is not installed and may not be installed here")
    return path


def as_parents_have_it(path: str, folder: Path) -> str:
    """A program that starts this browser with storage of its own for a frame of another site,
    which Playwright switches off (microsoft/playwright#32230); no other argument can undo that.
    """
    program = folder / "chromium"
    program.write_text(f"""#!/bin/bash\nexec {path} "${{@/{PARTITIONS},/}}"\n""")
    program.chmod(0o755)
    return str(program)


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Its event loop must not outlive this folder: other tests have loops of their own."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, for all files of this folder: each test has contexts of its own."""
    program = as_parents_have_it(chromium_path(), tmp_path_factory.mktemp("chromium"))
    browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
    yield browser
    browser.close()


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[NewPage]:
    """Opens a page in a browser of its own: no cookies of any other."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = chromium.new_context(**{"viewport": PHONE, "locale": "fr-BE", **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: NewPage) -> Page:
    return new_page()


def sign_in(page: Page, account: dict[str, Any]) -> None:
    """Fill in and send the sign-in page."""
    page.fill("#username", account["username"])
    page.fill("#password", account["password"])
    press(page, "#login-submit")


def press(page: Page, selector: str) -> None:
    """Click what leads to another page, and wait until that page stands."""
    with page.expect_navigation():
        page.click(selector)
    page.wait_for_selector("#leaving", state="detached")  # a page that goes on by itself


def place_of(page: Page) -> str:
    """The address in the browser's bar, without its query."""
    parts = urlsplit(page.url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def check_accessibility(page: Page, where: str, quick: bool = False) -> None:
    """axe-core finds nothing on a phone and on a desktop, in both colour schemes, and nothing
    sticks out sideways; the page is then as it was. ``quick``: in one of these, by its name."""
    axe, before = Axe(), page.viewport_size
    looks = (EVERY_LOOK[crc32(where.encode()) % 2],) if quick else EVERY_LOOK
    page.evaluate(axe.axe_script)
    for viewport, scheme in looks:
        page.set_viewport_size(viewport)
        check_width(page, where)
        page.emulate_media(color_scheme=scheme)
        found = AxeResults(page.evaluate("axe.run({resultTypes: ['violations']})"))
        output_of = f"{where}, {viewport['width']} px, {scheme}: {found.generate_report()}"
        assert found.violations_count == 0, output_of
    page.emulate_media(color_scheme="light")
    assert before is not None
    page.set_viewport_size(before)


def check_width(page: Page, where: str) -> None:
    """Nothing sticks out sideways."""
    sideways = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert sideways <= 0, f"{where} is {sideways} px too wide"
