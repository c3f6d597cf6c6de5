"""What changes about an account in its life: its address, its language, its first sign-in."""

from idp import clock
from idp.audit import events
from idp.database import transaction
from idp.people import directory
from idp.people.models import Account
from idp.people.names import Refused, email_key
from idp.people.service import hold_account
from idp.settings import LOCALES


def change_email(account: Account, email: str | None, *, proved: bool) -> None:
    """Give an account another address, or none; the caller holds it (``hold_account``).

    ``proved``: whether its holder showed that mail to this very address reaches them. Callers
    use ``lifecycle.email_change``, which ends what hangs on the address. Raises ``Refused``.
    """
    key = None if email is None else email_key(email)
    if key == "":
        raise Refused("email", "is not an e-mail address")
    now = clock.now()
    account.email = email.strip() if email is not None else None
    account.email_key = key
    account.email_verified_at = now if key and proved else None
    account.updated_at = now
    directory.refresh_accounts([account.id])


def prove_email(account: Account) -> None:
    """Note that mail to the account's present address reaches its holder, who is held."""
    if account.email and account.email_verified_at is None:
        account.email_verified_at = account.updated_at = clock.now()
        events.record("email_proved", account_id=account.id)


def set_locale(account_id: str, locale: str) -> None:
    """Keep the language of a guardian's pages and mails; raises ``Refused``."""
    if locale not in LOCALES:
        raise Refused("locale", f"is none of {', '.join(LOCALES)}")
    with transaction():
        account = hold_account(account_id)
        if account is None or account.locale == locale:
            return
        account.locale = locale
        account.updated_at = clock.now()
        events.record("profile_changed", account_id=account_id, field="locale")


def note_sign_in(account: Account) -> bool:
    """Note a sign-in of an account that the caller holds; true for its first, once."""
    first = account.first_sign_in_at is None
    account.last_sign_in_at = clock.now()
    account.first_sign_in_at = account.first_sign_in_at or account.last_sign_in_at
    return first
