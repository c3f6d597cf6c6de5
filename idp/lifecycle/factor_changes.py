"""Passkeys, authenticator app and recovery codes: added, removed, with all that hangs on them.

Each change holds the account, is one transaction, is told to its owner by mail, and – where
something can't be used any more – moves the epoch, so that proofs in flight die with it.
"""

from collections.abc import Sequence

from sqlalchemy import exists, select

from idp.audit import events
from idp.credentials import factors, passkeys, recovery_codes, totp
from idp.credentials.models import Passkey, RecoveryCode, TotpSecret
from idp.database import retried, transaction
from idp.errors import Conflict, Invalid
from idp.lifecycle import endings
from idp.lifecycle.endings import Cause, Ended, These, Thing
from idp.lifecycle.second_factor import WrongCode
from idp.lifecycle.step_up import ways_in
from idp.mail import outbox
from idp.people import accounts, staff
from idp.people.models import Account, StaffRole
from idp.sessions.models import BrowserSession


class NotYours(Exception):
    """No such thing of this account, or it is gone already."""


@retried
def add_passkey(account_id: str, answer: str, name: str, *, browser: str, epoch: int) -> Passkey:
    """Keep a passkey that the guardian's browser just made.

    ``epoch``: see ``_hold``. Raises ``passkeys.NotProved``, ``Conflict`` or ``NotYours``
    (no such active account, or not theirs any more).
    """
    party = passkeys.relying_party()
    if party is None:
        raise passkeys.NotProved("not offered")
    new = passkeys.read_new(party, browser, account_id, answer)
    with transaction():
        _lock_account(account_id, epoch)
        passkey = passkeys.add(account_id, new, name)
        events.record("passkey_added", account_id=account_id, passkey=passkey.id)
        notify_owner(account_id, "passkey_added", passkey=passkey.id)
    return passkey


def note_passkey_offer(account_id: str) -> bool:
    """Whether a passkey is to be offered to who has just signed in by password; true once."""
    having = exists().where(Passkey.account_id == account_id)
    return accounts.note_passkey_offer(account_id, ~having)


@retried
def remove_passkey(account_id: str, passkey_id: str, *, keep_session: str) -> None:
    """Remove a passkey; sessions that it began end, except the one that removes it, and with
    them what applications got in them, also what was to outlive them.

    Raises ``NotYours``, ``Conflict``; then nothing has changed.
    """
    with transaction():
        _lock_account(account_id)
        if not passkeys.remove(Passkey.id == passkey_id, Passkey.account_id == account_id):
            raise NotYours
        if not ways_in(account_id).count:
            raise Conflict("last_way_in")
        _refuse_the_last(account_id)
        # Those that were over before too: a lost or stolen key may have given an application
        # access that outlives its session
        by_it = select(BrowserSession.id).where(
            BrowserSession.account_id == account_id,
            BrowserSession.passkey_id == passkey_id,
            BrowserSession.id != keep_session,
        )
        endings.end(Cause.PASSKEY_REMOVED, These(accounts=[account_id], sessions=by_it))
        events.record("passkey_removed", account_id=account_id, passkey=passkey_id)
        notify_owner(account_id, "passkey_removed")


@retried
def switch_on(account_id: str, code: str, *, browser: str, epoch: int) -> list[str]:
    """Switch two-step sign-in on with the first code of the app; returns the recovery codes.

    Raises ``WrongCode``, or ``NotYours`` where it is on already: an app is not replaced by
    another unseen. Its secret stands on the page, so that there is nothing to guess.
    """
    with transaction():
        _lock_account(account_id, epoch)
        if totp.is_on(account_id):
            raise NotYours
        if not totp.confirm(account_id, browser, code):
            raise WrongCode
        codes = recovery_codes.replace(account_id)
        events.record("two_step_on", account_id=account_id)
        notify_owner(account_id, "two_step_on")
    return codes


