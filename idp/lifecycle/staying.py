"""Staying signed in: which account may, and what a browser finds that comes back with its key.

A key stands for a sign-in that was made before, and proves nothing anew: the session that it opens
says so (``acr`` « 0 », ``auth_time`` of that sign-in). It never stands in for a second step, and
asks at each use for the session that it was last used for: whatever has ended that ended the key.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, select

from idp import clock, settings
from idp.audit import events
from idp.credentials import factors
from idp.database import db, retried, transaction
from idp.lifecycle import endings
from idp.lifecycle.endings import Cause, These
from idp.lifecycle.sign_in import notify_new_device
from idp.mail import outbox
from idp.people import accounts
from idp.people.guardianships import LiveGuardianship
from idp.people.models import Account, School
from idp.sessions import persistent, returns
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, PersistentLogin
from idp.sessions.persistent import DeviceKey, Judged
from idp.sessions.service import SignedIn


@dataclass(frozen=True)
class CameBack:
    """What the browser gets: a session, and the next key."""

    session_secret: str
    key: DeviceKey


@dataclass(frozen=True)
class Gone:
    """The key opens nothing any more."""


def days_of(account_id: str) -> int:
    """For how many days this account's browsers may stay signed in; 0: not at all.

    The strictest of the guardian's schools counts. Whoever needs a second step – staff, and who
    has switched it on – proves it at each sign-in (security rule A3).
    """
    if factors.load(account_id).required:
        return 0
    default = settings.current().stay_signed_in_days
    strictest = db.session.scalar(
        select(func.min(func.coalesce(School.stay_signed_in_days, default)))
        .join(LiveGuardianship, LiveGuardianship.school_id == School.id)
        .where(LiveGuardianship.account_id == account_id)
    )
    return default if strictest is None else int(strictest)


@retried
def keep(account_id: str, session_id: str) -> DeviceKey | None:
    """Let the browser of a session stay signed in whose owner has just proved who they are; None
    where it may not, or where the session has ended meanwhile.
    """
    with transaction():
        accounts.lock_account(account_id)
        days = days_of(account_id)
        if not days or not sessions.is_live(session_id, account_id):
            return None
        events.record("device_kept", account_id=account_id, session_id=session_id, days=days)
        return persistent.begin(account_id, session_id, timedelta(days=days))


@retried
def follow(key: DeviceKey, account_id: str, session_id: str) -> bool:
    """The same person has signed in anew in the browser of this key: it hangs on that session now,
    for as long as it would have lasted. False where it is not theirs, has ended, or is a copy.
    """
    family = persistent.find(key)
    if family is None or family.account_id != account_id:
        return False
    with transaction():
        account, row = _lock(family)
        if account is None or row is None:
            return False
        if persistent.judge(row, key) is Judged.COPIED:
            _end_copied(account, row)
            return False
        if sessions.lock_left(row.session_id) is None:
            return False  # what has ended the key's last session has ended the key
        persistent.follow(row, session_id)
    return True


@retried
def forget(key: DeviceKey, *, for_: str | None = None) -> None:
    """End the family of this key with what it has opened: its owner leaves, or the browser stays
    signed in anew, ``for_`` this account.

    A copy is noticed here too: to sign out may be the first that its owner does after the thief.
    """
    family = persistent.find(key)
    if family is None:
        return
    with transaction():
        account, row = _lock(family)
        if account is None or row is None:
            return
        judged, replaced = persistent.judge(row, key), row.account_id == for_
        if judged is Judged.COPIED:
            _end_copied(account, row)
            return
        # The same person goes on here; what another one opened a moment ago by this key does not
        if not replaced or judged is Judged.AGAIN:
            endings.end(Cause.SIGNED_OUT, These(sessions=_opened(row), replaced=replaced))
        persistent.forget(PersistentLogin.id == row.id)


def _lock(family: PersistentLogin) -> tuple[Account | None, PersistentLogin | None]:
    """The family with its account, as they are now; nobody else changes them meanwhile."""
    return accounts.lock_account(family.account_id), persistent.lock(family.id)


def last_session(key: DeviceKey) -> SignedIn | None:
    """The last session of the browser that holds this key, run out or not, and whose it is."""
    row = db.session.execute(
        select(BrowserSession, Account)
        .join(PersistentLogin, PersistentLogin.session_id == BrowserSession.id)
        .join(Account, Account.id == PersistentLogin.account_id)
        .where(PersistentLogin.family_hash == key.family_hash, sessions.is_left())
    ).one_or_none()
    return None if row is None else SignedIn(*row)


@retried
def come_back(key: DeviceKey, *, device: str, device_secret: str | None) -> CameBack | Gone | None:
    """Open a session by a device key, which is used up; None: nothing now, in another tab perhaps.

    ``device``: the browser in words; ``device_secret``: by which the account may know it.
    """
    family = persistent.find(key)
    if family is None:
        return Gone()
    with transaction():
        account, row = _lock(family)
        if account is None or row is None:
            return Gone()
        match persistent.judge(row, key):
            case Judged.COPIED:
                _end_copied(account, row)
                return Gone()
            case Judged.AGAIN:
                return _again(row, key)
        # Held: whoever ends it at this moment was first, or ends what follows it
        last = sessions.lock_left(row.session_id)
        if last is None or not _may_stay(account, row):
            persistent.forget(PersistentLogin.id == row.id)
            return Gone()
        session = _session(last, key.session_secret, device)
        persistent.rotate(row, key, session.id)
        notify_new_device(account, session, device_secret)
    return CameBack(key.session_secret, key.successor)


def _may_stay(account: Account, row: PersistentLogin) -> bool:
    return account.status == "active" and clock.now() < persistent.ends_at(row, days_of(account.id))


def _session(last: BrowserSession, secret: str, device: str) -> BrowserSession:
    """The browser's last session goes on, or another one that stands on the same sign-in."""
    if sessions.is_in_use(last):
        returns.resume(last, secret)
        return last
    return returns.begin_after(last, secret, device)


def _again(row: PersistentLogin, key: DeviceKey) -> CameBack | None:
    """What the first of two tabs got, as long as nothing has changed about it."""
    opening = persistent.opened(row, key)
    theirs = sessions.find(opening.session_secret) if opening else None
    if opening is None or theirs is None or theirs.session.id != row.session_id:
        return None
    return CameBack(opening.session_secret, opening.successor)


def _end_copied(account: Account, row: PersistentLogin) -> None:
    """Nobody can tell the owner from the thief: neither goes on, and the owner hears of it."""
    last = db.session.get_one(BrowserSession, row.session_id)
    endings.end(Cause.DEVICE_KEY_COPIED, These(sessions=_opened(row)))
    persistent.forget(PersistentLogin.id == row.id)
    events.record("device_key_copied", account_id=account.id, session_id=last.id)
    if account.email:
        about = {"device": last.device}
        outbox.enqueue("device_key_copied", account_id=account.id, about=about)


def _opened(row: PersistentLogin) -> Select[Any]:
    """Every session that this family has opened."""
    return select(BrowserSession.id).where(persistent.sessions_of(row.id))
