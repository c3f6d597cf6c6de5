"""A parent's browser with scripts: Chromium, by Playwright, where both are installed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Any, Final

from playwright.sync_api import BrowserType, Error, sync_playwright

from idp.certify.pages import Form, Page
from idp.certify.robot import Unreachable

LONGEST: Final = 20.0
"""Seconds: what goes on for longer is read as it is then."""
PAUSE: Final = 0.1
"""Between two looks."""
STILL: Final = 0.5
"""Without a request, another address or other content: then a page is there."""
STILL_FOR_GOOD: Final = 2.0
"""The same where something else was waited for: scripts may rest between two steps."""
FEWEST_LOOKS: Final = 4
"""However long one takes: a computer that is busy is no page that is still."""
SLOW: Final = 10.0
"""A request that is not answered by then is one that the server keeps open."""
_GOES_ON: Final = ("leaving", "form-post")
"""The provider's pages that go on by themselves."""
_KEPT_OPEN: Final = frozenset({"eventsource", "websocket", "media", "ping"})
_SEND_TO: Final = "([number, address]) => { document.forms[number].action = address }"
_IDLE: Final = """() => new Promise((done) => {
  const say = () => done(document.readyState === 'complete')
  window.requestIdleCallback ? requestIdleCallback(say, { timeout: 2000 }) : setTimeout(say, 50)
})"""
"""Answers once the page's scripts have nothing to do."""


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
        self._tab.set_default_timeout(LONGEST * 1000)
        self._status = 0
        self._loading: dict[Any, float] = {}
        self._tab.on("request", self._begun)
        self._tab.on("response", self._note)
        for end in ("requestfinished", "requestfailed"):
            self._tab.on(end, lambda request: self._loading.pop(request, None))
        self.page = Page("about:blank", 0, "")

    def open(self, address: str) -> Page:
        with suppress(Error):  # a page that goes on while it is opened
            self._tab.goto(address, wait_until="load")
        if self._tab.url.startswith("chrome-error:"):
            raise Unreachable(f"{address} does not answer")
        return self._settled()

    def press(self, button_id: str, **fields: str) -> Page:
        form = f"form:has([id='{button_id}'])"
        with _done_or_unreachable(f"the form of {button_id}"):
            for name, value in fields.items():
                self._tab.fill(f"{form} [name='{name}']", value)
        return self._click(f"[id='{button_id}']")

    def send(self, form: Form) -> Page:
        forms = [replace(each, action=form.action) for each in self.page.forms]
        number = forms.index(form)
        if self.page.forms[number] != form:
            self._tab.evaluate(_SEND_TO, [number, form.action])
        return self._click(f"form >> nth={number} >> button, input[type=submit] >> nth=0")

    def click(self, element_id: str) -> Page:
        return self._click(f"[id='{element_id}']")

    def another_tab(self) -> "ChromiumBrowser":
        return ChromiumBrowser(self._context)

    def close(self) -> None:
        self._context.close()

    def wait_until(self, met: Callable[[Page], bool]) -> Page:
        return self.page if met(self.page) else self._settled(met)

    def _click(self, selector: str) -> Page:
        with _done_or_unreachable(selector):
            self._tab.click(selector)
        return self._settled()

    def _settled(self, met: Callable[[Page], bool] = lambda _page: True) -> Page:
        """Look until nothing moves: « loaded » says little of a page that is made by scripts.

        They fetch, compute, fetch again, and leave for another address.
        """
        end = monotonic() + LONGEST
        before, since, looks = None, monotonic(), 0
        while monotonic() < end:
            self._tab.wait_for_timeout(PAUSE * 1000)
            seen = self._seen()
            if seen is None or seen != before:
                before, since, looks = seen, monotonic(), 0
                continue
            looks, still = looks + 1, monotonic() - since
            enough = STILL if met(seen) else STILL_FOR_GOOD
            if looks >= FEWEST_LOOKS and still >= enough:
                break
        with _done_or_unreachable(self._tab.url):
            self.page = before or self._as_it_is()
        return self.page

    def _seen(self) -> Page | None:
        """The page, where it is one that stays; None while it loads, leaves or computes."""
        slow = monotonic() - SLOW
        if any(begun > slow for begun in self._loading.values()):
            return None
        try:
            if not self._tab.evaluate(_IDLE):
                return None
            page = self._as_it_is()
        except Error:  # it left in between
            return None
        return None if any(map(page.shows, _GOES_ON)) else page

    def _as_it_is(self) -> Page:
        return Page(self._tab.url, self._status, self._tab.content())

    def _begun(self, request: Any) -> None:
        if request.resource_type not in _KEPT_OPEN:
            self._loading[request] = monotonic()

    def _note(self, response: Any) -> None:
        """The status of the page itself, not of what it loads."""
        request = response.request
        if request.is_navigation_request() and request.frame == self._tab.main_frame:
            self._status = response.status


@contextmanager
def _done_or_unreachable(what: str) -> Iterator[None]:
    """What no hand could press is no reason to end the whole run."""
    try:
        yield
    except Error as error:
        raise Unreachable(f"{what}: {error.message.splitlines()[0]}") from error
