"""Every page on the way of a request, and every button: a button leaves its page, to where it says.

The walks are generated: from each beginning, each button of each page that it leads to is
pressed, with another tab answering meanwhile, too.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete

from idp.database import transaction
from idp.oidc.models import Consent
from idp.sessions.models import ChildChoice
from tests.relying_party import Browser, RelyingParty, World, answer, claims_of, leads_to, world

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = [on_sqlite, pytest.mark.slow]

NAMES = ("Lina", "Noé")
SCOPE = "openid child"
OF_THE_WALK = re.compile(
    r"child-submit-\d|child-cancel|consent-\w[\w-]*|login-submit|login-cancel|no-child-back"
    r"|another-person|same-person"
)
PROMPTS = (None, "none", "select_account", "consent", "login")


@dataclass
class Walks:
    """One beginning, as often as it is needed: each walk starts from the same state."""

    there: World
    portal: RelyingParty
    application: RelyingParty
    begin: Callable[["Walks"], None]
    meanwhile: Callable[["Walks"], None]
    prompt: str | None

    @property
    def browser(self) -> Browser:
        return self.there.browser

    def walk(self, path: tuple[str, ...]) -> list[str]:
        """Press these buttons in turn; returns the buttons of the page where that ends, unless
        it was there before.
        """
        self._forget()
        self.begin(self)
        self.browser.open(self.application.authorize_path(scope=SCOPE, prompt=self.prompt))
        seen = set()
        for number, button in enumerate(path, start=1):
            seen.add(self._step())
            self._press(button, last=number == len(path))
        return [] if self._step() in seen else self._buttons()

    def choose(self, number: int, application: RelyingParty) -> None:
        """In another tab: choose that child for this application, and no more."""
        tab = Browser(self.there.http)
        tab.open(application.authorize_path(scope=SCOPE, prompt="select_account"))
        if tab.shows(f"child-submit-{number}"):
            tab.press(f"child-submit-{number}")

    def allow(self) -> None:
        """In another tab: go the whole way with the first child."""
        tab = Browser(self.there.http)
        tab.open(self.application.authorize_path(scope=SCOPE))
        for button in ("child-submit-1", "consent-allow"):
            if tab.shows(button):
                tab.press(button)

    def _press(self, button: str, *, last: bool) -> None:
        before = self._step()
        assert self.browser.page is not None
        text = self.browser.page.text
        if last:
            self.browser.open(self.browser.page.request.path)
            assert self._step() == before, "asked for again, a page is still there"
            self.meanwhile(self)
        if button == "login-submit":
            self.browser.sign_in("claire")
        else:
            self.browser.press(button)
        self._is_where_it_says(button, before, text)

    def _is_where_it_says(self, button: str, before: str, text: str) -> None:
        step = self._step()
        assert step != before, f"{button} stays on {before}"
        if button.endswith(("cancel", "back")):
            assert answer(self.browser.page)["error"] == "access_denied"  # type: ignore[arg-type]
        elif button == "consent-allow":
            assert self._child() in text
        elif button == "consent-other-child":
            assert step == "child"
        elif match := re.fullmatch(r"child-submit-(\d)", button):
            chosen = NAMES[int(match[1]) - 1]
            assert step in {"consent", "application"}
            if step == "application":
                assert self._child() == chosen
        elif button == "another-person":
            assert step == "login"
        else:
            assert button in {"login-submit", "same-person"}

    def _child(self) -> str:
        """The child that the application is told of."""
        assert self.browser.page is not None
        fields = answer(self.browser.page)
        assert "code" in fields, fields
        token = self.application.redeem(self.there.http, fields["code"]).get_json()
        told = claims_of(self.there.http, token["id_token"])["child"]
        return str(told["given_name"])

    def _step(self) -> str:
        """The page that is open, by its address; « application » where we were left."""
        assert self.browser.page is not None
        if leads_to(self.browser.page):
            return "application"
        assert self.browser.page.status_code == 200, self.browser.page.text
        return urlsplit(self.browser.page.request.path).path.rsplit("/", 1)[-1]

    def _buttons(self) -> list[str]:
        assert self.browser.page is not None
        if self._step() == "application":
            return []
        return sorted(set(re.findall(r'id="([\w-]+)"', self.browser.page.text)) & self._known())

    def _known(self) -> set[str]:
        assert self.browser.page is not None
        ids = re.findall(r'<button[^>]*\sid="([\w-]+)"', self.browser.page.text)
        found = {each for each in ids if OF_THE_WALK.fullmatch(each)}
        # What another tab answers leads who comes back to another page
        return found if self.meanwhile is nothing else found - {"another-person"}

    def _forget(self) -> None:
        with transaction() as session:
            session.execute(delete(ChildChoice))
            session.execute(delete(Consent))


def nothing(walks: Walks) -> None:
    """Nothing has happened before, or meanwhile."""


def chosen_in_the_portal(walks: Walks) -> None:
    walks.choose(2, walks.portal)


def chosen_here(walks: Walks) -> None:
    walks.choose(2, walks.application)


def allowed_here(walks: Walks) -> None:
    walks.allow()


BEGINNINGS = {
    "none": ((), nothing),
    "one": (NAMES[:1], nothing),
    "several": (NAMES, nothing),
    "remembered": (NAMES, chosen_in_the_portal),
    "chosen here": (NAMES, chosen_here),
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("beginning", "first_party"),
    [(each, False) for each in BEGINNINGS]
    # Of a third party's walks these leave out a page
    + [pytest.param(each, True, marks=pytest.mark.long) for each in BEGINNINGS],
)
def test_every_button_leaves_its_page_to_where_it_says(
    client: FlaskClient, beginning: str, first_party: bool
) -> None:
    names, begin = BEGINNINGS[beginning]
    there = world(client, *names, first_party=first_party)

    pressed = walk_everywhere(there, begin, nothing, PROMPTS)

    assert {"login-submit", "login-cancel"} <= pressed
    if names:
        assert {"consent-allow", "consent-cancel"} <= pressed
    if len(names) > 1:
        assert {"child-submit-1", "child-submit-2", "child-cancel"} <= pressed
        assert "consent-other-child" in pressed


@pytest.mark.long
@pytest.mark.parametrize("meanwhile", [chosen_in_the_portal, allowed_here])
@pytest.mark.parametrize(
    "beginning", ["several", pytest.param("chosen here", marks=pytest.mark.long)]
)
def test_c4_what_another_tab_answers_meanwhile_does_not_count(
    client: FlaskClient, beginning: str, meanwhile: Callable[[Walks], None]
) -> None:
    names, begin = BEGINNINGS[beginning]
    there = world(client, *names, first_party=False)

    pressed = walk_everywhere(there, begin, meanwhile, (None, "consent"))

    assert {"consent-allow", "consent-cancel", "consent-other-child"} <= pressed


def walk_everywhere(
    there: World,
    begin: Callable[[Walks], None],
    meanwhile: Callable[[Walks], None],
    prompts: tuple[str | None, ...],
) -> set[str]:
    """Press each button of each page that a request leads to; returns what was pressed."""
    portal = there.other_portal(redirect_uris=["https://elsewhere.example/cb"])
    pressed: set[str] = set()
    for prompt in prompts:
        walks = Walks(there, portal, there.portal, begin, meanwhile, prompt)
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            path = waiting.pop()
            found = walks.walk(path)
            assert not (prompt == "none" and found), "prompt=none shows no page"
            pressed.update(path)
            waiting += [(*path, button) for button in found]
    return pressed
