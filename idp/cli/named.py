"""The account and the school that a command is about, by what people call them."""

from idp.cli.errors import BadInput
from idp.people import accounts, schools
from idp.people.models import Account
from idp.people.names import sort_key


def account(username: str) -> Account:
    """The account of this user name or id. Raises ``BadInput``."""
    account = accounts.find_by_username(username) or accounts.find_account(username)
    if account is None:
        raise BadInput(f"there is no user {username}")
    return account


def school(text: str) -> str:
    """The id of a school, by it or by its name without accents and case. Raises ``BadInput``."""
    if schools.find_school(text) is not None:
        return text
    wanted = sort_key(text)
    matches = [each for each in schools.list_schools() if sort_key(each.name) == wanted]
    if not matches:
        raise BadInput(f"there is no school {text} (`idp school list` lists them)")
    if len(matches) > 1:
        ids = ", ".join(each.id for each in matches)
        raise BadInput(f"several schools are called {text}: say which, by its id: {ids}")
    return str(matches[0].id)
