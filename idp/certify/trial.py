"""What every check is given: the test provider, the school, browsers, and how to say what was
seen.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from idp.certify.forged import Forger
from idp.certify.provider import TestProvider
from idp.certify.robot import Browser, Unreachable
from idp.certify.school import Household, Named, Person, TestSchool
from idp.certify.visitor import Target, Visitor
from idp.certify.wrong_answers import Wrong
from idp.clients.certification import FAILED

ERROR: Final = 500
REFUSED: Final = 400
MOST_SHOWN: Final = 120


class Failed(Exception):
    """The application made the mistake that a check is about; the text says what was seen."""


class CouldNotBeTold(Exception):
    """The check saw nothing by which to tell."""


@dataclass
class Trial:
    """One application under test."""

    provider: TestProvider
    school: TestSchool
    target: Target
    open_browser: Callable[[], Browser]
    patience: float
    """Seconds that a page may stay open after the end of a guardianship."""
    verdicts: dict[str, str] = field(default_factory=dict)
    shows_parent: bool = False
    shows_child: bool = False

    @contextmanager
    def visitor(self) -> Iterator[Visitor]:
        """Somebody in front of a browser that was never here."""
        browser = self.open_browser()
        try:
            yield Visitor(browser, self.target, self.provider.issuer, self.school)
        finally:
            browser.close()

    def needs_no_mistake_in(self, code: str) -> None:
        """Raise ``CouldNotBeTold`` where another check has named the mistake already."""
        if self.verdicts.get(code) == FAILED:
            raise CouldNotBeTold(f"It stands on « {code} », which failed: mend that first.")

    def needs(self, *, parent: bool = False, child: bool = False) -> None:
        """Raise ``CouldNotBeTold`` where the application does not show what a check looks at."""
        if parent and not self.shows_parent:
            raise CouldNotBeTold("No page shows the parent's name; --page names one that does.")
        if child and not self.shows_child:
            raise CouldNotBeTold("No page shows the child's name; --page names one that does.")

    def authorization_request(self) -> dict[str, str]:
        """The newest authorization request of the application."""
        if not self.provider.answers.requests:
            raise CouldNotBeTold("The application sent nobody to the provider.")
        return self.provider.answers.requests[-1]

    def fails_unless_shown(self, visitor: Visitor, home: Household) -> Named:
        """Whoever signed in is the one that the page names; it may name more."""
        named = visitor.look()
        fails_where_it_broke(visitor)
        if not is_shown(named, home.parent, home.children):
            raise Failed(f"{home.parent.full_name} signed in; {where(visitor)} names {named}.")
        return named

    def fails_if_in(self, wrong: Wrong, after: str) -> None:
        """A parent of one child signs in while the provider answers wrongly: is nobody in?"""
        home = self.school["one_child"]
        named = Named()
        answering = self.provider.answers.while_answering(wrong)
        # An application that begins anew by itself goes round in a circle: nobody is in
        with self.visitor() as visitor, answering, suppress(Unreachable):
            visitor.sign_in(home.parent)
            named = visitor.look()
        if not wrong.times:
            raise CouldNotBeTold(f"The application fetched nothing that was wrong: {after}")
        if is_shown(named, home.parent, home.children):
            raise Failed(f"{home.parent.full_name} was signed in {after}")

    def fails_with_token(self, forger: Forger, after: str) -> None:
        """The same with a forged ID token."""
        self.fails_if_in(Wrong(id_token=forger), after)


def is_shown(named: Named, parent: Person, children: Sequence[Person]) -> bool:
    """Whether a page is this parent's: it names them, or a child of theirs, and no other parent."""
    others = [each for each in named.parents if each != parent]
    return not others and (parent in named.parents or bool(set(children) & set(named.children)))


def is_open(trial: Trial, named: Named, parent: Person, child: Person) -> bool:
    """Whether a page is about this child still; by the parent, where no page names a child."""
    return child in named.children if trial.shows_child else parent in named.parents


def fails_where_it_broke(visitor: Visitor) -> None:
    """A page of the application that says « internal error » is always a mistake."""
    if not visitor.with_us and visitor.page.status >= ERROR:
        raise Failed(f"{where(visitor)} answered {visitor.page.status}.")


def fails_where_it_ends(visitor: Visitor) -> None:
    """Whoever is not signed in needs a page that leads on, not what a server says by itself."""
    fails_where_it_broke(visitor)
    if not visitor.with_us and not visitor.page.leads_on:
        raise Failed(
            f"{where(visitor)} answered {visitor.page.status}, and there is nothing to press: no"
            " link, no button."
        )


def where(visitor: Visitor) -> str:
    """The page that is shown, without what stands in its query: a code is nobody's to read."""
    parts = urlsplit(visitor.page.address)
    title = f" (« {visitor.page.title[:MOST_SHOWN]} »)" if visitor.page.title else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}{title}"
