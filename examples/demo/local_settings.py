"""The provider's settings in the demo: made once where they are secret, else for each start."""

import os
import secrets

from examples.demo import places
from examples.demo.foreign_people import PROVIDERS
from examples.demo.ports import HOST, NAMES, Ports

SECRET_NAMES = (
    "IDP_SESSION_SECRET",
    "IDP_PASSWORD_PEPPER",
    "IDP_TOKEN_HASH_KEY",
    "IDP_SUBJECT_KEY",
    "PORTAL_SESSION_SECRET",
    "IDP_PROVIDER_GOOGLE_CLIENT_SECRET",
    "IDP_PROVIDER_FACEBOOK_CLIENT_SECRET",
    "IDP_PROVIDER_CABANGA_CLIENT_SECRET",
)


def make_secrets() -> dict[str, str]:
    """The demo's secrets: made at the first start, read at every other one."""
    known = _read_secrets()
    if missing := [name for name in SECRET_NAMES if not known.get(name)]:
        known |= {name: secrets.token_urlsafe(48) for name in missing}
        places.write_private(places.SECRETS, _lines(known))
    return known


def provider_settings(ports: Ports, known_secrets: dict[str, str]) -> dict[str, str]:
    """The provider's environment; also kept in a file, for commands in another terminal."""
    elsewhere = os.environ.get("DEMO_DATABASE_URL")
    history = places.HISTORY.with_stem("history-elsewhere") if elsewhere else places.HISTORY
    settings = {
        "IDP_DEMO": "true",
        "IDP_DRAIN": "0",
        "IDP_ISSUER": ports.issuer,
        "DATABASE_URL": elsewhere or f"sqlite:///{places.DATABASE}",
        "IDP_KEYS_FOLDER": str(places.KEYS),
        "IDP_HISTORY_FILE": str(history),
        "IDP_SPOOL_FOLDER": str(places.SPOOL),
        "IDP_MAIL_SERVER": HOST,
        "IDP_MAIL_PORT": str(ports.smtp),
        "IDP_MAIL_TLS": "none",
        "IDP_MAIL_FROM": "no-reply@it-school.example",
        **_providers(ports),
        **{name: text for name, text in known_secrets.items() if name.startswith("IDP_")},
    }
    places.write_private(places.SETTINGS, _lines(settings))
    return settings


def plain_environment() -> dict[str, str]:
    """Our environment without settings of another provider, and with no proxy to ourselves."""
    ours = {
        name: text
        for name, text in os.environ.items()
        if name != "DATABASE_URL" and not name.startswith(("IDP_", "PORTAL", "FLASK_"))
    }
    nobody = ",".join(NAMES)
    return {**ours, "PYTHONUNBUFFERED": "1", "NO_PROXY": nobody, "no_proxy": nobody}


def _providers(ports: Ports) -> dict[str, str]:
    settings = {}
    for provider in PROVIDERS:
        prefix, url = f"IDP_PROVIDER_{provider.key.upper()}_", provider.url(ports)
        settings[f"{prefix}CLIENT_ID"] = provider.client_id
        if provider.kind == "graph":
            settings |= {f"{prefix}GRAPH_URL": url, f"{prefix}DIALOG_URL": url}
        else:
            settings[f"{prefix}ISSUER"] = url
    return settings


def _read_secrets() -> dict[str, str]:
    if not places.SECRETS.exists():
        return {}
    lines = places.SECRETS.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _lines(variables: dict[str, str]) -> str:
    return "".join(f"{name}={text}\n" for name, text in variables.items())
