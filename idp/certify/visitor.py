"""A parent at the developer's application: signs in at the test provider, looks at the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from idp.certify import enrolment
from idp.certify.pages import Page
from idp.certify.robot import Browser, Unreachable
from idp.certify.school import Named, Person, TestSchool

MOST_PAGES: Final = 12
"""At most so many pages of the provider lie on one way."""
NO_LINK: Final = 405
"""The status where an address takes forms alone (RFC 9110 §15.5.6)."""


@dataclass(frozen=True)
class Target:
    """The developer's application: where it is, and where in it what happens."""

    home: str
    login: str = "login"
    switch: str = "switch"
    logout: str = "logout"
    page: str = ""
    """Which page names parent and child; where none is said, the one where sign-ins end."""

    def at(self, path: str) -> str:
        """The address of a path of the application."""
        return urljoin(self.home, path)


@dataclass
class Visitor:
    """One tab of one browser, and who sits in front of it."""

    browser: Browser
    target: Target
    issuer: str
    school: TestSchool
    typed_password: bool = False
    """Whether the provider's sign-in page was shown since the application was left."""
    chose: bool = False
    """Whether the provider's page with the children was."""
    seen_at: str = ""
    """The page that named somebody."""

    @property
    def page(self) -> Page:
        return self.browser.page

    @property
    def with_us(self) -> bool:
        """Whether the provider's page is shown, not the application's."""
        return self._is_ours(self.page)

    def tab(self) -> "Visitor":
        """Another tab of the same browser."""
        return Visitor(self.browser.another_tab(), self.target, self.issuer, self.school)

    def begin(self) -> Page:
        """As far as the provider's first page."""
        return self._leave(self.target.login)

    def sign_in(self, parent: Person, child: Person | None = None, *, consent: bool = True) -> Page:
        """From the application's « sign in » back to its page."""
        self.begin()
        return self.resume(parent, child, consent=consent)

    def switch(self, parent: Person, child: Person) -> Page:
        """From the application's « another child » back to its page."""
        self._leave(self.target.switch)
        return self.resume(parent, child)

    def resume(self, parent: Person, child: Person | None, *, consent: bool = True) -> Page:
        """Answer the provider's pages until it lets go."""
        for _ in range(MOST_PAGES):
            if not self.with_us:
                break
            answer = self._answer(parent, child, consent=consent)
            if answer is None:
                break
            answer()
        return self.page

    def cancel(self) -> Page:
        """Press « Annuler » on the provider's sign-in page."""
        return self.browser.press("login-cancel")

    def look(self) -> Named:
        """Whom the application takes this visitor for, as its page says."""
        for address in self._where_to_look():
            if address != self.page.address:
                self._open(address)
            named = self._named()
            if named:
                self.seen_at = self.page.address
                return named
        return Named()

    def look_again(self) -> Named:
        """The same page, loaded anew."""
        once_only = "code=" in urlsplit(self.seen_at).query  # the answer's own address
        self._open(self.target.home if once_only or not self.seen_at else self.seen_at)
        return self._named()

    def sign_out(self) -> bool:
        """Sign out as the application offers it: by a form, a link, or its address."""
        if self._press(self.target.logout):
            return True
        self._open(self.target.page or self.target.home)
        address = self.target.at(self.target.logout)
        form = self.page.form_to(address)
        there = self.page.link_to(address) or address
        page = self.browser.send(form) if form else self._go_to(there)
        done = page.status not in {404, 405}
        if self.page.shows("logout-submit"):
            self.browser.press("logout-submit")
        return done

    def _leave(self, path: str) -> Page:
        self.typed_password = self.chose = False
        if not self._press(path):
            self._go_to(self.target.at(path))
        return self.browser.wait_until(self._is_ours)

    def _press(self, path: str) -> bool:
        """Press the element that ``#id`` names, on the page that shows who is signed in; whether it
        was one.
        """
        if not path.startswith("#"):
            return False
        self._open(self.target.page or self.target.home)
        self.browser.click(path.removeprefix("#"))
        return True

    def _go_to(self, address: str) -> Page:
        """Open an address of the application, or press what leads there."""
        page = self.browser.open(address)
        if page.status == NO_LINK:
            self._open(self.target.page or self.target.home)
            form = self.page.form_to(address)
            return self.browser.send(form) if form else page
        between = None if self.with_us else page.form_between(address)
        return self.browser.send(between) if between else page

    def _open(self, path: str) -> None:
        self.browser.open(self.target.at(path))

    def _where_to_look(self) -> Sequence[str]:
        if self.target.page:
            return [self.target.at(self.target.page)]
        # The callback's address is used up: whoever looks again looks at the start page
        return [self.page.address, self.target.home] if not self.with_us else [self.target.home]

    def _is_ours(self, page: Page) -> bool:
        parts = urlsplit(self.issuer)
        return page.origin == f"{parts.scheme}://{parts.netloc}"

    def _named(self) -> Named:
        return self._named_on(self.browser.wait_until(lambda page: bool(self._named_on(page))))

    def _named_on(self, page: Page) -> Named:
        return Named() if self._is_ours(page) else self.school.named_in(page.text)

    def _answer(
        self, parent: Person, child: Person | None, *, consent: bool
    ) -> Callable[[], Page] | None:
        """What a parent does on the provider's page that is shown; None on any other page."""
        press = self.browser.press
        if self.page.shows("login-form"):
            return self._first_sign_in if parent.token else lambda: self._password(parent)
        if self.page.shows("token-form"):
            return lambda: press("token-submit", token=parent.token)
        if self.page.shows("password-form"):
            new = enrolment.NEW_PASSWORD
            return lambda: press("password-submit", new_password=new, repeat_password=new)
        if self.page.shows("child-form"):
            return lambda: self._choose(child)
        if self.page.shows("consent-form"):
            return lambda: press("consent-allow" if consent else "consent-cancel")
        if self.page.shows("no-child-back"):
            return lambda: press("no-child-back")
        return None

    def _password(self, parent: Person) -> Page:
        if self.typed_password:
            raise Unreachable("the test provider did not take the password")
        self.typed_password = True
        return self.browser.press(
            "login-submit", username=parent.username, password=enrolment.PASSWORD
        )

    def _first_sign_in(self) -> Page:
        self.typed_password = True
        return self.browser.open(self.page.link_of("token-link") or self.page.address)

    def _choose(self, child: Person | None) -> Page:
        self.chose = True
        number = 1
        while child and self.page.text_of(f"child-name-{number}") not in {child.full_name, ""}:
            number += 1
        return self.browser.press(f"child-submit-{number}")
