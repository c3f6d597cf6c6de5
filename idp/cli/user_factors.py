"""``idp user factors``: help for who has lost phone and passkey."""

from typing import Any

import click

from idp.cli import output
from idp.cli.group import Noun
from idp.cli.users import named
from idp.credentials import factors, passkeys, totp
from idp.lifecycle import factor_changes

command = Noun("factors", help="Passkeys, authenticator apps, recovery codes.")


@command.command("list")
@click.argument("username")
@output.json_option
def factors_list(username: str, as_json: bool) -> None:
    """Show what an account has beside its password.

    Example:
      idp user factors list claire.dubois
    """
    account = named(username)
    having, row = factors.of(account.id), totp.since(account.id)
    mine = [
        {"id": each.id, "name": each.name, "added": each.created_at, "used": each.last_used_at}
        for each in passkeys.of(account.id)
    ]
    facts: dict[str, Any] = {
        "username": account.username,
        "required": having.required,
        "authenticator_app_since": row.created_at if row else None,
        "recovery_codes_left": having.codes_left,
        "passkeys": mine if as_json else len(mine),
    }
    output.one(facts, as_json)
    if mine and not as_json:
        click.echo("\nPasskeys:")
        output.rows(mine, ("id", "name", "added", "used"), as_json)


@command.command("reset")
@click.argument("username")
def factors_reset(username: str) -> None:
    """Remove passkeys, app and recovery codes: make sure first that it is really them.

    Their sessions and what applications got end, and they are told by mail. Staff set up a new
    second factor at their next sign-in.

    Example:
      idp user factors reset claire.dubois
    """
    account = named(username)
    done = factor_changes.reset(account.id)
    click.echo(
        f"The second factors of {account.username} are removed." if done else "There were none."
    )
