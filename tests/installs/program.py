"""Whole programs that docs/integrate/ prints: each shows the same page, so that all go one walk."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from idp.certify import application
from idp.certify.provider import CLIENT_ID, CLIENT_SECRET
from idp.clients.certification import FAILED, UNTOLD
from idp.lifecycle import endings
from idp.people.models import Account, Child, School
from tests import factories
from tests.certify.test_command import certify
from tests.clients.documented import Application, free_port, started
from tests.clients.test_authlib_client import listening
from tests.installs import walk as walks
from tests.installs.stacks import printed, registered_as_printed

NAMES = {"claire": "Claire", "paul": "Paul", "sans": "Sans"}
MAILBOX = "famille@dubois.example"


@pytest.fixture
def issuer(database_url: str, keys_folder: Any) -> Iterator[str]:
    """A provider whose access tokens live so briefly that each page renews them."""
    brief = timedelta(seconds=45)
    with listening(database_url, keys_folder, access_token_lifetime=brief) as address:
        yield address


@dataclass
class Program:
    """A printed program that runs, and the parents who come to it."""

    home: str
    issuer: str
    client_id: str
    families: dict[str, tuple[Account, list[Child]]]
    login: str = "/login"
    another: str = "/switch"
    """Where a parent asks for another child, or says « I am another person »."""
    browsers: dict[str, Application] = field(default_factory=dict)

    def page(self, username: str) -> str:
        """What a parent's browser shows there."""
        return self.browsers[username].open(self.home)

    def is_in(self, username: str) -> bool:
        return f"Hello {NAMES[username]} Dubois" in self.page(username)

    def key(self, username: str) -> str:
        """What this program keeps a parent by."""
        page = self.page(username)
        found = re.search(r"Your key here is <code>([^<]+)</code>", page)
        assert found, page
        return found[1]

    def signs_in(self, username: str) -> None:
        self.browsers[username] = Application(self.home, requests.Session())
        self.begins(username, self.login)
        walks.signs_in(self.browsers[username], username)

    def is_about(self, username: str, child: str) -> bool:
        return f"this is about {child}" in unescape(self.page(username))

    def thinks_better_of_another(self, username: str) -> None:
        """Ask for another child, and cancel."""
        self.begins(username, self.another)
        self.browsers[username].cancel()

    def switches_to(self, username: str, child: str) -> None:
        """Ask for another child, and choose this one."""
        self.begins(username, self.another)
        browser = self.browsers[username]
        assert walks.shows(browser, "another-person-form")
        walks.chooses(browser, child)

    def becomes(self, username: str, other: str) -> None:
        """In the browser of one, the other says « I am another person »."""
        self.begins(username, self.another)
        browser = self.browsers[other] = self.browsers.pop(username)
        browser.send(next(each for each in browser.forms() if each.id == "another-person-form"))
        walks.signs_in(browser, other)

    def begins(self, username: str, path: str) -> None:
        """Open this address, or press the button of the program's page that leads there."""
        browser = self.browsers[username]
        self.page(username)
        button = next((each for each in browser.forms() if each.action == path), None)
        if button:
            browser.send(button)
        else:
            browser.open(path)
        for form in browser.forms():
            if form.action.endswith("/signin/school"):  # a page of its own before ours
                _, _, query = path.partition("?")
                browser.send(replace(form, action=f"{form.action}?{query}"))

    def signs_out(self, username: str) -> None:
        """Press the program's own button, and the provider's where it asks."""
        browser = self.browsers[username]
        link = re.search(r'<a href="([^"]+)">Sign out', self.page(username))
        if link:
            browser.open(link[1])
        way = next(each for each in browser.forms() if re.search("logout|signout", each.action))
        browser.send(way)
        if walks.shows(browser, "logout-confirm"):
            walks.signs_out(browser)

    def is_back(self, username: str) -> bool:
        """Whether signing out led back here."""
        page = self.browsers[username].page
        return page is not None and page.url.split("?")[0] == self.home


def families_of(school: School) -> dict[str, tuple[Account, list[Child]]]:
    """A parent for each of ``NAMES``: two of one mailbox, and one without an address. Claire has
    two children.
    """
    return {
        username: factories.family(
            school,
            *(("Lina", "Noé") if username == "claire" else ("Lina",)),
            username=username,
            given_name=given_name,
            email=None if username == "sans" else MAILBOX,
        )
        for username, given_name in NAMES.items()
    }


