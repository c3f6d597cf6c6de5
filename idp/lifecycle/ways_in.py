"""By which ways an account may be entered: the last one can't be removed."""

from dataclasses import dataclass

from idp.credentials import passkeys, passwords
from idp.federation import links


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
