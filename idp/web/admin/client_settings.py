"""The settings of one application, for its administrator to paste."""

from idp.clients import recipes as of_clients
from idp.clients.recipes import Recipe
from idp.desk.applications import Application
from idp.oidc import discovery


def recipes(application: Application, secret: str | None = None) -> list[Recipe]:
    """The settings for each kind of software, with ``secret`` if it was just made."""
    client = application.client
    return of_clients.of(client.id, client.metadata_, discovery.metadata(), secret)
