"""One walk for every client that runs in these tests, and which of its steps each one goes.

``CLIENTS`` says it, and why where it cannot. A client's test goes the steps (``walking``) and fails
where it goes fewer or others; docs/integrate/README.md prints the table
(``python -m tests.installs.walk``).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from idp.database import db
from idp.deliveries import listing, worker
from idp.oidc.models import Grant, RefreshToken
from tests import factories
from tests.clients.documented import Application

CERTIFIED = "certified"
STEPS = ("sign-in", "child", "UserInfo", "refresh", "logout", "back-channel logout")
UNTOLD = ("security_event",)
"""What nearly all of them are not told: they ask again."""
UNVERIFIED = "the library leaves the signature to TLS"
ONE_AT_A_TIME = "the library remembers one sign-in at a time"
PAGE = Path("docs/integrate/README.md")
_TABLE = re.compile(r"(?<=<!-- walks -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Client:
    """A client that runs here. ``cannot``: the steps that it leaves out, and why."""

    name: str
    where: str
    """Its page, as docs/integrate/README.md links to it."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    """The checks of ``idp certify`` that its program does not pass, and why."""
    untold: Collection[str] = UNTOLD
    """The checks that see nothing there by which to tell."""
    untried: str = ""
    """Why ``idp certify`` is not run against it; nothing where it is."""

    @property
    def steps(self) -> set[str]:
        """What it goes."""
        assert set(self.cannot) <= set(STEPS), self.name
        return set(STEPS) - set(self.cannot)

    @property
    def certified(self) -> bool:
        """Whether ``idp certify`` is run against it."""
        return not self.untried


CLIENTS = {
    each.name: each
    for each in (
        Client("Authlib (Flask)", "authlib.md"),
        Client("Express and openid-client 6", "openid-client.md"),
        Client(
            "Express and express-openid-connect",
            "express-openid-connect.md",
            faults={"second_tab": ONE_AT_A_TIME},
        ),
        Client("Go and go-oidc", "go.md"),
        Client("Auth.js", "authjs.md", faults={"second_tab": ONE_AT_A_TIME}),
        Client(
            "oidc-client-ts",
            "oidc-client-ts.md",
            {"back-channel logout": "it has no server that could be told"},
            faults={
                "nonce": "it sends none",
                **dict.fromkeys(
                    ("issuer", "audience", "expired", "signature", "rotation"),
                    "the library reads an ID token, and verifies nothing of it",
                ),
            },
            untold=("logout_token", "security_event"),
        ),
        Client(
            "Spring Security",
            "spring-security.md",
            faults={
                "second_tab": ONE_AT_A_TIME,
                "logout_token": "one without `events` is answered 500 (and closes nothing)",
            },
        ),
        Client("Apache and mod_auth_openidc", "mod_auth_openidc.md"),
        Client(
            "oauth2-proxy",
            "oauth2-proxy.md",
            {"back-channel logout": "it has no receiver for logout tokens"},
            untold=("logout_token", "security_event"),
        ),
        Client("Rust and openidconnect", "rust.md"),
        Client(
            "Matrix (Synapse)",
            "matrix-synapse.md",
            {
                "child": "Matrix has no place for one",
                "refresh": "it asks once, at the sign-in",
                "logout": "a sign-out of Matrix ends nothing here",
            },
            untried="no page of it names a parent or a child",
        ),
        Client("idpyoidc", "idpyoidc.md"),
        Client(
            "django-allauth",
            "django-allauth.md",
            {"refresh": "it keeps tokens and never renews them"},
            faults={
                "nonce": "it sends none",
                "signature": UNVERIFIED,
                "rotation": UNVERIFIED,
            },
            untold=(),
        ),
        Client(
            "python-social-auth",
            "python-social-auth.md",
            untold=(),
        ),
        Client(
            "mozilla-django-oidc",
            "mozilla-django-oidc.md",
            {"refresh": "it renews by `prompt=none`, through the browser"},
            untold=(),
        ),
    )
}


@dataclass
class Walk:
    """A client's walk: call it with each step once that is shown."""

    client: Client
    gone: list[str] = field(default_factory=list)

    def __call__(self, step: str) -> None:
        assert step in self.client.steps, f"{self.client.name} says that it cannot: {step}"
        self.gone.append(step)


@contextmanager
def walking(name: str) -> Iterator[Walk]:
    """The walk of a client of ``CLIENTS``, which has to go all that is said of it there."""
    walk = Walk(CLIENTS[name])
    yield walk
    assert set(walk.gone) == walk.client.steps, f"{name} left out: {walk.gone}"


