"""What changes about an account in its life: its address, its language, its first sign-in."""

from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.audit import events
from idp.database import db, transaction
from idp.people import directory
from idp.people.addresses import clean_email
from idp.people.models import Account
from idp.people.names import Refused, checked_username, email_key, stored_names
from idp.people.service import hold_account
from idp.settings import LOCALES


def change_email(account: Account, email: str | None, *, proved: bool) -> None:
    """Give an account another address, or none; the caller holds it (``hold_account``).

    ``proved``: whether its holder showed that mail to this very address reaches them. Callers
    use ``lifecycle.email_change``, which ends what hangs on the address. Raises ``Refused``.
    """
    email = None if email is None else clean_email("email", email)
    key = None if email is None else email_key(email)
    now = clock.now()
    account.email = email
    account.email_key = key
    account.email_verified_at = now if key and proved else None
    account.updated_at = now
    directory.refresh_accounts([account.id])


def prove_email(account: Account) -> None:
    """Note that mail to the account's present address reaches its holder, who is held."""
    if account.email and account.email_verified_at is None:
        account.email_verified_at = account.updated_at = clock.now()
        events.record("email_proved", account_id=account.id)


def change_name(account: Account, given_name: str, family_name: str) -> bool:
    """Give an account another name; the caller holds it. False where it is the same.

    Raises ``Refused``.
    """
    given, family = stored_names(given_name, family_name)
    if (given, family) == (account.given_name, account.family_name):
        return False
    account.given_name, account.family_name = given, family
    account.updated_at = clock.now()
    directory.refresh_accounts([account.id])
    return True


def change_username(account: Account, username: str) -> bool:
    """Give an account another user name; the caller holds it. False where it is the same.

    Raises ``Refused`` where it is impossible, or somebody else's.
    """
    wanted, key = checked_username(username)
    if wanted == account.username:
        return False
    try:
        # The constraint decides: two may want one name at the same moment
        with db.session.begin_nested():
            account.username, account.username_key = wanted, key
            account.updated_at = clock.now()
            db.session.flush()
    except IntegrityError:
        raise Refused("username", "is taken") from None
    directory.refresh_accounts([account.id])
    return True


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
