"""What comes to a provider in a day, without a pause: each errand, begun and ended properly."""

import re
import secrets
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from threading import Lock, Thread

from tests.faults.door import Answers, Door, Trouble
from tests.faults.household import Household
from tests.faults.visits import SESSION, Application, Browser, Done, Visit

PICTURE = ("logo.png", b"\x89PNG\r\n" + bytes(3000))
REFUSED = (303, 400)
"""To the page that says so."""
_CSRF = re.compile(r'name="csrf_token"\s+value="([^"]+)"')
_FORGOTTEN = re.compile(r'id="forgotten-link"\s+href="([^"]+)"')
_LINKS = re.compile(r'href="(/admin/(?:people|pupils|schools|staff|mails)[^"?#]*)"')


class Errands:
    """All of them, in turn, by several at once, until so many requests were answered."""

    def __init__(self, door: Door, household: Household) -> None:
        self._door, self._household = door, household
        self._application = Application(door, household.application, Done())
        self._lock = Lock()
        self._next = self._in_turn()

    @property
    def answers(self) -> Answers:
        return self._door.answers

    def run(self, requests: int, at_once: int) -> None:
        """Until so many more were answered. Any that was not as it should be is noted."""
        until = len(self.answers.heard) + requests
        threads = [Thread(target=self._go_on, args=(until,)) for _ in range(at_once)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def _go_on(self, until: int) -> None:
        while len(self.answers.heard) < until:
            with self._lock:
                errand, parent = next(self._next)
            self._door.let_another_in()
            try:
                errand(parent)
            except Trouble:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody got what they came for
                self.answers.note(
                    "errand", f"{type(error).__name__}: {error}".splitlines()[0][:200]
                )

    def _in_turn(self) -> Iterator[tuple[Callable[[str], None], str]]:
        parents = cycle(self._household.parents)
        while True:
            for errand in (self.visit, self.desk, self.visit, self.programs, self.forgotten,
                           self.visit, self.strangers, self.desk):  # fmt: skip
                yield errand, next(parents)

    # The errands

    def visit(self, parent: str) -> None:
        """A parent signs in, an application uses its tokens and gives them back, they sign out."""
        visit = Visit(self._door, self._application, Done())
        visit.sign_in(parent)
        for _ in range(2):
            visit.look_in()
            visit.come_again()
        visit.look_in()
        for path in ("/account/sessions", "/account/applications", "/account/data"):
            visit.browser.open("own pages", path)
        self._application.ask_about(visit.tokens["access_token"])
        self._application.give_back(visit.tokens["refresh_token"])
        visit.browser.open("home", "/")
        visit.browser.send("sign-out", "/account/sign-out", csrf_token=_csrf(visit.browser))

    def desk(self, _parent: str) -> None:
        """A secretary looks around, and sends a file that is no roster."""
        browser = Browser(self._door, **{SESSION: self._household.secretary})
        school = self._household.school_id
        browser.open("desk", f"/admin/people?school={school}&q=Dubois")
        for path in dict.fromkeys(islice(_LINKS.findall(browser.page), 8)):
            browser.open("desk", path)
        for path in ("", "journal", "journal.csv", "mails", "imports/new"):
            browser.open("desk", f"/admin/{path}")
        browser.submit("upload", "import-form", PICTURE, good=REFUSED, school=school)

    def programs(self, _parent: str) -> None:
        """What applications ask of their own accord."""
        for path in ("/.well-known/openid-configuration", "/oauth2/jwks", "/openapi.json"):
            self._door.ask("metadata", "GET", path)
        self._application.push()

    def forgotten(self, parent: str) -> None:
        """Somebody has forgotten their password."""
        visit = Visit(self._door, self._application, Done())
        visit.browser.open("way in", visit.request()[0])
        visit.browser.open("forgotten", _FORGOTTEN.findall(visit.browser.page)[0])
        visit.browser.submit("forgotten", "forgotten-form", email=f"{parent}@families.example")

    def strangers(self, parent: str) -> None:
        """Those who are refused: a wrong password, a wrong secret, no such page."""
        visit = Visit(self._door, self._application, Done())
        visit.browser.open("way in", visit.request()[0])
        wrong = {"username": f"{parent}{secrets.token_hex(4)}", "password": "no"}
        visit.browser.submit("wrong password", "login-form", good=REFUSED, **wrong)
        refused = {"Authorization": "Bearer x"}
        self._door.ask("refused", "GET", "/oauth2/userinfo", headers=refused, good=(401,))
        form = {"grant_type": "refresh_token", "refresh_token": "x"}
        self._door.ask("refused", "POST", "/oauth2/token", form=form, good=(400, 401))
        self._door.ask("refused", "GET", "/nowhere", good=(404,))


def _csrf(browser: Browser) -> str:
    return _CSRF.findall(browser.page)[0]
