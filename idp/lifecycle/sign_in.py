"""From a proof of who somebody is to a session, in one transaction.

The account's owner hears of a new device.

A proof takes a moment to judge. Whatever changes meanwhile how the account may be entered –
a password reset in another browser, the account's end – moves the account's epoch, and a
proof of an earlier epoch opens nothing any more (security rules P15 and S1).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from idp import clock
from idp.audit import events
from idp.credentials import devices
from idp.database import retried, transaction
from idp.mail import outbox
from idp.people import accounts
from idp.people.models import Account
from idp.sessions import assurance
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, SessionRow


class ProofGone(Exception):
    """What was proved holds no longer: the account was changed or disabled in the meantime."""


@dataclass(frozen=True)
class Proof:
    """That somebody is the holder of an account.

    ``epoch``: the account's ``credentials_epoch`` as read *before* the proof was judged.
    ``amr``: RFC 8176 values of what was really done. ``auth_time``: when it was done, where
    another provider or an earlier factor tells; None: now. ``auth_time_proved`` is false where
    a provider does not tell, so that nobody is told a time (security rule F9). ``link_id`` and
    ``passkey_id``: what it came by, whose removal ends the session. ``mailed``: by a token that
    was mailed or printed, which may be opened in anybody's browser.
    """

    account_id: str
    epoch: int
    amr: tuple[str, ...]
    link_id: str | None = None
    passkey_id: str | None = None
    mailed: bool = False
    auth_time: datetime | None = None
    auth_time_proved: bool = True

    @property
    def acr(self) -> str:
        return assurance.acr_of(self.amr)


@retried
def begin(
    proof: Proof, *, device: str = "", device_secret: str | None = None
) -> tuple[BrowserSession, str]:
    """Begin the session that a proof opens; returns it with the secret for the cookie.

    ``device_secret``: by which the account may know the browser. Raises ``ProofGone``.
    """
    with transaction():
        account = _lock_proved(proof)
        begun = sessions.begin(
            proof.account_id,
            amr=proof.amr,
            acr=proof.acr,
            device=device,
            auth_time=proof.auth_time,
            auth_time_proved=proof.auth_time_proved,
            link_id=proof.link_id,
            passkey_id=proof.passkey_id,
        )
        notify_new_device(account, begun[0], device_secret)
    return begun


@retried
def step_up(session: SessionRow, proof: Proof) -> str:
    """Note a fresh proof in a session that goes on; returns its new secret (security rule S1).

    A weaker proof than the session began with says that its owner is still there; what the
    session tells applications stays what it was (security rule F9). Raises ``ProofGone``.
    """
    now = clock.now()
    changes: dict[str, Any] = {"proved_at": now}
    if assurance.meets(proof.acr, session.acr):
        changes |= {
            "amr": " ".join(proof.amr),
            "acr": proof.acr,
            "passkey_id": proof.passkey_id,
        }
        if proof.link_id is not None:
            # It speaks for the link from now on, and ends with it (rule F9)
            changes["link_id"] = proof.link_id
        if proof.auth_time_proved:
            changes |= {"auth_time": proof.auth_time or now, "auth_time_proved": True}
    with transaction():
        _lock_proved(proof)
        secret = sessions.renew(session.id, account_id=proof.account_id, **changes)
    if secret is None:
        raise ProofGone
    return secret


def _lock_proved(proof: Proof) -> Account:
    account = accounts.lock_account(proof.account_id)
    if account is None or account.status != "active" or account.credentials_epoch != proof.epoch:
        raise ProofGone
    return account


def notify_new_device(account: Account, session: BrowserSession, device_secret: str | None) -> None:
    """Tell the owner of a sign-in from an unknown browser, in the transaction that begins it.

    Not for the very first sign-in, and not where a mailed token was what let them in: that
    browser's owner reads this mailbox, and the mail about the new password says it all.
    """
    first = accounts.note_sign_in(account)
    if first or not account.email or session.amr == "otp":
        return
    if devices.is_known_device(account.id, device_secret):
        return
    events.record("new_device", account_id=account.id, session_id=session.id)
    about = {"session_id": session.id, "device": session.device}
    outbox.enqueue("new_device", account_id=account.id, about=about)
