"""What visitors change for good: a password, a consent, an address at the desk; and what of it was
answered as done.

A change is known by what it leaves (the password that works, the address that stands) and by its
entry in the audit log: an answer of success that left neither is a lost commit, whatever was
changed after it.
"""

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle

from sqlalchemy import Connection, text

from idp.credentials import passwords
from idp.database import db
from tests.factories import PASSWORD
from tests.faults.door import Door, Trouble
from tests.faults.visits import SESSION, Application, Browser, Done, Visit

PASSWORDS, CONSENTS, ADDRESSES = "password", "consent", "correction"
KINDS = frozenset({PASSWORDS, CONSENTS})
LED = "led to sign in"
"""To be sent on from home to the page where one signs in changes nothing, and asks no database."""
EVENTS = {
    PASSWORDS: "password_changed",
    CONSENTS: "consent_given",
    ADDRESSES: "person_email_corrected",
}
_RECORDED = "SELECT account_id, count(*) AS many FROM audit_events WHERE event = :event GROUP BY 1"


Key = tuple[str, str]
"""A kind of change, and who made it, by user name."""
Holds = Callable[[str, str], bool]


@dataclass(frozen=True)
class Movers:
    """Whose things change; who only signs in is none of them."""

    passwords: tuple[str, ...]
    """User names; as are the others."""
    consents: tuple[str, ...]
    addresses: tuple[str, ...]
    ids: dict[str, str]
    """Of their accounts, by user name."""
    third_party: tuple[str, str]
    """The id and the secret of an application that needs their consent."""


