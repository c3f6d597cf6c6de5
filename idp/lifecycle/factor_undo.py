"""A way in or a second factor that was added is taken back: by a mail's link and the password.

Whoever sits at an open session for a minute must not lock its owner out. The owner proves more: the
mailbox, and a password that no mailed token has set since – a mailbox alone must not get past a
second factor (security rule A3). The link is a keyed hash of what was added: nothing is stored, it
dies with the thing, and a doubled mail is one.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from idp import clock
from idp.audit import events
from idp.credentials import passkeys, totp
from idp.credentials import passwords as stored
from idp.credentials.models import Passkey, TotpSecret
from idp.database import hashes, retried, transaction
from idp.federation import links
from idp.federation.models import FederatedLink
from idp.lifecycle import endings, factor_changes, passwords
from idp.lifecycle.endings import Cause, These
from idp.people import accounts
from idp.people.models import Account

_PURPOSE: Final = "factor undo"
UNDONE_WITHIN: Final = timedelta(days=7)


@dataclass(frozen=True)
class Added:
    """What was added to an account, and when. ``kind``: ``app``, ``passkey`` or ``link``."""

    kind: str
    id: str
    account: Account
    at: datetime

    @property
    def secret(self) -> str:
        """What the mail's link carries."""
        return f"{self.kind}.{self.id}.{hashes.derived(_PURPOSE, self._message)}"

    @property
    def _message(self) -> str:
        return f"{self.kind}.{self.id}.{self.at.isoformat()}"

    def is_proved_by(self, mac: str) -> bool:
        """Whether the link of a mail about it ends so."""
        return hashes.is_derived(mac, _PURPOSE, self._message)


@dataclass(frozen=True)
class Gone:
    """Removed, too long ago, or never added."""


def find(kind: str, thing_id: str) -> Added | None:
    """What is there of this kind and id; of an app the id is the account's."""
    row = _row(kind, thing_id)
    account = accounts.find_account(row[0]) if row else None
    return Added(kind, thing_id, account, row[1]) if row and account else None


def link_of(account_id: str, provider: str) -> Added | None:
    """The account's link to a provider."""
    mine = (each for each in links.of_account(account_id) if each.provider == provider)
    link = next(mine, None)
    return find("link", link.id) if link else None


def find_open(secret: str) -> Added | Gone:
    """What a mail's link is about; changes nothing, however often it is opened (rule P7)."""
    kind, _, rest = secret.partition(".")
    thing_id, _, mac = rest.partition(".")
    added = find(kind, thing_id)
    if added is None or not added.is_proved_by(mac):
        return Gone()
    if added.account.status != "active" or clock.now() - added.at > UNDONE_WITHIN:
        return Gone()
    return added


def is_provable(added: Added) -> bool:
    """Whether the account's password goes back to before this was added."""
    root = stored.rooted_at(added.account.id)
    return root is not None and root <= added.at


def undo(secret: str, password: str, *, device_secret: str | None = None) -> Added | Gone:
    """Take it back, and end every session. Raises ``passwords.WrongPassword``, ``Throttled``."""
    added = find_open(secret)
    if isinstance(added, Gone) or not is_provable(added):
        return Gone()
    passwords.prove_again(added.account, password, device_secret=device_secret)
    return _undo(secret)


@retried
def _undo(secret: str) -> Added | Gone:
    with transaction():
        added = find_open(secret)
        if isinstance(added, Gone):
            return added
        account = accounts.lock_account(added.account.id)
        added = find_open(secret)
        if account is None or isinstance(added, Gone) or not is_provable(added):
            return Gone()
        endings.end(_remove(added), These(accounts=[account.id]))
        events.record("factor_undone", account_id=account.id, kind=added.kind)
        factor_changes.notify_owner(account.id, f"{added.kind}_undone")
    return added


def _remove(added: Added) -> Cause:
    """Remove what was added, in the caller's transaction; why what hangs on it ends."""
    match added.kind:
        case "app":
            totp.switch_off(TotpSecret.account_id == added.id)
            return Cause.APP_UNDONE
        case "passkey":
            passkeys.remove(Passkey.id == added.id)
            return Cause.PASSKEY_UNDONE
    links.remove(FederatedLink.id == added.id)
    return Cause.LINK_UNDONE


def _row(kind: str, thing_id: str) -> tuple[str, datetime] | None:
    match kind:
        case "app":
            app = totp.since(thing_id)
            return (thing_id, app.created_at) if app else None
        case "passkey":
            passkey = passkeys.find(thing_id)
            return (passkey.account_id, passkey.created_at) if passkey else None
        case "link":
            link = links.get_link(thing_id)
            return (link.account_id, link.linked_at) if link else None
    return None
