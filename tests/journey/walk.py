"""What a parent does: reads mail, follows its link, types a token, chooses a password."""

import re
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from idp.database import db
from idp.mail import delivery
from idp.people.models import School
from tests import factories
from tests.relying_party import Browser, RelyingParty, form_of
from tests.smtp import Letter, MailServer

NEW = "Brouette-Citadelle-Orage-9"
_LINK = re.compile(r"http://127\.0\.0\.1:8000/welcome#(\S+)")


@dataclass
class Journey:
    """A school, its portal, and the post that reaches its parents."""

    app: Flask
    school: School
    portal: RelyingParty
    mail_server: MailServer

    def browser(self, **options: bool) -> Browser:
        """A browser that was never here."""
        return Browser(self.app.test_client(**options))

    def at_portal(self, **parameters: str | None) -> Browser:
        """A new browser that the portal has just sent to us."""
        browser = self.browser()
        browser.open(self.portal.authorize_path(state="from-the-portal", **parameters))
        return browser

    def post(self) -> list[Letter]:
        """What the postman brings: all letters since the last time."""
        before = len(self.mail_server.letters)
        db.session.rollback()  # what the test looked at is not what the worker finds
        delivery.deliver_due()
        db.session.rollback()
        return self.mail_server.letters[before:]

    def letter(self) -> Letter:
        """The one letter that the postman brings."""
        (letter,) = self.post()
        return letter


def journey(app: Flask, mail_server: MailServer) -> Journey:
    school = factories.school()
    portal = RelyingParty.of(
        school, client_name="Portail", initiate_login_uri="https://portal.example/start"
    )
    return Journey(app, school, portal, mail_server)


def link(letter: Letter) -> str:
    """The path that the letter's link opens, in a browser that runs the page's script.

    Here the address of older letters takes the script's place: it fills the field in as well.
    """
    found = _LINK.search(letter.text)
    assert found is not None, letter.text
    return f"/welcome?token={found[1]}"


def typed(browser: Browser, name: str) -> str:
    """What stands in a field of the page that is open."""
    found = re.search(rf'name="{name}"[^>]*?value="([^"]*)"', page_of(browser), re.DOTALL)
    assert found is not None, page_of(browser)
    return found[1]


def page_of(browser: Browser) -> str:
    assert browser.page is not None
    return browser.page.text


def path_of(browser: Browser) -> str:
    assert browser.page is not None
    return browser.page.request.path


def choose_password(browser: Browser, password: str = NEW) -> TestResponse:
    return browser.submit("password-form", new_password=password, repeat_password=password)


def follow_the_letter(browser: Browser, letter: Letter, password: str = NEW) -> TestResponse:
    """From the letter's link to the end of the walk."""
    browser.open(link(letter))
    browser.submit("token-form", token=typed(browser, "token"))
    return choose_password(browser, password)


def form_as_sent(browser: Browser, form_id: str, **fields: str) -> tuple[str, dict[str, str]]:
    """Where a form of the open page goes, and all that it sends."""
    action, hidden = form_of(page_of(browser), form_id)
    return action or path_of(browser), {**hidden, **fields}


def send_twice(browser: Browser, form_id: str, **fields: str) -> TestResponse:
    """A double click: both are sent before the first answer is shown."""
    action, data = form_as_sent(browser, form_id, **fields)
    browser.client.post(action, data=data)
    browser.page = browser._follow(browser.client.post(action, data=data))
    return browser.page


def signed_in_as(browser: Browser, username: str) -> bool:
    page: Any = browser.open("/")
    return browser.shows("sign-out") and username in page.text
