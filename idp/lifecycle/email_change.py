"""Changing an account's e-mail address: asked for, confirmed, undone, with all that ends.

The new address must answer before anything changes, and the old one may take it back for a
week: whoever sits at somebody else's open session for a minute must not gain the account,
nor its owner lose it (security rules P5, P14 and P15). Nothing here looks at who else has an
address: two parents may share one, and nobody learns whether somebody does (rule E1).
"""

from dataclasses import dataclass
from datetime import datetime

from idp.audit import events
from idp.credentials import email_changes, one_time_tokens, passwords, throttling
from idp.credentials.models import EmailChange
from idp.database import retried, transaction
from idp.errors import Invalid, Throttled
from idp.lifecycle import endings, factor_changes
from idp.lifecycle.endings import Cause, These, Thing
from idp.lifecycle.step_up import ways_in
from idp.mail import outbox
from idp.people import accounts
from idp.people.addresses import can_be_mailed
from idp.people.models import Account, AccountRow
from idp.people.names import email_key
from idp.sessions import service as sessions


@dataclass(frozen=True)
class Open:
    """A link that still leads somewhere: its change, and whose account it is about."""

    change: EmailChange
    account: Account


@dataclass(frozen=True)
class Gone:
    """Used, ended, expired or never made: one and the same answer."""


@dataclass(frozen=True)
class Requested:
    """The mails are on their way; nothing has changed yet."""


@dataclass(frozen=True)
class SameAddress:
    """It is the account's address already."""


@dataclass(frozen=True)
class NotAnAddress:
    """No mail could ever reach it."""


@dataclass(frozen=True)
class SessionGone:
    """The session that asked has ended in the meantime."""


@dataclass(frozen=True)
class Disputed:
    """A change was undone against somebody's proof: until ``until`` only the school decides."""

    until: datetime


Outcome = Requested | SameAddress | NotAnAddress | SessionGone | Disputed


def request_change(account: AccountRow, new_email: str, session_id: str) -> Outcome:
    """Ask for another address: one mail to the new one, one to the old one. Raises
    ``Throttled``.
    """
    if not can_be_mailed(new_email):
        return NotAnAddress()
    key = email_key(new_email)
    if key == email_key(account.email or ""):
        return SameAddress()
    if until := email_changes.disputed_until(account.id):
        return Disputed(until)
    guard = throttling.attempt("email_change", account.id)
    if isinstance(guard, throttling.Blocked):
        raise Throttled(guard.retry_after)
    return _request_change(account.id, new_email.strip(), key, session_id)


def cancel(account_id: str, session_id: str) -> bool:
    """Take back what still waits for its confirmation; false where nothing does."""
    with transaction():
        accounts.lock_account(account_id)
        if not email_changes.end_waiting(EmailChange.account_id == account_id):
            return False
        events.record("email_change_cancelled", account_id=account_id, session_id=session_id)
    return True


def find_open(purpose: str, secret: str) -> Open | Gone:
    """What a link is about; changes nothing, however often it is opened (security rule P7)."""
    change = email_changes.find_by_secret(purpose, secret)
    account = accounts.find_account(change.account_id) if change else None
    if change is None or account is None or not _answers(purpose, account):
        return Gone()
    return Open(change, account)


@retried
def confirm(secret: str) -> Open | Gone:
    """Make the new address the account's, on the word of whoever reads its mail."""
    with transaction():
        match _held("confirm", secret):
            case Open(change, account) if email_changes.confirm(change):
                accounts.change_email(account, change.new_email, proved=True)
                endings.end(Cause.ADDRESS_CONFIRMED, These(accounts=[account.id]))
                events.record("email_changed", account_id=account.id, change_id=change.id)
                _notify("email_changed", change)
                if change.old_email:
                    _notify("email_changed_old", change)
                return Open(change, account)
    events.record("email_change_refused", result="refused", reason="confirm")
    return Gone()