@retried
def switch_off(account_id: str) -> None:
    """Switch two-step sign-in off. Raises ``NotYours`` where it is off, or ``Conflict``."""
    with transaction():
        _lock_account(account_id)
        if not totp.switch_off(TotpSecret.account_id == account_id):
            raise NotYours
        _refuse_the_last(account_id)
        endings.end(Cause.APP_REMOVED, These(accounts=[account_id]))
        events.record("two_step_off", account_id=account_id)
        notify_owner(account_id, "two_step_off")


@retried
def replace_recovery_codes(account_id: str, *, epoch: int) -> list[str]:
    """New recovery codes; the older ones end. Raises ``NotYours`` without an app."""
    with transaction():
        _lock_account(account_id, epoch)
        if not totp.is_on(account_id):
            raise NotYours
        codes = recovery_codes.replace(account_id)
        events.record("recovery_codes_replaced", account_id=account_id)
        notify_owner(account_id, "recovery_codes_replaced")
    return codes


@retried
def reset(
    account_id: str, *, asked_by: str | None = None, school_ids: Sequence[str | None] = (None,)
) -> bool:
    """Remove every factor but the password (staff help); false where there was none.

    Sessions and what applications got end too. ``asked_by``: whose wish the acting person
    confirms; ``school_ids``: in whose logbooks it stands. Raises ``NotYours``: no such account.
    """
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None:
            raise NotYours
        had = (
            passkeys.remove(Passkey.account_id == account_id),
            totp.switch_off(TotpSecret.account_id == account_id),
            recovery_codes.forget(RecoveryCode.account_id == account_id),
        )
        if not any(had):
            return False
        endings.end(Cause.FACTORS_RESET, These(accounts=[account_id]))
        detail = {"asked_by": asked_by} if asked_by else {}
        for school_id in school_ids:
            events.record("factors_reset", account_id=account_id, school_id=school_id, **detail)
        notify_owner(account_id, "factors_reset")
    return True


def tell_of_wiped(account_id: str, ended: Ended, why: str) -> None:
    """Record which factors went with something else, and tell the owner by mail.

    ``why``: ``claimed`` (anew) or ``undone``.
    """
    if ended.counts.get(Thing.APP):
        events.record("two_step_off", account_id=account_id, why=why)
    if removed := ended.counts.get(Thing.PASSKEYS):
        events.record("passkey_removed", account_id=account_id, count=removed, why=why)
        notify_owner(
            account_id, "passkey_removed" if why == "undone" else "passkeys_removed_at_claim"
        )


@retried
def grant_role(
    account_id: str, role: str, school_id: str | None, *, may_print: bool = False
) -> StaffRole | None:
    """Make somebody staff; sessions without a second factor end. None: they were already.

    Raises ``Invalid``.
    """
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None:
            raise Invalid("account", "unknown")
        granted = staff.grant(account_id, role, school_id, may_print=may_print)
        if granted is not None:
            endings.end(Cause.ROLE_GIVEN, These(accounts=[account_id]))
    return granted


@retried
def revoke_role(account_id: str, role: str, school_id: str | None) -> bool:
    """Take a role away; the sessions of who had it end. False: they had it not."""
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or not staff.revoke(account_id, role, school_id):
            return False
        endings.end(Cause.ROLE_TAKEN, These(accounts=[account_id]))
    return True


def _refuse_the_last(account_id: str) -> None:
    having = factors.load(account_id)
    if having.staff and not having.any:
        raise Conflict("last_factor")


def _lock_account(account_id: str, epoch: int | None = None) -> Account:
    """The account, held. ``epoch``: what it was when whoever adds something was last known to
    be there. A claim that came since has put them out: nothing of theirs is added after it
    (security rule P14).
    """
    account = accounts.lock_account(account_id)
    if account is None or account.status != "active":
        raise NotYours
    if epoch is not None and account.credentials_epoch != epoch:
        raise NotYours
    return account


def notify_owner(account_id: str, what: str, **detail: str) -> None:
    """Tell the owner by mail, in the caller's transaction."""
    outbox.enqueue(what, account_id=account_id, about=detail)
