"""A parent's browser without scripts: cookies, redirects, forms, and pages that go on."""

from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Protocol
from urllib.parse import urljoin, urlsplit

import requests

from idp.certify.pages import Form, Page

MOST_STEPS: Final = 20
TIMEOUT: Final = 30
_SENDS_AGAIN: Final = frozenset({307, 308})


class Unreachable(Exception):
    """Nothing answered at an address, or nothing that a browser could show."""


class Browser(Protocol):
    """What the robot does with one tab. Each returns the page where that ended."""

    @property
    def page(self) -> Page: ...

    def open(self, address: str) -> Page:
        """Type an address."""
        ...

    def press(self, button_id: str, **fields: str) -> Page:
        """Fill in the fields of a button's form, and press the button."""
        ...

    def send(self, form: Form) -> Page:
        """Press the first button of a form."""
        ...

    def click(self, element_id: str) -> Page:
        """Press a link or a button."""
        ...

    def another_tab(self) -> "Browser":
        """A tab that shares the cookies."""
        ...

    def wait_until(self, met: Callable[[Page], bool]) -> Page:
        """Give the page's scripts time until it is so; not for ever."""
        ...

    def close(self) -> None: ...


class HttpBrowser:
    """The robot's own browser: enough for whatever answers with pages."""

    def __init__(self, session: requests.Session | None = None) -> None:
        self._http = session or _session()
        self.page = Page("about:blank", 0, "")

    def open(self, address: str) -> Page:
        return self._go("GET", address)

    def press(self, button_id: str, **fields: str) -> Page:
        match = self.page.form_of_button(button_id)
        if match is None:
            raise Unreachable(f"no button {button_id} at {self.page.address}")
        form, name, value = match
        return self._send(form, {**({name: value} if name else {}), **fields})

    def send(self, form: Form) -> Page:
        pressed = next(((name, value) for _id, name, value in form.buttons if name), None)
        return self._send(form, dict([pressed]) if pressed else {})

    def click(self, element_id: str) -> Page:
        link = self.page.link_of(element_id)
        if link:
            return self.open(link)
        if self.page.form_of_button(element_id):
            return self.press(element_id)
        raise Unreachable(
            f"no link or form has #{element_id} at {self.page.address}; --browser runs its scripts"
        )

    def another_tab(self) -> "HttpBrowser":
        return HttpBrowser(self._http)

    def wait_until(self, met: Callable[[Page], bool]) -> Page:
        return self.page  # without scripts nothing changes by itself

    def close(self) -> None:
        self._http.close()

    def _send(self, form: Form, more: dict[str, str]) -> Page:
        address = urljoin(self.page.address, form.action or self.page.address)
        return self._go(form.method.upper(), address, {**form.fields, **more})

    def _go(self, method: str, address: str, data: dict[str, str] | None = None) -> Page:
        for _ in range(MOST_STEPS):
            response = self._ask(method, address, data)
            location = response.headers.get("Location")
            if response.is_redirect and location:
                address = urljoin(address, location)
                if response.status_code not in _SENDS_AGAIN:
                    method, data = "GET", None
                continue
            self.page = Page(address, response.status_code, _text(response))
            if self.page.onward:
                method, address, data = "GET", self.page.onward, None
            elif posted := next((each for each in self.page.forms if each.id == "form-post"), None):
                method, address, data = "POST", posted.action, posted.fields
            else:
                return self.page
        raise Unreachable(f"{address} leads on and on")

    def _ask(self, method: str, address: str, data: dict[str, str] | None) -> requests.Response:
        sent: dict[str, Any] = {"params" if method == "GET" else "data": data}
        if urlsplit(address).scheme not in {"http", "https"}:
            raise Unreachable(f"{address} is no address of a page")
        try:
            return self._http.request(
                method, address, timeout=TIMEOUT, allow_redirects=False, **sent
            )
        except requests.RequestException as error:
            raise Unreachable(f"{address} does not answer ({type(error).__name__})") from error


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy between us and this computer
    session.headers["User-Agent"] = "idp certify"
    session.headers["Accept"] = "text/html,application/xhtml+xml,*/*;q=0.8"
    session.headers["Accept-Language"] = "fr"
    # Browsers take this computer for a secure place without TLS, too (Secure Contexts §3.1)
    session.cookies.set_policy(DefaultCookiePolicy(secure_protocols=("https", "http")))
    return session


def _text(response: requests.Response) -> str:
    kind = response.headers.get("Content-Type", "")
    if "charset" not in kind.lower():
        response.encoding = "utf-8"
    return response.text if "text" in kind or "json" in kind or "xml" in kind else ""