@retried
def undo(secret: str) -> Open | Gone:
    """Give the account a proved address back, on the word of whoever reads that one's mail.

    They say that it was not them. So sessions, grants, tokens and known devices end, and every
    way in that somebody gained since; where none is left, the address gets a token for a new
    password (security rule P14). A password, passkey or link that is still proved stays: the
    reader of a mailbox proves no more than its holder does, so neither puts the other out, and
    the school decides (rule N1; docs/decisions/who-takes-an-address-back.md).
    """
    with transaction():
        match _held("undo", secret):
            case Open(change, account) if email_changes.undo(change):
                if change.confirmed_at is not None:
                    accounts.change_email(account, change.taken_back_by, proved=True)
                kept = _end_since(account.id, change.asked_at)
                if kept:
                    email_changes.dispute(change)
                events.record(
                    "email_change_undone", account_id=account.id, change_id=change.id, kept=kept
                )
                outbox.enqueue(
                    "email_undone",
                    account_id=account.id,
                    about={"change_id": change.id, "token": not kept},
                )
                _notify("email_undone_new", change)
                return Open(change, account)
    events.record("email_change_refused", result="refused", reason="undo")
    return Gone()


@retried
def by_staff(account_id: str, email: str) -> bool:
    """Another address on the school's word; false where it is the same.

    Ends older tokens (security rule P15) and a change that waits for its confirmation. Both
    addresses are told. One that the holder had proved may undo it for seven days: who may
    correct an address may have a token sent there, and so open an account with children at
    schools of which they know nothing (rules A2 and C3). One that never answered may be a
    stranger's, and gets no secret (rule N1). Raises ``Invalid``.
    """
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status == "disabled":
            raise Invalid("account", "unknown_or_disabled")
        if email_key(email) == account.email_key:
            return False
        old_email, proved = account.email, _is_proved(account)
        accounts.move_epochs([account_id])
        accounts.change_email(account, email, proved=False)
        endings.end(Cause.ADDRESS_CORRECTED, These(accounts=[account_id]))
        change = email_changes.settled(account_id, old_email, email.strip(), proved=proved)
        events.record("email_changed", account_id=account_id, change_id=change.id, by="school")
        for kind in ("email_changed", "email_changed_old") if old_email else ("email_changed",):
            _notify(kind, change, by="school")
    return True


def _end_since(account_id: str, since: datetime) -> bool:
    """End every session, and each way in that somebody gained since then; whether one is left.

    A password that was changed since with a proof of the one before it stays, as do passkeys and
    links from before: whoever has them proves as much as whoever asks for the end (rule N1).
    """
    root = passwords.rooted_at(account_id)
    rooted = root is not None and root <= since
    cause = Cause.ADDRESS_TAKEN_BACK if rooted else Cause.ADDRESS_TAKEN_BACK_FROM_CLAIM
    ended = endings.end(cause, These(accounts=[account_id], since=since))
    factor_changes.tell_of_wiped(account_id, ended, "undone")
    if withdrawn := ended.counts[Thing.CONSENTS]:
        events.record("consent_withdrawn", account_id=account_id, count=withdrawn)
    return bool(ways_in(account_id).count)


@retried
def _request_change(account_id: str, new_email: str, key: str, session_id: str) -> Outcome:
    with transaction():
        account = accounts.lock_account(account_id)
        # A reset or a sign-out may have come between; then whoever asks is out (rule P14)
        if account is None or not sessions.is_live(session_id, account_id):
            return SessionGone()
        if key == account.email_key:
            return SameAddress()
        proved = _is_proved(account)
        change = email_changes.begin_change(account_id, account.email, new_email, proved=proved)
        events.record(
            "email_change_asked",
            account_id=account_id,
            session_id=session_id,
            change_id=change.id,
        )
        outbox.enqueue(
            "email_confirm", account_id=account_id, about={"change_id": change.id, "email": key}
        )
        if account.email:
            _notify("email_change_asked", change)
    return Requested()


def _held(purpose: str, secret: str) -> Open | Gone:
    """``find_open``, the account locked: whoever sets its password or address waits or has gone."""
    link = find_open(purpose, secret)
    if isinstance(link, Gone):
        return link
    account = accounts.lock_account(link.account.id)
    if account is None or not _answers(purpose, account):
        return Gone()
    return Open(link.change, account)


def _answers(purpose: str, account: Account) -> bool:
    """A closed account takes no new address, but its holder may take theirs back: else whoever
    closed it could wait for the week to end, and open it again.
    """
    return purpose == "undo" or account.status == "active"


def _is_proved(account: Account) -> bool:
    """Whether mail to the account's present address has reached its holder, who said so."""
    if account.email is None:
        return False
    if account.email_verified_at is not None:
        return True
    return one_time_tokens.proved_address(account.id, account.email_key)


def _notify(kind: str, change: EmailChange, **more: str) -> None:
    outbox.enqueue(kind, account_id=change.account_id, about={"change_id": change.id, **more})
