"""Where the tests of the pages begin: a school, its portal, and a parent's browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp import create_app
from idp.database import db
from idp.people.models import Account, School
from idp.settings import Settings
from tests import factories
from tests.relying_party import Browser, RelyingParty


@dataclass
class Place:
    """A school with its portal, a parent of two, and the parent's browser."""

    app: Flask
    school: School
    portal: RelyingParty
    parent: Account
    browser: Browser

    def another_browser(self, **options: bool) -> Browser:
        return Browser(self.app.test_client(**options))

    def speaks(self, languages: str) -> None:
        """Give the browser these languages (``Accept-Language``)."""
        self.browser.client.environ_base["HTTP_ACCEPT_LANGUAGE"] = languages

    def at_sign_in(self, **parameters: str | None) -> TestResponse:
        """The portal sends the browser to the sign-in page."""
        return self.browser.open(self.portal.authorize_path(**parameters))

    def interaction(self) -> str:
        """The address of the interaction that is open in the browser."""
        assert self.browser.page is not None
        return "/".join(self.browser.page.request.path.split("/")[:3])


def place(app: Flask, **school: str) -> Place:
    """A place of its own for a test."""
    made = factories.school(**school)
    parent, _children = factories.family(
        made, "Lina", "Noé", username="claire", email="claire@example.org"
    )
    portal = RelyingParty.of(made, client_name="Portail", client_uri="https://portal.example/")
    return Place(app, made, portal, parent, Browser(app.test_client()))


@contextmanager
def provider(settings: Settings) -> Iterator[FlaskClient]:
    """A browser at another provider, whose database connections are closed afterwards."""
    app = create_app(settings)
    try:
        yield app.test_client()
    finally:
        with app.app_context():
            db.engine.dispose()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.title = ""
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_title = tag == "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False


def elements(page: TestResponse) -> list[tuple[str, dict[str, str | None]]]:
    """Every element of a page with its attributes."""
    reader = _Reader()
    reader.feed(page.text)
    return reader.elements


def element(page: TestResponse, element_id: str) -> dict[str, str | None]:
    """The attributes of the element of this id."""
    found = [
        attributes for _tag, attributes in elements(page) if attributes.get("id") == element_id
    ]
    assert len(found) == 1, f"{len(found)} elements {element_id} in {page.text[:3000]}"
    return found[0]


def title(page: TestResponse) -> str:
    """What stands in the window's title."""
    reader = _Reader()
    reader.feed(page.text)
    return " ".join(reader.title.split())
