"""``idp user merge``, ``enable``, ``factors``: acts of the school's desk, at a terminal."""

from typing import Any

import click

from idp.cli import named, output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.credentials import factors, passkeys, totp
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.people import account_actions, merging
from idp.lifecycle import factor_changes


@click.argument("keep")
@click.argument("close")
@click.confirmation_option(prompt="The second account is closed. Are both the same person's?")
@output.json_option
def merge(keep: str, close: str, as_json: bool) -> None:
    """Merge two accounts of one person: the first is kept, the second is closed.

    The children of both are then the kept account's. Passwords and other ways in stay where they
    are. The holder of the kept account is told by mail.

    Example:
      idp user merge claire.dubois claire.dubois2 --yes
    """
    kept, closed = named.account(keep), named.account(close)
    gained = merging.merge(AT_TERMINAL, kept.id, closed.id)
    output.one({"kept": kept.username, "closed": closed.username, "children": gained}, as_json)


@click.argument("username")
@click.option("--given-name")
@click.option("--family-name")
@click.option("--username", "wanted", help="Another user name. The password stays.")
def edit(
    username: str, given_name: str | None, family_name: str | None, wanted: str | None
) -> None:
    """Correct a guardian's name or user name; its holder is told by mail.

    Examples:
      idp user edit claire.dubois --family-name Dubois-Maes
      idp user edit clare.dubois --username claire.dubois
    """
    account = named.account(username)
    changed = False
    if given_name is not None or family_name is not None:
        changed = account_actions.correct_name(
            AT_TERMINAL,
            account.id,
            account.given_name if given_name is None else given_name,
            account.family_name if family_name is None else family_name,
            {"given_name": account.given_name, "family_name": account.family_name},
        ).changed
    if wanted is not None:
        changed |= account_actions.correct_username(AT_TERMINAL, account.id, wanted).changed
    click.echo("It is corrected." if changed else "Nothing was different.")


@click.argument("username")
def enable(username: str) -> None:
    """Let a disabled account in again. What ended with it stays ended.

    Example:
      idp user enable claire.dubois
    """
    account = named.account(username)
    if not account_actions.enable_account(AT_TERMINAL, account.id):
        raise BadInput(f"{account.username} is not disabled")
    click.echo(f"{account.username} is enabled.")


command = Noun("factors", help="Passkeys, authenticator apps, recovery codes.")


@command.command("list")
@click.argument("username")
@output.json_option
def factors_list(username: str, as_json: bool) -> None:
    """Show what an account has beside its password.

    Example:
      idp user factors list claire.dubois
    """
    account = named.account(username)
    having, row = factors.load(account.id), totp.since(account.id)
    mine = [
        {"id": each.id, "name": each.name, "added": each.created_at, "used": each.last_used_at}
        for each in passkeys.passkeys_of(account.id)
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
    account = named.account(username)
    done = factor_changes.reset(account.id)
    click.echo(
        f"The second factors of {account.username} are removed." if done else "There were none."
    )
