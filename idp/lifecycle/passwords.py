"""Proving, claiming and changing a password, with all that ends when it changes."""

from typing import Final

from idp import correlation, measures, settings
from idp.audit import events
from idp.credentials import devices, factors, one_time_tokens, passwords, strength, throttling
from idp.credentials.models import OneTimeToken
from idp.credentials.one_time_tokens import Live
from idp.credentials.strength import WeakPassword
from idp.database import release_connection, retried, transaction
from idp.errors import Invalid, Throttled
from idp.lifecycle import endings, factor_changes
from idp.lifecycle.endings import Cause, Ended, These
from idp.lifecycle.sign_in import Proof
from idp.mail import outbox
from idp.people import accounts, guardianships
from idp.people.models import Account, AccountRow

__all__ = ["Throttled", "WeakPassword"]


class TokenGone(Exception):
    """The token was spent, replaced, has expired or never was."""


class WrongPassword(Exception):
    """Not this account's password, or no such active account: from outside the same."""


PASSWORD: Final = ("pwd",)
MAILED_TOKEN: Final = ("otp",)
"""RFC 8176: with a mailed token, that is what was proved; the new password was only chosen."""


def prove_password(
    identifier: str, password: str, *, address: str | None, device_secret: str | None = None
) -> Proof:
    """The proof of the active account whose user name (or unshared address) and password these are.

    Raises ``WrongPassword``, ``Throttled`` or ``bcrypt_gate.Busy``. The work is the same
    whether the account exists, is invited or disabled, or is throttled (security rule E1).
    """
    account = accounts.find_by_identifier(identifier)
    account_id, epoch = (account.id, account.credentials_epoch) if account else (None, 0)
    known = devices.is_known_device(account_id, device_secret)
    outcome = throttling.check_sign_in(identifier, account_id, address, known, device_secret)
    if isinstance(outcome, throttling.Blocked) and not outcome.hidden:
        throttling.note("sign_in_refused", outcome, account_id)
        measures.sign_in(measures.PASSWORD, "throttled")
        raise Throttled(outcome.retry_after)
    judged = account if account and account.status == "active" else None
    if isinstance(outcome, throttling.Blocked):
        judged = None
    proved = passwords.verify(judged.id if judged else None, password)
    if judged is None or not proved:
        if isinstance(outcome, throttling.Blocked):
            throttling.note("sign_in_refused", outcome, account_id)
        else:
            events.record("sign_in_refused", result="wrong", account_id=account_id)
        measures.sign_in(measures.PASSWORD, "wrong")
        raise WrongPassword
    throttling.reset_sign_in(identifier, judged.id, address, known, device_secret)
    measures.sign_in(measures.PASSWORD, "ok")
    return Proof(judged.id, epoch, PASSWORD)


def prove_again(account: AccountRow, current: str, *, device_secret: str | None = None) -> Proof:
    """The proof of a signed-in guardian by their password, on the sign-in page's budget.

    Raises ``WrongPassword``, ``Throttled`` or ``bcrypt_gate.Busy``.
    """
    epoch = account.credentials_epoch
    _prove_current(account, current, device_secret)
    return Proof(account.id, epoch, PASSWORD)


def claim_with_token(token: str | Live, password: str) -> Proof:
    """Spend a verified token for a new password: the account is its holder's from now on.

    ``token``: its id, or what was just found by it.

    One transaction spends the token, saves the password, makes the account active and ends
    what was before – sessions, grants, tokens, known devices (security rules P6, P14, P15).
    Raises ``TokenGone``, ``WeakPassword`` or ``bcrypt_gate.Busy``; then nothing has changed.
    """
    live = one_time_tokens.find_by_id(token) if isinstance(token, str) else token
    if not isinstance(live, Live):
        events.record("token_refused", token_id=token)
        raise TokenGone
    token_id = live.token.id
    _check_new(live.account, password)
    new = passwords.hashed(password)
    try:
        account = _claim(live.token, live.account.id, new)
    except TokenGone:
        events.record("token_refused", token_id=token_id, account_id=live.account.id)
        raise
    return Proof(account.id, account.credentials_epoch, MAILED_TOKEN, mailed=True)


def change_password(
    account: AccountRow,
    current: str,
    new: str,
    keep_session_id: str | None,
    *,
    device_secret: str | None = None,
) -> None:
    """Change a signed-in guardian's password; only the session ``keep_session_id`` goes on.

    Raises ``WrongPassword``, ``WeakPassword``, ``Throttled`` or ``bcrypt_gate.Busy``.
    """
    proved = _prove_current(account, current, device_secret)
    _check_new(account, new)
    hashed = passwords.hashed(new)
    if not _change(account.id, proved, hashed, keep_session_id, device_secret):
        raise WrongPassword


