"""``idp token``: one-time connection tokens for letters."""

import click

from idp import clock, settings
from idp.cli import output
from idp.cli.group import Noun
from idp.cli.users import named
from idp.lifecycle import families
from idp.mail.messages import welcome_link

command = Noun("token", help="One-time connection tokens for letters.")


@command.command("issue")
@click.argument("username")
@output.json_option
def token_issue(username: str, as_json: bool) -> None:
    """Print a token for a letter to a guardian who has not signed in yet; earlier ones end.

    It is shown this once and stored as a hash. Refused once the account is active.

    Example:
      idp token issue claire.dubois
    """
    account = named(username)
    expires_at = clock.now() + settings.current().first_sign_in_lifetime
    token = families.issue_letter_token(account.id)
    row = {
        "username": account.username,
        "token": token,
        "link": welcome_link(token),
        "expires_at": expires_at,
    }
    output.one(row, as_json)
