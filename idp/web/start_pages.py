"""Where a parent may go from here: the start pages of the applications of their schools."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import session

from idp import settings
from idp.clients import registration
from idp.clients.models import ClientRow

_OFFERED = "offered_application"


@dataclass(frozen=True)
class StartPage:
    """An application that a parent can start from our page."""

    client_id: str
    name: str
    uri: str
    ours: bool
    """The school's own, rather than a third party's."""


def offer(client_id: str | None) -> None:
    """Offer this application first on the parent's next page (it sent the invitation)."""
    if client_id is not None:
        session[_OFFERED] = client_id


def start_pages(school_ids: list[str]) -> list[StartPage]:
    """The applications to start: first the one that was offered, then the schools' own."""
    clients: list[ClientRow] = []
    clients += registration.clients_of_schools(school_ids) if school_ids else []
    offered = session.get(_OFFERED)
    if offered and offered not in {client.id for client in clients}:
        invited_by = registration.find(offered)
        clients = [invited_by, *clients] if invited_by else clients
    pages = [page for client in clients if (page := start_page(client))]
    return sorted(pages, key=lambda page: (page.client_id != offered, not page.ours))


def start_of(client_id: str) -> StartPage | None:
    """The start page of the application of this id, None where there is none."""
    client = registration.find(client_id)
    return start_page(client) if client else None


def start_page(client: ClientRow) -> StartPage | None:
    """The start page of one application, None where it registered none.

    OpenID Connect Core §4: a sign-in that somebody else initiates names the issuer.
    """
    uri = registration.start_page(client)
    if uri is None:
        return None
    if uri == client.metadata_.get("initiate_login_uri"):
        uri += ("&" if "?" in uri else "?") + urlencode({"iss": settings.current().issuer})
    return StartPage(client.id, client.name, uri, bool(client.metadata_["first_party"]))
