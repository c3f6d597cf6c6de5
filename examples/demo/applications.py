"""The demo's relying parties, registered with the provider as any application is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from examples.demo import places
from examples.demo.ports import HOST, Ports
from idp.clients import registration
from idp.clients.metadata import CHILD_FIELDS
from idp.errors import NotFound
from idp.people.models import School

CURL_REDIRECT_URI = "http://127.0.0.1:9/callback"
"""Nobody listens at the discard port: the browser's address bar shows the code."""

PORTAL_FIELDS = [field for field in CHILD_FIELDS if field != "sourced_id"]


@dataclass(frozen=True)
class Application:
    """A registered application, with the secret that was given to it once."""

    client_id: str
    client_secret: str


def register_all(schools: Mapping[str, School], ports: Ports) -> dict[str, Application]:
    """Register what is missing and bring the rest to today's ports."""
    known = _read()
    registered = {
        name: _register(name, metadata, [schools[key].id for key in keys], known.get(name))
        for name, (metadata, keys) in _wanted(schools, ports).items()
    }
    secrets = {name: application.client_secret for name, application in registered.items()}
    if secrets != known:
        places.write_private(places.CLIENTS, json.dumps(secrets, indent=2) + "\n")
    return registered


def _wanted(
    schools: Mapping[str, School], ports: Ports
) -> dict[str, tuple[dict[str, Any], list[str]]]:
    portal, portal2 = f"http://{HOST}:{ports.portal}", f"http://{HOST}:{ports.portal2}"
    return {
        "portal-tilleuls": (_portal(schools["tilleuls"], portal), ["tilleuls"]),
        "portal-moulin": (_portal(schools["moulin"], portal2), ["moulin"]),
        "coup-de-pouce": (_helper(portal2), ["moulin"]),
        "demo-curl": (_curl(), ["tilleuls", "moulin"]),
    }


def _portal(school: School, url: str) -> dict[str, Any]:
    return {
        "client_name": f"Portail – {school.name}",
        "client_uri": f"{url}/",
        "initiate_login_uri": f"{url}/login",
        "redirect_uris": [f"{url}/callback"],
        "post_logout_redirect_uris": [f"{url}/"],
        "scope": "openid profile email child",
        "grant_types": ["authorization_code"],
        "first_party": True,
        "child_fields": PORTAL_FIELDS,
        **_told(url, "school"),
    }


def _told(url: str, name: str) -> dict[str, str]:
    """Where it hears of sessions and guardianships that end (``examples/portal/notices.py``)."""
    return {
        "backchannel_logout_uri": f"{url}/logout-token/{name}",
        "security_events_uri": f"{url}/security-events/{name}",
    }


def _helper(url: str) -> dict[str, Any]:
    """A third party: the parent is asked, and it sees no more of the child than the default."""
    return {
        "client_name": "Coup de pouce",
        "client_uri": f"{url}/coup-de-pouce",
        "redirect_uris": [f"{url}/coup-de-pouce/callback"],
        "scope": "openid profile child",
        "grant_types": ["authorization_code"],
        **_told(url, "helper"),
    }


def _curl() -> dict[str, Any]:
    return {
        "client_name": "curl",
        "redirect_uris": [CURL_REDIRECT_URI],
        "post_logout_redirect_uris": [CURL_REDIRECT_URI],
        "scope": "openid profile email child offline_access",
        "grant_types": ["authorization_code", "refresh_token"],
        "first_party": True,
        "require_pkce": False,
        "child_fields": list(CHILD_FIELDS),
    }


def _register(
    client_id: str, metadata: dict[str, Any], school_ids: list[str], secret: str | None
) -> Application:
    try:
        client = registration.get_client(client_id)
    except NotFound:
        new = registration.register(metadata, school_ids=school_ids, client_id=client_id)
        return Application(client_id, new.secret or "")
    if any(client.metadata_.get(name) != value for name, value in metadata.items()):
        registration.change(client_id, metadata)
    # A start that was stopped between registration and our file: the secret is lost
    if not secret:
        secret = registration.rotate_secret(client_id).secret or ""
    return Application(client_id, secret)


def _read() -> dict[str, str]:
    try:
        return dict(json.loads(places.CLIENTS.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
