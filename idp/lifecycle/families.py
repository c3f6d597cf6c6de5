"""Invitations, the end of a guardianship, the end of an account: with all that hangs on them."""

from collections.abc import Mapping

from idp.credentials import devices, email_changes, one_time_tokens
from idp.database import retried, transaction
from idp.errors import Invalid
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.oidc import grants_service
from idp.people import accounts, guardianships, linking
from idp.people.models import Account
from idp.sessions import service as sessions


@retried
def end_guardianship(account_id: str, child_id: str, reason: str, code: str | None = None) -> bool:
    """End a guardianship everywhere, at once; false where there is none.

    ``reason``: free text; ``code``: one of ``people.models.END_REASONS``.
    After the commit no session remembers the child, no grant names it (security rule C2).
    """
    with transaction():
        if not linking.mark_guardianship_ended(account_id, child_id, reason, code):
            return False
        sessions.forget_child(account_id, child_id)
        grants_service.end_for_guardianship(account_id, child_id, "guardianship ended")
    return True


@retried
def disable_account(account_id: str) -> bool:
    """Disable an account and end its sessions, grants, tokens and known devices.

    False if there is none or it was disabled before.
    """
    with transaction():
        if not accounts.mark_disabled(account_id):
            return False
        _end_what_hangs_on(account_id)
    return True


def close_account(account_id: str) -> bool:
    """Disable an account whose last guardianship has ended; false where one is left.

    In the transaction that ended it, in which the caller holds the account. The next
    guardianship opens it again (``open_again``).
    """
    with transaction():
        if guardianships.has_live_children(account_id):
            return False
        if not accounts.mark_disabled(account_id, closed=True):
            return False
        _end_what_hangs_on(account_id)
    return True


def open_again(account_id: str) -> bool:
    """Open an account that was closed for want of a guardianship; false where it was not."""
    return _enable(account_id, closed_only=True)


@retried
def enable_account(account_id: str) -> bool:
    """Let a disabled account in again, whyever it was disabled; false where it was not.

    What ended with it stays ended: sessions, tokens, applications' access.
    """
    with transaction():
        enabled = _enable(account_id, closed_only=False)
        if enabled:
            outbox.enqueue("account_enabled", account_id=account_id)
    return enabled


def _enable(account_id: str, *, closed_only: bool) -> bool:
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status != "disabled":
            return False
        if closed_only and account.closed_at is None:
            return False
        accounts.mark_enabled(account)
    return True


def _end_what_hangs_on(account_id: str) -> None:
    sessions.end_all(account_id)
    grants_service.end_for_account(account_id, "account disabled")
    one_time_tokens.end_all(account_id)
    # What was in use may still be taken back: closing and linking again must not use that up
    email_changes.end_waiting(account_id)
    devices.forget_devices(account_id)


def invite(account_id: str, client_id: str | None = None) -> OutboxMessage:
    """Queue an invitation; ``client_id``: the application whose start page it leads to.

    Its token is minted when it is sent. Raises ``Invalid`` unless the account is
    invited and has an address.
    """
    with transaction():
        account = _invited(account_id)
        if not account.email:
            raise Invalid("email", "letter_instead")
        return outbox.enqueue("invitation", account_id=account_id, about={"client_id": client_id})


def issue_letter_token(account_id: str) -> str:
    """A token in clear, to be printed in a letter; ends older ones.

    Invalid once the account is active (security rule A5): raises ``Invalid``.
    """
    with transaction():
        _invited(account_id)
        return one_time_tokens.mint(account_id, "first_sign_in")


def issue_letter_tokens(drawn: Mapping[str, str]) -> None:
    """``issue_letter_token`` for many, in the caller's transaction: accounts with the tokens of
    their letters, which are set by now (``one_time_tokens.draw``).

    Invalid once an account is active (security rule A5): raises ``Invalid`` for all.
    """
    with transaction():
        if len(accounts.lock_invited(list(drawn))) != len(drawn):
            raise Invalid("account", "no_longer_invited")
        one_time_tokens.keep_each(drawn, "first_sign_in")


def _invited(account_id: str) -> Account:
    account = accounts.lock_account(account_id)
    if account is None:
        raise Invalid("account", "unknown")
    if account.status != "invited":
        raise Invalid("account", "not_invited", status=account.status)
    return account