@contextmanager
def running(
    page: str,
    issuer: str,
    folder: Path,
    command: list[str],
    *files: str,
    login: str = "/login",
    another: str = "/switch",
    patience: float = 60,
    prepare: Callable[[dict[str, str]], None] | None = None,
) -> Iterator[Program]:
    """The files that a page prints, started; ``PORT`` in the command stands for the port.

    ``login``, ``another``: where a sign-in begins there, and one as somebody else; ``patience``:
    seconds until it answers; ``prepare``: what has to be done before, with its environment.
    """
    port = free_port()
    school = factories.school()
    families = families_of(school)
    more = registered_as_printed(page, school.id, f"http://127.0.0.1:{port}")
    for name in files:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(printed(page, name))
    more |= {"ISSUER": issuer, "APP_SECRET": "of-the-application-and-long-enough"}
    if prepare:
        prepare(more)
    arguments = [each.replace("PORT", str(port)) for each in command]
    with started(arguments, folder, port, more, patience=patience):
        home = f"http://127.0.0.1:{port}/"
        yield Program(home, issuer, more["CLIENT_ID"], families, login, another)


def goes_the_walk(name: str, program: Program) -> None:
    """All that is said of this client in ``walks.CLIENTS``, with three parents."""
    with walks.walking(name) as walk:
        for username in NAMES:
            program.signs_in(username)
            assert program.is_in(username), program.page(username)
        keys = {each: program.key(each) for each in NAMES}
        assert len(set(keys.values())) == 3, "two of one mailbox are two"
        walk("sign-in")
        if "UserInfo" in walk.client.steps:
            walk("UserInfo")  # their names stand there alone
        shows_each_child(program)
        walk("child")

        if "refresh" in walk.client.steps:
            before = walks.refreshed(program.client_id)
            assert program.is_about("claire", "Noé")
            assert walks.refreshed(program.client_id) > before
            closes_with_the_guardianship(program)
            walk("refresh")

        if "back-channel logout" in walk.client.steps:
            walks.signs_out_at_the_provider(program.browsers["claire"], program.issuer)
            told = walks.told(program.client_id)
            assert told[:1] == [("logout", "told")], told
            assert not program.is_in("claire")
            assert program.is_in("paul"), "who did not sign out stays"
            walk("back-channel logout")

        program.becomes("paul", "claire")
        walks.told(program.client_id)  # that Paul's session has ended
        assert program.is_in("claire")
        assert program.key("claire") == keys["claire"]
        assert program.is_about("claire", "Lina")

        program.signs_out("claire")
        assert program.is_back("claire")
        assert not program.is_in("claire")
        assert not walks.is_signed_in(program.browsers["claire"], program.issuer)
        walk("logout")


def shows_each_child(program: Program) -> None:
    """The one who was chosen, until the parent has chosen the sibling."""
    assert program.is_about("claire", "Lina")
    program.thinks_better_of_another("claire")
    assert program.is_about("claire", "Lina"), "who cancels stays"
    program.switches_to("claire", "Noé")
    assert program.is_about("claire", "Noé"), program.page("claire")
    assert program.is_about("paul", "Lina"), "it was not his choice"


def closes_with_the_guardianship(program: Program) -> None:
    """A program that asks again notices at the next page."""
    guardian, children = program.families["sans"]
    endings.end_guardianship(guardian.id, children[0].id, "court")
    assert not program.is_in("sans")


TOLD = ("--back-channel-logout", "/logout-token")


def is_certified(
    name: str,
    page: str,
    folder: Path,
    command: list[str],
    *files: str,
    ways: Sequence[str] = TOLD,
    prepare: Callable[[dict[str, str]], None] | None = None,
) -> None:
    """``idp certify`` finds no mistake in the program of this page, but for those that are said of
    this client in ``walks.CLIENTS``, and named on its page.

    ``ways``: options that say where it takes what, ``HOME`` and ``ISSUER`` for their addresses;
    ``prepare``: as in ``running``.
    """
    client, port, own = walks.CLIENTS[name], str(free_port()), str(free_port())
    for file in files:
        place = folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(printed(page, file))
    home, issuer = f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{own}"
    environment = application.environment(issuer, CLIENT_ID, CLIENT_SECRET, home) | {"PORT": port}
    if prepare:
        prepare(environment)
    program = [each.replace("PORT", port) for each in command]
    options = [each.replace("ISSUER", issuer).replace("HOME", home) for each in ways]
    words = (home, "--port", own, "--wait", "120", *options, "--json", "--", *program)
    done = certify(folder, *words, **environment)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    faults = {each["code"]: each["seen"] for each in results if each["verdict"] == FAILED}
    assert set(faults) == set(client.faults), faults
    untold = {each["code"]: each["seen"] for each in results if each["verdict"] == UNTOLD}
    assert set(untold) == set(client.untold), untold
