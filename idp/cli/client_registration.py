"""``idp client registration-token``: who may register an application without us."""

from datetime import timedelta
from typing import Any

import click

from idp import settings
from idp.cli import inputs, output, shown_once
from idp.cli.group import Noun
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import registration_tokens
from idp.desk.applications.registration_tokens import ListedToken

COLUMNS = ("token_id", "label", "scope", "used", "uses_left", "made_by", "expires_at", "works")

command = Noun("registration-token", help="Tokens by which applications register themselves.")


@command.command("create")
@click.argument("label")
@click.option(
    "--school",
    "school_ids",
    multiple=True,
    required=True,
    help="A school that they serve, by name or id; repeatable.",
)
@click.option("--uses", default=1, show_default=True, help="How many applications register by it.")
@click.option(
    "--expires", type=inputs.duration, default="7d", show_default=True, help="For how long."
)
@click.option(
    "--scope",
    default="openid profile child",
    show_default=True,
    help="What they may ask for at the most.",
)
@click.option("--no-pkce", is_flag=True, help="Their libraries can't do PKCE: don't require it.")
@output.json_option
def token_create(
    label: str,
    school_ids: tuple[str, ...],
    uses: int,
    expires: timedelta,
    scope: str,
    no_pkce: bool,
    as_json: bool,
) -> None:
    r"""Make an initial access token (RFC 7591). It is printed this once.

    What registers by it is a third party: guardians are asked for their consent.

    Example:
      idp client registration-token create "Homework Ltd" --school "Collège des Tilleuls" \
        --uses 3 --expires 14d --scope "openid child"
    """
    shown_once.check_output()
    made = registration_tokens.make(
        AT_TERMINAL,
        label,
        school_ids=school_ids,
        uses=uses,
        lifetime=expires,
        scope=scope,
        pkce_optional=no_pkce,
    )
    end = f"`idp client registration-token end {made.row.id}` ends it; make another one"
    with shown_once.explaining_failure(end):
        output.one({"token_id": made.row.id, "initial_access_token": made.text}, as_json)
    if settings.current().dynamic_registration == "off":
        click.echo("Nobody can use it: IDP_DYNAMIC_REGISTRATION is off.", err=True)


@command.command("list")
@output.json_option
def token_list(as_json: bool) -> None:
    """List every token, those that work no more too.

    Example:
      idp client registration-token list
    """
    output.rows([_row(each) for each in registration_tokens.listed(AT_TERMINAL)], COLUMNS, as_json)


@command.command("end")
@click.argument("token_id")
def token_end(token_id: str) -> None:
    """Let a token work no more. What was registered by it stays.

    Example:
      idp client registration-token end n_4vXb…
    """
    ended = registration_tokens.end(AT_TERMINAL, token_id)
    click.echo(f"{token_id} has ended." if ended else f"{token_id} had ended before.")


def _row(listed: ListedToken) -> dict[str, Any]:
    token = listed.token
    return {
        "token_id": token.id,
        "label": token.label,
        "schools": token.schools,
        "scope": token.scope,
        "pkce_optional": token.pkce_optional,
        "used": listed.used,
        "uses_left": token.uses_left,
        "made_by": token.made_by,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "works": listed.state == "works",
    }