@dataclass
class Changes:
    """What was asked for and what was answered as done, of all visitors of a site since it is
    there. They go on while it is compared.
    """

    asked: dict[Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Each value, in the order in which they were sent."""
    newest: dict[Key, int] = field(default_factory=dict)
    """The place of the last that was answered as done."""
    done: Counter[Key] = field(default_factory=Counter)
    """How many were."""

    def ask(self, kind: str, who: str, value: str, act: Callable[[], object]) -> None:
        """Change it; where no answer of success comes, either may stand."""
        asked = self.asked[kind, who]
        asked.append(value)
        act()
        self.newest[kind, who] = len(asked) - 1
        self.done[kind, who] += 1

    def passwords_of(self, who: str) -> list[str]:
        """Those that may work by now: what was answered as done last, or got no answer since."""
        asked, newest = self.asked[PASSWORDS, who], self.newest.get((PASSWORDS, who))
        return [PASSWORD, *asked] if newest is None else asked[newest:]

    def lost(self, now: Connection, movers: Movers) -> dict[str, int]:
        """What was answered as done and is not there, by kind."""
        told, newest = self.done.copy(), self.newest.copy()
        _look_anew(now)
        found = {f"{kind}s off the record": _unrecorded(now, kind, told, movers) for kind in EVENTS}
        stands = {
            PASSWORDS: lambda who, value: passwords.verify(movers.ids[who], value),
            CONSENTS: lambda who, _: _is_allowed(now, movers, who),
            ADDRESSES: lambda who, value: _address(now, movers.ids[who]) == value,
        }
        for kind, holds in stands.items():
            found[f"{kind}s"] = sum(
                not self._stands(now, (each, who), place, holds)
                for (each, who), place in newest.items()
                if each == kind
            )
        return found

    def _stands(self, now: Connection, key: Key, place: int, holds: Holds) -> bool:
        """Whether it is what it was at this place, or one that was asked for later; also what is
        asked for while we look.
        """
        asked = self.asked[key]
        while place < len(asked):
            _look_anew(now)
            if holds(key[1], asked[place]):
                return True
            place += 1
        return False


def _look_anew(now: Connection) -> None:
    """On SQLite a transaction that reads sees what was there when it began."""
    now.rollback()
    db.session.rollback()


def _unrecorded(now: Connection, kind: str, told: Counter[Key], movers: Movers) -> int:
    rows = now.execute(text(_RECORDED), {"event": EVENTS[kind]})
    recorded = {row.account_id: row.many for row in rows}
    return sum(
        max(0, many - recorded.get(movers.ids[who], 0))
        for (each, who), many in told.items()
        if each == kind
    )


def _is_allowed(now: Connection, movers: Movers, who: str) -> bool:
    query = """
        SELECT count(*) FROM consents c JOIN child_consents k
        ON k.account_id = c.account_id AND k.client_id = c.client_id
        WHERE c.account_id = :account AND c.client_id = :client
        AND c.withdrawn_at IS NULL AND k.withdrawn_at IS NULL"""
    of = {"account": movers.ids[who], "client": movers.third_party[0]}
    return now.scalar(text(query), of) == 1


def _address(now: Connection, account_id: str) -> str | None:
    query = "SELECT email FROM accounts WHERE id = :id"
    found: str | None = now.scalar(text(query), {"id": account_id})
    return found


class Changing:
    """Those who do it, each in a thread of their own."""

    def __init__(self, door: Door, movers: Movers, changes: Changes) -> None:
        self._door, self._movers, self._changes = door, movers, changes
        self._whose = {kind: cycle(names) for kind, names in whose(movers).items()}
        self._application = Application(door, movers.third_party, Done())

    def change_password(self) -> None:
        """A parent signs in at home, changes it, and all other sessions end."""
        who = next(self._whose[PASSWORDS])
        browser, current = self._signed_in(who)
        browser.open(PASSWORDS, "/account/password")
        new = secrets.token_urlsafe(16)
        typed = {"current_password": current, "new_password": new, "repeat_password": new}

        def send() -> None:
            browser.submit(PASSWORDS, "password-form", **typed)
            assert 'id="sign-out"' in browser.page, browser.page[:2000]

        self._changes.ask(PASSWORDS, who, new, send)

    def consent(self) -> None:
        """A parent allows an application of somebody else's what it asks, again each time."""
        who = next(self._whose[CONSENTS])
        visit = Visit(self._door, self._application, Done())
        path, verifier = visit.request(prompt="consent")
        visit.browser.open("way in", path)
        visit.browser.submit("sign-in", "login-form", username=who, password=PASSWORD)

        def allow() -> None:
            on = visit.browser.submit(CONSENTS, "consent-form", decision="allow")
            visit.redeem(on, verifier)

        self._changes.ask(CONSENTS, who, "allowed", allow)

    def correct_address(self, secretary: str) -> None:
        """The secretary corrects the address of a parent."""
        who = next(self._whose[ADDRESSES])
        browser = Browser(self._door, **{SESSION: secretary})
        browser.open(ADDRESSES, f"/admin/people/{self._movers.ids[who]}/edit")
        new = f"{who}.{secrets.token_hex(4)}@families.example"

        def send() -> None:
            browser.submit(ADDRESSES, "email-form", email=new)
            assert "email-form" not in browser.page, browser.page[:2000]
            assert new in browser.page, browser.page[:2000]

        self._changes.ask(ADDRESSES, who, new, send)

    def _signed_in(self, who: str) -> tuple[Browser, str]:
        """Their browser, and the password with which they came in."""
        possible = self._changes.passwords_of(who)
        for password in reversed(possible):
            browser = Browser(self._door)
            browser.open(LED, "/")
            # Only where an answer was lost they know several, and may be told that one is wrong
            good = (200, 302, 303, *((400,) if len(possible) > 1 else ()))
            browser.submit("sign-in", "login-form", good=good, username=who, password=password)
            if 'id="sign-out"' in browser.page:
                return browser, password
        raise Trouble(f"{who} gets in by none of {len(possible)} passwords", is_refusal=True)


def whose(movers: Movers) -> dict[str, tuple[str, ...]]:
    """Who makes each kind of change."""
    return {
        PASSWORDS: movers.passwords,
        CONSENTS: movers.consents,
        ADDRESSES: movers.addresses,
    }
