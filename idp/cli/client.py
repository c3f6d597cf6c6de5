"""``idp client``: the applications, as RFC 7591 client metadata."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from idp.cli import client_options, client_registration, inputs, notify, output, shown_once
from idp.cli.group import Noun
from idp.clients import registration
from idp.clients.models import Client
from idp.deliveries import listing
from idp.desk.access.rights import AT_TERMINAL
from idp.desk.applications import service as applications

command = Noun("client", help="Applications that parents sign in to.")
command.add_command(client_registration.command)


@command.command("create")
@click.argument("name", required=False)
@click.option(
    "--school",
    "school_ids",
    multiple=True,
    required=True,
    help="A school's name or id; repeatable.",
)
@client_options.metadata_options
@click.option(
    "--metadata",
    "metadata_file",
    type=click.Path(path_type=Path),
    help="RFC 7591 metadata (JSON), `-` for stdin; options win over it.",
)
@output.json_option
def client_create(
    name: str | None,
    school_ids: tuple[str, ...],
    metadata_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    r"""Register an application. Its secret is printed this once.

    Examples:
      idp client create "Portail" --school s_4vXb… --first-party \
        --redirect-uri https://portal.example/callback \
        --post-logout-uri https://portal.example/ --scope "openid profile child"
      idp client create --school s_4vXb… --metadata client.json
    """
    document = inputs.document(metadata_file) if metadata_file else {}
    document |= {"client_name": name} if name else {}
    document |= client_options.metadata_of(options, document)
    shown_once.check_output()
    made = applications.register(AT_TERMINAL, document, school_ids=school_ids)
    _print_registered(made, as_json)


@command.command("list")
@output.json_option
def client_list(as_json: bool) -> None:
    """List every application, disabled ones too.

    Example:
      idp client list
    """
    rows = [_row(client) for client in registration.list_clients()]
    columns = ("client_id", "client_name", "auth_method", "first_party", "scope", "disabled_at")
    output.rows(rows, columns, as_json)


@command.command("show")
@click.argument("client_id")
@output.json_option
def client_show(client_id: str, as_json: bool) -> None:
    """Show an application's registration.

    Example:
      idp client show app_4vXb… --json
    """
    output.one(_whole(registration.get_client(client_id)), as_json)


@command.command("deliveries")
@click.argument("client_id")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@output.json_option
def client_deliveries(client_id: str, limit: int, as_json: bool) -> None:
    """List what an application was told of, the newest first: told when, or why not yet.

    Example:
      idp client deliveries app_4vXb…
    """
    shown = listing.of_client(registration.get_client(client_id).id, limit + 1)
    rows = [notify.row_of(each.row) for each in shown]
    columns = tuple(name for name in notify.COLUMNS if name != "client_id")
    output.rows(list(output.limited(rows, limit, "--limit")), columns, as_json)


@command.command("rotate-secret")
@click.argument("client_id")
@click.option(
    "--overlap",
    type=inputs.duration,
    default="24h",
    show_default=True,
    help="How long the former secret goes on working; 0 if it was disclosed.",
)
@output.json_option
def client_rotate_secret(client_id: str, overlap: timedelta, as_json: bool) -> None:
    """Give an application a new secret. It is printed this once.

    While a former secret works, it goes on, and the new one takes the place of the last: what was
    lost before it was entered is made again so. If the application has the last one already, say
    `idp client end-old-secret` first.

    Examples:
      idp client rotate-secret app_4vXb…
      idp client rotate-secret app_4vXb… --overlap 0
    """
    shown_once.check_output()
    made = applications.rotate_secret(AT_TERMINAL, client_id, overlap=overlap)
    _print_registered(made, as_json)
    until = made.client.previous_secret_expires_at
    if until is None:
        click.echo("No other secret works any more.", err=as_json)
        return
    click.echo(f"The former secret works until {until:%Y-%m-%d %H:%M}Z.", err=as_json)
    if made.newest_ended:
        click.echo("The one that was made last before this one has ended.", err=as_json)


@command.command("end-old-secret")
@click.argument("client_id")
def client_end_old_secret(client_id: str) -> None:
    """Let the secret from before the last rotation work no longer.

    Example:
      idp client end-old-secret app_4vXb…
    """
    done = applications.end_former_secret(AT_TERMINAL, client_id)
    click.echo(f"{client_id} has one secret." if done else f"{client_id} had one secret only.")


@command.command("edit")
@click.argument("client_id")
@click.option("--name", help="What parents see when they sign in.")
@click.option("--school", "school_ids", multiple=True, help="The schools it serves; repeatable.")
@client_options.metadata_options
@click.option(
    "--metadata",
    "metadata_file",
    type=click.Path(path_type=Path),
    help="Fields to change (JSON), `-` for stdin; null takes a field away. Options win over it.",
)
@output.json_option
def client_edit(
    client_id: str,
    name: str | None,
    school_ids: tuple[str, ...],
    metadata_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    r"""Change some fields of a registration. The others stay as they are.

    An option that may be repeated replaces the whole list; "" takes a field away.

    Examples:
      idp client edit app_4vXb… --post-logout-uri https://portal.example/ --pushed-requests
      idp client edit app_4vXb… --policy-uri ""
      idp client edit app_4vXb… --metadata changes.json
    """
    client = registration.get_client(client_id)
    changes = inputs.document(metadata_file) if metadata_file else {}
    changes |= {"client_name": name} if name is not None else {}
    changes |= client_options.metadata_of(options, {**client.metadata_, **changes})
    if not changes and not school_ids:
        raise click.UsageError("say what is to change: an option, or --metadata")
    shown_once.check_output()
    made = applications.change(
        AT_TERMINAL,
        client_id,
        {**client.metadata_, **changes},
        school_ids=school_ids or None,
        version=client.version,
    )
    _print_registered(made, as_json)


@command.command("disable")
@click.argument("client_id")
def client_disable(client_id: str) -> None:
    """Disable an application: its codes and tokens stop working at once.

    Example:
      idp client disable app_4vXb…
    """
    done = applications.disable(AT_TERMINAL, client_id)
    click.echo(f"{client_id} is disabled." if done else f"{client_id} was disabled before.")


@command.command("enable")
@click.argument("client_id")
def client_enable(client_id: str) -> None:
    """Let a disabled application work again; guardians sign in to it anew.

    Example:
      idp client enable app_4vXb…
    """
    done = applications.enable(AT_TERMINAL, client_id)
    click.echo(f"{client_id} is enabled." if done else f"{client_id} was not disabled.")


def _row(client: Client) -> dict[str, Any]:
    document = client.metadata_
    return {
        "client_id": client.id,
        **document,
        "auth_method": document["token_endpoint_auth_method"],
        "disabled_at": client.disabled_at,
    }


def _whole(client: Client) -> dict[str, Any]:
    schools = [school.id for school in registration.schools_of(client.id)]
    return {
        "client_id": client.id,
        **client.metadata_,
        "schools": schools,
        "created_at": client.created_at,
        "former_secret_until": client.previous_secret_expires_at,
        "disabled_at": client.disabled_at,
    }


def _print_registered(made: registration.Registered, as_json: bool) -> None:
    again = f"`idp client rotate-secret {made.client.id}` makes another secret"
    with shown_once.explaining_failure(
        f"{made.client.id} is stored" + (f"; {again}" if made.secret else "")
    ):
        _print(made, as_json)


def _print(made: registration.Registered, as_json: bool) -> None:
    secret = {} if made.secret is None else {"client_secret": made.secret}
    if as_json:
        whole = _whole(made.client)
        output.one({"client_id": whole.pop("client_id"), **secret, **whole}, as_json=True)
        return
    short = {"client_id": made.client.id, **secret, "client_name": made.client.name}
    output.one(short, as_json=False)
    if secret:
        click.echo("Keep the secret now: it is stored as a hash and can't be shown again.")
