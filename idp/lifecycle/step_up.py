"""By what an account may be entered, and its owner may prove themselves once more, and for how long
that counts.
"""

from dataclasses import dataclass

from idp import clock, settings
from idp.credentials import factors, passkeys, passwords
from idp.federation import links
from idp.people.models import AccountRow
from idp.sessions import assurance
from idp.sessions.models import SessionRow


def is_recent(session: SessionRow) -> bool:
    """Whether the session's last proof is fresh enough for a delicate change."""
    began = session.auth_time_proved and session.acr != assurance.LONG_LIVED_COOKIE
    last = session.proved_at or (session.auth_time if began else None)
    if last is None:
        return False
    return clock.is_within(last, settings.current().step_up_lifetime)


@dataclass(frozen=True)
class Ways:
    """By what an account's owner may prove themselves once more."""

    password: bool
    code: bool
    passkey: bool
    provider: bool


def ways_of(account: AccountRow) -> Ways:
    """The account's ways. Where a second factor is needed to sign in, a password or another
    provider's word alone is less than what the session began with, and proves nothing here.
    """
    having = factors.load(account.id)
    strict = having.required and having.any
    return Ways(
        password=passwords.has_password(account.id) and not strict,
        code=having.totp,
        passkey=bool(having.passkeys),
        provider=not strict,
    )


@dataclass(frozen=True)
class WaysIn:
    """How many of each kind an account has. A code of an app is no way in by itself."""

    password: bool
    passkeys: int
    links: int

    @property
    def count(self) -> int:
        return int(self.password) + self.passkeys + self.links


def ways_in(account_id: str, *, without_link: str | None = None) -> WaysIn:
    """The account's ways in, one link left out; exact while the caller holds the account.

    A passkey counts only where passkeys can be used at all, a link only while its provider is
    switched on.
    """
    return WaysIn(
        password=passwords.has_password(account_id),
        passkeys=passkeys.count(account_id) if passkeys.relying_party() else 0,
        links=len(links.usable(account_id, without=without_link)),
    )
