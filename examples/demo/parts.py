"""The processes that a demo consists of, with their commands."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from examples.demo import local_settings, places
from examples.demo.applications import Application
from examples.demo.foreign_people import PROVIDERS, ForeignProvider
from examples.demo.ports import HOST, Ports
from examples.demo.processes import Part
from examples.demo.school_year import SCHOOLS

WORKERS = 2


def demo_parts(
    ports: Ports,
    applications: Mapping[str, Application],
    provider: dict[str, str],
    secrets: Mapping[str, str],
) -> list[Part]:
    """In the order in which they start; ``provider``: the environment of its processes."""
    idp = str(places.idp_command())
    serve = ["serve", "--host", HOST, "--port", str(ports.provider), "--workers", str(WORKERS)]
    return [
        Part("mailbox", _mailbox(ports.smtp), local_settings.plain_environment()),
        Part("provider", [idp, *serve], provider),
        Part("mail-worker", [idp, "mail", "work"], provider),
        Part("import-worker", [idp, "roster", "work"], provider),
        Part("notify-worker", [idp, "notify", "work"], provider),
        *(_foreign(each, ports, secrets) for each in PROVIDERS),
        _portal("portal", "tilleuls", ports, applications, secrets, places.VISITS),
        _portal("portal2", "moulin", ports, applications, secrets, places.VISITS2),
    ]


def _mailbox(port: int) -> list[str]:
    command = [sys.executable, "-m", "examples.mailbox", "--host", HOST]
    return [*command, "--port", str(port), "--file", str(places.MAILBOX)]


def _foreign(provider: ForeignProvider, ports: Ports, secrets: Mapping[str, str]) -> Part:
    """Another provider knows ours by a client id, a secret and a redirect URI."""
    people = places.PEOPLE / f"{provider.key}.json"
    documents = [person.as_document() for person in provider.people]
    places.write_private(people, json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    options = {
        "--kind": provider.kind,
        "--name": provider.label,
        "--port": str(getattr(ports, provider.port)),
        "--path": provider.path,
        "--client-id": provider.client_id,
        "--redirect-uri": f"{ports.issuer}/federation/{provider.key}/callback",
        "--people": str(people),
    }
    secret = secrets[f"IDP_PROVIDER_{provider.key.upper()}_CLIENT_SECRET"]
    environment = {**local_settings.plain_environment(), "PROVIDER_CLIENT_SECRET": secret}
    command = [sys.executable, "-m", "examples.providers"]
    return Part(
        provider.key, [*command, *(f"{key}={text}" for key, text in options.items())], environment
    )


def _portal(
    name: str,
    school: str,
    ports: Ports,
    applications: Mapping[str, Application],
    secrets: Mapping[str, str],
    visits: Path,
) -> Part:
    """A portal knows the provider by its address and its own client id and secret, no more."""
    client = applications[f"portal-{school}"]
    environment = {
        **local_settings.plain_environment(),
        "PORTAL_CLIENT_SECRET": client.client_secret,
        "PORTAL_SESSION_SECRET": secrets["PORTAL_SESSION_SECRET"] + name,
    }
    command = [sys.executable, "-m", "examples.portal"]
    options = {
        "--school": SCHOOLS[school].name,
        "--theme": SCHOOLS[school].theme,
        "--issuer": ports.issuer,
        "--client-id": client.client_id,
        "--port": str(getattr(ports, name)),
        "--visits": str(visits),
        "--mailbox": str(places.MAILBOX),
        "--authenticator": str(places.AUTHENTICATOR),
    }
    if name == "portal2":
        helper = applications["coup-de-pouce"]
        options["--helper-client-id"] = helper.client_id
        environment["PORTAL_HELPER_SECRET"] = helper.client_secret
    return Part(name, [*command, *(f"{key}={text}" for key, text in options.items())], environment)
