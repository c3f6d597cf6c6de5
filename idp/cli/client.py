"""``idp client``: the applications, as RFC 7591 client metadata."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from idp.cli import client_registration, inputs, notify, output
from idp.cli.group import Noun
from idp.clients import metadata as rules
from idp.clients import profiles, registration
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
@click.option(
    "--profile",
    type=click.Choice(profiles.PROFILES),
    help="fapi2: all of FAPI 2.0 on, everything weaker off.",
)
@click.option("--redirect-uri", multiple=True, help="Where codes are sent; repeatable.")
@click.option("--post-logout-uri", multiple=True, help="Where a sign-out may lead; repeatable.")
@click.option("--scope", help='Scopes, in quotes: "openid profile child".')
@click.option("--auth-method", type=click.Choice(rules.AUTH_METHODS), help="How it proves itself.")
@click.option(
    "--auth-audience",
    type=click.Choice(rules.ASSERTION_AUDIENCES),
    help="What the assertions of private_key_jwt may name.",
)
@click.option("--jwks-file", type=click.Path(path_type=Path), help="Its public keys (JSON).")
@click.option("--jwks-uri", help="Where we read its public keys, in place of a file.")
@click.option(
    "--dpop", is_flag=True, default=None, help="Its access tokens are always bound to a key (DPoP)."
)
@click.option(
    "--first-party", is_flag=True, default=None, help="The schools' own: no consent page."
)
@click.option("--no-pkce", is_flag=True, help="Its library can't do PKCE: don't require it.")
@click.option("--public", is_flag=True, help="It keeps no secret (runs in a browser).")
@click.option("--native", is_flag=True, help="It runs on a telephone or desktop, without a secret.")
@click.option("--id-token-alg", type=click.Choice(rules.ID_TOKEN_ALGORITHMS))
@click.option("--subject-type", type=click.Choice(("pairwise", "public")))
@click.option(
    "--child-field",
    multiple=True,
    type=click.Choice(rules.CHILD_FIELDS),
    help="What it may know of the child; repeatable.",
)
@click.option("--child-profile", type=click.Choice(rules.CHILD_PROFILES))
@click.option(
    "--id-token-claim",
    multiple=True,
    type=click.Choice(rules.ID_TOKEN_CLAIMS),
    help="What of the guardian also stands in ID tokens; repeatable.",
)
@click.option(
    "--email-claim",
    type=click.Choice(rules.EMAIL_CLAIMS),
    help="unique: an address made up for it, which nobody reads.",
)
@click.option("--popups", is_flag=True, help="It opens sign-in in a window of its own.")
@click.option("--omit-iss", is_flag=True, help="Its software stumbles over iss in an answer.")
@click.option("--origin", multiple=True, help="Origin of a browser application (CORS).")
@click.option("--back-channel-logout-uri", help="Where we tell it that a session has ended.")
@click.option("--front-channel-logout-uri", help="What the browser loads when a parent signs out.")
@click.option("--security-events-uri", help="Where we tell it that a guardianship has ended.")
@click.option(
    "--security-event",
    multiple=True,
    type=click.Choice(rules.SECURITY_EVENTS),
    help="Of what else it is told there; repeatable.",
)
@click.option(
    "--resource",
    multiple=True,
    help="A resource server that it may ask for signed access tokens for; repeatable.",
)
@click.option("--device", is_flag=True, help="It runs on screens without a keyboard (RFC 8628).")
@click.option(
    "--token-exchange",
    is_flag=True,
    help="It may exchange its tokens for narrower ones (RFC 8693).",
)
@click.option("--start-uri", help="Where a parent starts it.")
@click.option("--website", help="Its home page.")
@click.option("--logo-uri", help="A picture of at most 64 KiB, which we fetch and show.")
@click.option("--policy-uri", help="Its privacy policy.")
@click.option("--tos-uri", help="Its terms of use.")
@click.option(
    "--metadata",
    "metadata_file",
    type=click.Path(path_type=Path),
    help="RFC 7591 metadata (JSON), `-` for stdin; options win over it.",
)
@output.json_option
def client_create(
    school_ids: tuple[str, ...], metadata_file: Path | None, as_json: bool, **options: Any
) -> None:
    r"""Register an application. Its secret is printed this once.

    Examples:
      idp client create "Portail" --school s_4vXb… --first-party \
        --redirect-uri https://portal.example/callback \
        --post-logout-uri https://portal.example/ --scope "openid profile child"
      idp client create --school s_4vXb… --metadata client.json
    """
    document = inputs.document(metadata_file) if metadata_file else {}
    document |= _metadata(options)
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

    Examples:
      idp client rotate-secret app_4vXb…
      idp client rotate-secret app_4vXb… --overlap 0
    """
    made = applications.rotate_secret(AT_TERMINAL, client_id, overlap=overlap)
    _print_registered(made, as_json)


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
@click.option(
    "--metadata",
    "metadata_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The fields to change (JSON), `-` for stdin; null takes a field away.",
)
@click.option("--school", "school_ids", multiple=True, help="The schools it serves; repeatable.")
@output.json_option
def client_edit(
    client_id: str, metadata_file: Path, school_ids: tuple[str, ...], as_json: bool
) -> None:
    """Change some fields of a registration. The others stay as they are.

    Example:
      idp client edit app_4vXb… --metadata changes.json
    """
    client = registration.get_client(client_id)
    document = {**client.metadata_, **inputs.document(metadata_file)}
    made = applications.change(
        AT_TERMINAL,
        client_id,
        document,
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


def _metadata(options: dict[str, Any]) -> dict[str, Any]:
    """The options as RFC 7591 metadata; what was not said is left to the registration."""
    metadata: dict[str, Any] = {
        "client_name": options["name"],
        "profile": options["profile"],
        "redirect_uris": list(options["redirect_uri"]),
        "post_logout_redirect_uris": list(options["post_logout_uri"]),
        "scope": options["scope"],
        "token_endpoint_auth_method": options["auth_method"],
        "token_endpoint_auth_audience": options["auth_audience"],
        "dpop_bound_access_tokens": options["dpop"],
        "first_party": options["first_party"],
        "id_token_signed_response_alg": options["id_token_alg"],
        "subject_type": options["subject_type"],
        "child_fields": list(options["child_field"]),
        "child_claim_profile": options["child_profile"],
        "id_token_claims": list(options["id_token_claim"]),
        "email_claim": options["email_claim"],
        "origins": list(options["origin"]),
        "resources": list(options["resource"]),
        "grant_types": _grant_types(options),
        "initiate_login_uri": options["start_uri"],
        "client_uri": options["website"],
        **{name: options[name] for name in ("jwks_uri", "logo_uri", "policy_uri", "tos_uri")},
        "backchannel_logout_uri": options["back_channel_logout_uri"],
        "frontchannel_logout_uri": options["front_channel_logout_uri"],
        "security_events_uri": options["security_events_uri"],
        "security_events": list(options["security_event"]),
    }
    if options["jwks_file"]:
        metadata["jwks"] = inputs.document(options["jwks_file"])
    if options["public"] or options["native"]:
        metadata["token_endpoint_auth_method"] = options["auth_method"] or "none"
    if options["native"]:
        metadata["application_type"] = "native"
    if options["popups"]:
        metadata["allow_popups"] = True
    if options["omit_iss"]:
        metadata["omit_iss"] = True
    if options["no_pkce"]:
        metadata["require_pkce"] = False
    return {name: value for name, value in metadata.items() if value not in (None, [])}


def _grant_types(options: dict[str, Any]) -> list[str]:
    """Nothing, which leaves the usual ones, unless one more is wanted."""
    more = [rules.DEVICE_CODE] * options["device"]
    more += [rules.TOKEN_EXCHANGE] * options["token_exchange"]
    if not more:
        return []
    is_screen = options["device"] and not options["redirect_uri"]
    usual = ["refresh_token"] if is_screen else ["authorization_code", "refresh_token"]
    return [*usual, *more]


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
    secret = {} if made.secret is None else {"client_secret": made.secret}
    if as_json:
        whole = _whole(made.client)
        output.one({"client_id": whole.pop("client_id"), **secret, **whole}, as_json=True)
        return
    short = {"client_id": made.client.id, **secret, "client_name": made.client.name}
    output.one(short, as_json=False)
    if secret:
        click.echo("Keep the secret now: it is stored as a hash and can't be shown again.")
