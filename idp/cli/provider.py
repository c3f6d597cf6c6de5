"""``idp provider``: other providers that parents may sign in with."""

import click
from flask import current_app
from sqlalchemy import func, select

from idp.cli import named, output
from idp.cli.errors import BadInput
from idp.cli.group import Noun
from idp.database import db
from idp.federation import authorization_request
from idp.federation.models import FederatedLink
from idp.lifecycle import federation
from idp.settings import current
from idp.settings.providers import ProviderSettings

COLUMNS = ("key", "label", "enabled", "issuer", "client_id", "redirect_uri", "links")


@click.group("provider", cls=Noun)
def command() -> None:
    """Other providers: configured by the environment, see `idp check --settings`."""


@command.command("list")
@output.json_option
def list_providers(as_json: bool) -> None:
    """List the configured providers, with the redirect URI that each has to know.

    Example:
      idp provider list --json
    """
    counted = db.session.execute(
        select(FederatedLink.issuer, func.count()).group_by(FederatedLink.issuer)
    )
    links = {str(issuer): int(count) for issuer, count in counted}
    locale = str(current_app.config["BABEL_DEFAULT_LOCALE"])
    rows = [_row(each, locale, links.get(each.issuer, 0)) for each in current().providers]
    output.rows(rows, COLUMNS, as_json)


@command.command("unlink")
@click.argument("username")
@click.argument("key")
def unlink(username: str, key: str) -> None:
    """Remove a guardian's link to a provider, with the sessions that came from it.

    Without another way in, the guardian asks for a token with « Forgotten password ».

    Example:
      idp provider unlink claire.dubois google
    """
    account = named.account(username)
    if not federation.end_by_operator(account.id, key):
        raise BadInput(f"{account.username} is not linked to {key}")
    click.echo(f"{account.username} is no longer linked to {key}.")


def _row(provider: ProviderSettings, locale: str, links: int) -> dict[str, object]:
    return {
        "key": provider.key,
        "label": provider.label(locale),
        **output.fields(provider, "enabled", "issuer", "client_id"),
        "redirect_uri": authorization_request.redirect_uri(provider.key),
        "links": links,
    }
