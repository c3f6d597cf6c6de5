"""A new token for somebody who is not signed in: mailed, because they or the school asked for it,
or printed.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import or_, select

from idp import clock
from idp.credentials import one_time_tokens
from idp.database import db, transaction, update_all
from idp.errors import Invalid
from idp.mail import outbox
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.people.models import Account
from idp.people.names import as_meant, email_key
from idp.settings import LOCALES

AGAIN_AFTER: Final = timedelta(minutes=10)
"""For so long a token that the school sent is not sent again."""


def send_token(account_id: str) -> OutboxMessage | None:
    """Queue the mail with a token that an account needs next, on the school's word: the first one,
    or one for a new password. None where one is on its way.

    The row of the account decides between clicks at the same moment. The token is minted when
    the mail is sent: whoever asks never sees it (security rule A5). Raises ``Invalid``
    where the account is disabled or has no address.
    """
    with transaction():
        account = accounts.lock_account(account_id)
        if account is None or account.status == "disabled":
            raise Invalid("account", "unknown_or_disabled")
        if not account.email:
            raise Invalid("email", "letter_instead")
        if _on_its_way(account_id):
            return None
        if account.status == "invited":
            return outbox.enqueue("invitation", account_id=account_id)
        return outbox.enqueue("school_token", account_id=account_id)


def _on_its_way(account_id: str) -> bool:
    """Whether such a mail waits, or has just left; one that an import put off leaves now."""
    now = clock.now()
    theirs = (
        OutboxMessage.account_id == account_id,
        OutboxMessage.kind.in_(("invitation", "school_token")),
    )
    waits = OutboxMessage.status == "queued"
    just_left = (OutboxMessage.status == "sent") & (OutboxMessage.created_at > now - AGAIN_AFTER)
    update_all(
        OutboxMessage,
        *theirs,
        waits,
        OutboxMessage.attempts == 0,
        OutboxMessage.due_at > now,
        due_at=now,
    )
    query = select(OutboxMessage.id).where(*theirs, or_(waits, just_left))
    return db.session.scalar(query.limit(1)) is not None


def request_reset(email_text: str, *, client_id: str | None, locale: str) -> None:
    """Queue a reset for whoever has this address, perhaps nobody.

    One row, whatever was typed: who has the address is the mail worker's to find out, so
    that neither answer nor time tells (security rule E1). The mail goes to the stored
    address, never to the typed one (P16).
    """
    about = {
        "email": email_key(as_meant(email_text)),
        "client_id": client_id,
        "locale": locale if locale in LOCALES else None,
    }
    with transaction():
        outbox.enqueue("password_reset", about=about)


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

    Refused once the account is active (security rule A5): raises ``Invalid``.
    """
    with transaction():
        _invited(account_id)
        return one_time_tokens.mint(account_id, "first_sign_in")


def issue_letter_tokens(drawn: Mapping[str, str]) -> None:
    """``issue_letter_token`` for many, in the caller's transaction: accounts with the tokens of
    their letters, which are set by now (``one_time_tokens.draw``).

    Refused once an account is active (security rule A5): raises ``Invalid`` for all.
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