def set_first_password(account_id: str, password: str) -> Account:
    """Give an account a password from the command line, and make it active.

    Raises ``Invalid`` for an unknown or disabled account, and ``WeakPassword``.
    """
    account = accounts.find_account(account_id)
    if account is None:
        raise Invalid("account", "unknown")
    _check_new(account, password)
    return _set(account_id, passwords.hashed(password))


@retried
def _claim(token: OneTimeToken, account_id: str, new: passwords.Hashed) -> Account:
    token_id = token.id
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status == "disabled":
            raise TokenGone
        was_invited = account.status == "invited"
        if not one_time_tokens.spend(token_id):
            raise TokenGone
        passwords.store(account_id, new)
        accounts.activate(account)
        # Whoever holds it reads the mail of the address that it went to, if it is still theirs
        if one_time_tokens.was_sent_to(token, account.email_key):
            accounts.prove_email(account)
        ended = end_before_claim(account, first=was_invited)
        events.record("password_set", account_id=account_id, token_id=token_id)
        unlinked = [each.provider for each in ended.links]
        outbox.enqueue("password_changed", account_id=account_id, about={"unlinked": unlinked})
    return account


@retried
def _change(
    account_id: str,
    proved: passwords.Hashed,
    new: passwords.Hashed,
    keep_session_id: str | None,
    device_secret: str | None,
) -> bool:
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status != "active":
            return False
        # A reset may have come between: then the old password proves nothing any more
        if not passwords.replace(account_id, proved, new):
            return False
        these = These(
            accounts=[account_id], keep_session=keep_session_id, keep_device=device_secret
        )
        endings.end(Cause.PASSWORD_CHANGED, these)
        events.record("password_changed", account_id=account_id, session_id=keep_session_id)
        outbox.enqueue("password_changed", account_id=account_id)
    return True


@retried
def _set(account_id: str, new: passwords.Hashed) -> Account:
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status == "disabled":
            raise Invalid("account", "disabled")
        was_invited = account.status == "invited"
        passwords.store(account_id, new)
        accounts.activate(account)
        end_before_claim(account, first=was_invited)
        events.record("password_set", account_id=account_id)
    return account


def end_before_claim(account: Account, *, first: bool) -> Ended:
    """End what was before somebody claimed an account that the caller holds (security rule P14).

    ``first``: nobody had claimed it before. The owner is let in at once, however often strangers
    guessed.
    """
    cause = Cause.CLAIMED
    if not factors.has_any(account.id):
        cause = Cause.RESET_BY_PASSKEY_ONLY  # no factor is there to end
    elif not first:
        having = factors.load(account.id)
        only = having.required and not having.totp
        cause = Cause.RESET_BY_PASSKEY_ONLY if only else Cause.RESET
    ended = endings.end(cause, These(accounts=[account.id]))
    if not first:
        factor_changes.tell_of_wiped(account.id, ended, "claimed")
    address = correlation.current().address
    throttling.reset_claim(account.id, account.username, account.email or "", address=address)
    return ended


def _prove_current(
    account: AccountRow, current: str, device_secret: str | None
) -> passwords.Hashed:
    """Judge the current password, on the budget of the sign-in page (security rule E7)."""
    address = correlation.current().address
    known = devices.is_known_device(account.id, device_secret)
    guarded = (account.username, account.id, address, known, device_secret)
    outcome = throttling.check_sign_in(*guarded)
    if isinstance(outcome, throttling.Blocked):
        throttling.note("password_refused", outcome, account.id)
        measures.sign_in(measures.PASSWORD, "throttled")
        raise Throttled(outcome.retry_after)
    proved = passwords.proved_hash(account.id, current)
    if proved is None:
        events.record("password_refused", result="wrong", account_id=account.id)
        measures.sign_in(measures.PASSWORD, "wrong")
        raise WrongPassword
    throttling.reset_sign_in(*guarded)
    measures.sign_in(measures.PASSWORD, "ok")
    return proved


def _check_new(account: AccountRow, password: str) -> None:
    context = _own_words(account)
    release_connection()
    strength.check_new(password, context=context)


def _own_words(account: AccountRow) -> list[str]:
    """What somebody who knows the guardian would try first (security rule P4)."""
    local, _, domain = (account.email or "").partition("@")
    words = [account.username, account.given_name, account.family_name, local, domain]
    words.append(settings.current().platform_name)
    for child, _guardianship in guardianships.live_children(account.id):
        words += [child.given_name, child.family_name, child.school.name]
    return words