def signs_in(browser: Application, username: str, child: str = "Lina") -> str:
    """Fill in the provider's page, to which the application has sent the browser; choose this
    child where there are several, and allow what it asks for.
    """
    page = _send(browser, "login-form", username=username, password=factories.PASSWORD)
    return chooses(browser, child) if shows(browser, "child-form") else _allows(browser, page)


def chooses(browser: Application, child: str) -> str:
    """Choose a child on the provider's page, and allow what the application asks for."""
    assert browser.page is not None
    names = re.findall(r'id="child-name-(\d+)">([^<]*)<', browser.page.text)
    number = next(number for number, name in names if name.startswith(child))
    form = next(each for each in browser.forms() if each.id == "child-form")
    name, value = form.buttons[f"child-submit-{number}"]
    return _allows(browser, browser.send(form, **{name: value}))


def shows(browser: Application, form_id: str) -> bool:
    """Whether the page has this form."""
    return any(form.id == form_id for form in browser.forms())


def signs_out(browser: Application) -> None:
    """Press « sign out » on the provider's question."""
    _send(browser, "logout-confirm", decision="sign-out")


def signs_out_at_the_provider(browser: Application, issuer: str) -> None:
    """Sign out on the guardian's own page: no application has a hand in it."""
    browser.open(f"{issuer}/")
    form = next(each for each in browser.forms() if "sign-out" in each.buttons)
    name, value = form.buttons["sign-out"]
    browser.send(form, **({name: value} if name else {}))


def is_signed_in(browser: Application, issuer: str) -> bool:
    """Whether the provider knows who this is; the browser is on its page then."""
    browser.open(f"{issuer}/")
    return not shows(browser, "login-form")


def told(client_id: str) -> list[tuple[str, str]]:
    """Tell what is due; what this application was told since it was registered, the newest first,
    and what became of it.
    """
    db.session.rollback()  # or it looks at what was due when it last looked
    worker.deliver_due()
    return [(each.row.event, each.row.status) for each in listing.of_client(client_id)]


def refreshed(client_id: str) -> int:
    """How often this application has renewed its tokens by a refresh token."""
    db.session.rollback()
    rotated = RefreshToken.rotated_at.is_not(None)
    these = select(func.count()).select_from(RefreshToken).join(Grant)
    return int(db.session.scalar(these.where(Grant.client_id == client_id, rotated)) or 0)


def table() -> str:
    """The part of docs/integrate/README.md that says who goes which steps."""
    rows = [f"| client | {' | '.join((*STEPS, CERTIFIED))} |", f"|---|{'---|' * (len(STEPS) + 1)}"]
    for client in CLIENTS.values():
        cells = ["–" if step in client.cannot else "✓" for step in STEPS]
        faults = ", ".join(f"`{each}`" for each in client.faults)
        passed = f"but for {faults}" if faults else "✓"
        cells.append(passed if client.certified else "–")
        rows.append(f"| [{client.name}]({client.where}) | {' | '.join(cells)} |")
    reasons = [
        f"- **{client.name}**: no {step}, for {why}."
        for client in CLIENTS.values()
        for step, why in client.cannot.items()
    ]
    reasons += [line for client in CLIENTS.values() for line in _faults(client)]
    reasons += [
        f"- **{client.name}**: not tried by `idp certify`, for {client.untried}."
        for client in CLIENTS.values()
        if client.untried
    ]
    return "\n".join([*rows, *([""] if reasons else []), *reasons])


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    made, times = _TABLE.subn(lambda _: table(), page)
    assert times == 1, "the page has no place for the table"
    return made


def _faults(client: Client) -> Iterator[str]:
    """A line for each reason."""
    for why in dict.fromkeys(client.faults.values()):
        codes = ", ".join(f"`{code}`" for code, each in client.faults.items() if each == why)
        yield f"- **{client.name}**: `idp certify` names {codes}, for {why}."


def _allows(browser: Application, page: str) -> str:
    asks = shows(browser, "consent-form")
    return _send(browser, "consent-form", decision="allow") if asks else page


def _send(browser: Application, form_id: str, **fields: str) -> str:
    form = next((each for each in browser.forms() if each.id == form_id), None)
    assert form is not None, (
        f"no {form_id}: {browser.page is not None and browser.page.text[:2000]}"
    )
    return browser.send(form, **fields)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
