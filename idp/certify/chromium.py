"""A parent's browser with scripts: Chromium, by Playwright, where both are installed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from playwright.sync_api import BrowserType, Error, sync_playwright

from idp.certify.pages import Form, Page
from idp.certify.robot import Unreachable

QUIET: Final = 3_000
"""Milliseconds that a page may go on loading after it is there."""
LONGEST: Final = 20_000
_GOES_ON: Final = "#leaving, #form-post"
"""The provider's pages that go on by themselves."""


@contextmanager
def browsers() -> Iterator[Callable[[], "ChromiumBrowser"]]:
    """What opens a new browser, as if on another computer each time."""
    try:
        with sync_playwright() as playwright:
            chromium = _launched(playwright.chromium)
            try:
                yield lambda: ChromiumBrowser(chromium.new_context(locale="fr"))
            finally:
                chromium.close()
    except Error as error:
        raise Unreachable(f"Chromium: {error.message.splitlines()[0]}") from error


def _launched(kind: BrowserType) -> Any:
    """Playwright's own Chromium, or else the system's."""
    try:
        return kind.launch()
    except Error:
        executable = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
        if executable is None:
            raise
        return kind.launch(executable_path=executable)


class ChromiumBrowser:
    """One tab."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._tab = context.new_page()
        self._tab.set_default_timeout(LONGEST)
        self._status = 0
        self._tab.on("response", self._note)
        self.page = Page("about:blank", 0, "")

    def open(self, address: str) -> Page:
        with suppress(Error):  # a page that goes on while it is opened
            self._tab.goto(address, wait_until="load")
        return self._settled()

    def press(self, button_id: str, **fields: str) -> Page:
        form = f"form:has([id='{button_id}'])"
        for name, value in fields.items():
            self._tab.fill(f"{form} [name='{name}']", value)
        return self._click(f"[id='{button_id}']")

    def send(self, form: Form) -> Page:
        number = self.page.forms.index(form)
        return self._click(f"form >> nth={number} >> button, input[type=submit] >> nth=0")

    def another_tab(self) -> "ChromiumBrowser":
        return ChromiumBrowser(self._context)

    def close(self) -> None:
        self._context.close()

    def _click(self, selector: str) -> Page:
        with self._tab.expect_navigation(wait_until="load", timeout=LONGEST):
            self._tab.click(selector)
        return self._settled()

    def _settled(self) -> Page:
        with suppress(Error):
            self._tab.wait_for_load_state("networkidle", timeout=QUIET)
        with suppress(Error):
            self._tab.wait_for_selector(_GOES_ON, state="detached", timeout=QUIET)
            self._tab.wait_for_load_state("networkidle", timeout=QUIET)
        self.page = Page(self._tab.url, self._status, self._tab.content())
        return self.page

    def _note(self, response: Any) -> None:
        """The status of the page itself, not of what it loads."""
        request = response.request
        if request.is_navigation_request() and request.frame == self._tab.main_frame:
            self._status = response.status
