"""``idp user role``: who is staff; the rules are ``idp.desk.staff``'s."""

from typing import Any

import click

from idp.cli import named, output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.desk import staff as roles
from idp.desk.access.rights import AT_TERMINAL
from idp.errors import NotFound
from idp.people import staff
from idp.people.models import STAFF_ROLES, Account, StaffRole

COLUMNS = ("username", "role", "school_id", "may_print", "granted_at", "account_id")

command = Noun("role", help="Who is staff: operators, managers of a school, helpers.")

which_role = click.argument("role", type=click.Choice(STAFF_ROLES))
at_school = click.option(
    "--school", "school_id", help="The school that the role is for, by name or id."
)


@command.command("grant")
@click.argument("username")
@which_role
@at_school
@click.option("--may-print", is_flag=True, help="Letters with connection tokens, too.")
@output.json_option
def role_grant(
    username: str, role: str, school_id: str | None, may_print: bool, as_json: bool
) -> None:
    """Give a role. Staff need a second factor, so that their sessions end.

    Printing letters is a right of its own: give the role again with or without --may-print.

    Examples:
      idp user role grant marc.janssens operator
      idp user role grant claire.dubois manager --school s_12 --may-print
    """
    account = named.account(username)
    if account.status == "disabled":
        raise BadInput(f"{account.username} is disabled")
    granted = roles.give(AT_TERMINAL, account.username, role, school_id, may_print=may_print)
    if granted is None:
        had = _had(account, role, school_id)
        changed = had.may_print != may_print
        roles.let_print(AT_TERMINAL, had.id, allowed=may_print)
        sentence = "may print letters now" if may_print else "may print no letters any more"
        words = sentence if changed else "had that role before"
        click.echo(f"{account.username} {words}.", err=as_json)
    for each in [granted] if granted else []:
        output.one(_row(each, account), as_json)


@command.command("revoke")
@click.argument("username")
@which_role
@at_school
def role_revoke(username: str, role: str, school_id: str | None) -> None:
    """Take a role away; its holder's sessions end, and a mail says so.

    Example:
      idp user role revoke claire.dubois manager --school s_12
    """
    account = named.account(username)
    try:
        roles.take_role(AT_TERMINAL, _had(account, role, school_id).id)
    except NotFound:
        click.echo("They had no such role.")
        return
    click.echo(f"{account.username} is no {role} any more.")


@command.command("list")
@output.json_option
def role_list(as_json: bool) -> None:
    """List staff by user name.

    Example:
      idp user role list
    """
    rows = [_row(role, account) for role, account in staff.everybody()]
    output.rows(rows, COLUMNS, as_json)


def _had(account: Account, role: str, school_id: str | None) -> StaffRole:
    for each in staff.roles_of(account.id):
        if (each.role, each.school_id) == (role, school_id):
            return each
    raise NotFound("role", role)


def _row(role: StaffRole, account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        **output.fields(role, "role", "school_id", "may_print", "granted_at", "account_id"),
    }
