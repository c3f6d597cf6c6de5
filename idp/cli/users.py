"""The account that a command is about."""

from idp.cli.errors import BadInput
from idp.people import accounts
from idp.people.models import Account


def named(username: str) -> Account:
    """The account of this user name or id. Raises ``BadInput``."""
    account = accounts.find_by_username(username) or accounts.find_account(username)
    if account is None:
        raise BadInput(f"there is no user {username}")
    return account
