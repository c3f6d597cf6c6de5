"""The form of an application as a browser sends it: with what is ticked and typed already."""

from html.parser import HTMLParser
from io import BytesIO

from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from idp.clients.models import Client
from tests.admin.places import Desk
from tests.relying_party import Browser

LIST = "/admin/applications"


class _Controls(HTMLParser):
    """The successful controls of one form (HTML Standard, « constructing the entry list »)."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._wanted = form_id
        self._inside = False
        self._area: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("id") == self._wanted
        if tag == "option" and self._inside and self._select:
            self._choose(self._select, given)
        if not self._inside or "name" not in given:
            return
        if tag == "select":
            self._select = given["name"]
        if tag == "textarea":
            self._area = given["name"]
            self.found.append((self._area, ""))
        kind = given.get("type", "text")
        unticked = kind in {"radio", "checkbox"} and "checked" not in given
        if tag == "input" and kind != "file" and not unticked:
            self.found.append((given["name"], given.get("value", "on")))

    def _choose(self, name: str, given: dict[str, str]) -> None:
        """An option that is selected, or the first one until another is."""
        if self.found and self.found[-1][0] == name:
            if "selected" not in given:
                return
            self.found.pop()
        self.found.append((name, given.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._area:
            name, before = self.found[-1]
            self.found[-1] = (name, before + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = None
        if tag == "select":
            self._select = None
        if tag == "form":
            self._inside = False


def controls(page: TestResponse, form_id: str = "client-form") -> MultiDict[str, str]:
    """What a browser would send, if nothing were touched."""
    reader = _Controls(form_id)
    reader.feed(page.text)
    assert reader.found, page.text[:2000]
    return MultiDict((name, value.removeprefix("\n")) for name, value in reader.found)


def send(browser: Browser, **changes: str | list[str] | None) -> TestResponse:
    """Send the form that is open with some fields changed; None unticks a box."""
    assert browser.page is not None
    values = controls(browser.page)
    file = changes.pop("jwks_file", None)
    for name, value in changes.items():
        values.setlist(name, [] if value is None else [value] if isinstance(value, str) else value)
    data: dict[str, object] = {name: values.getlist(name) for name in values}
    if isinstance(file, str):
        data["jwks_file"] = (BytesIO(file.encode()), "keys.pem")
    response = browser.client.post(
        browser.page.request.path, data=data, content_type="multipart/form-data"
    )
    browser.page = browser._follow(response)
    return browser.page


def register(desk: Desk, browser: Browser, **changes: str | list[str] | None) -> TestResponse:
    """Register an application with no more than a name, a school and an address."""
    browser.open(f"{LIST}/new")
    least = {
        "client_name": "Devoirs",
        "schools": desk.here.id,
        "redirect_uris": "https://app.example/callback",
    }
    return send(browser, **{**least, **changes})


def edit(browser: Browser, client: Client, **changes: str | list[str] | None) -> TestResponse:
    """Open an application's form and send it with some fields changed."""
    browser.open(f"{LIST}/{client.id}/edit")
    return send(browser, **changes)
