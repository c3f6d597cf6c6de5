"""What ``idp check`` finds in settings and files: what would be unsafe in production, and why.

Each check is a small function that yields findings. Those that ask the database and the keys
are in ``idp.doctor.installation``, those of variables in ``idp.doctor.environment``.
"""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import make_url

from idp.doctor import Finding, Findings, environment, lifetimes, private_file
from idp.resources import folder
from idp.settings import LOCALES, Settings, UnsafeSettings, safety

RECOMMENDED_BCRYPT_COST: Final = 12
SHORTEST_CLIENT_SECRET: Final = 16
NEAR: Final = frozenset({"", "localhost", "127.0.0.1", "::1"})
"""Hosts of an address that are this machine; the empty one is a socket."""
GRAPH_ENDS: Final = {
    "v21.0": "2027-01-21",
    "v22.0": "2027-05-20",
    "v23.0": "2027-10-08",
    "v24.0": "2028-02-18",
    "v25.0": "2028-07-29",
}
"""As Facebook announced by November 2026."""


def refuse_unsafe(settings: Settings, variables: dict[str, str]) -> None:
    """Raise ``UnsafeSettings`` with whatever ``idp check`` calls unsafe; the demo may be so."""
    findings = [*of_settings(settings), *environment.of_variables(variables)]
    dangers = [each.sentence.rstrip(".") for each in findings if each.level == "danger"]
    if dangers and not settings.demo:
        raise UnsafeSettings(dangers)


def of_settings(settings: Settings) -> list[Finding]:
    """What the settings alone, and the files that they name, tell."""
    return [finding for check in SETTINGS_CHECKS for finding in check(settings)]


# The settings


def _refused(settings: Settings) -> Findings:
    for problem in safety.problems(settings):
        yield Finding(
            "danger", "settings", f"{problem}.", "Correct it; `idp serve` refuses to start."
        )


def _demo(settings: Settings) -> Findings:
    if settings.demo:
        yield Finding(
            "danger",
            "demo",
            "IDP_DEMO is on: plain HTTP, weak hashing and local secrets are let through.",
            "Unset IDP_DEMO wherever real families sign in.",
        )


def _transport(settings: Settings) -> Findings:
    if not settings.secure:
        yield Finding(
            "danger",
            "issuer",
            f"The issuer {settings.issuer} is plain HTTP: passwords travel readable, and "
            "cookies can't have the __Host- prefix.",
            "Put a TLS proxy in front and set IDP_ISSUER to its https address.",
        )
    elif not settings.trusted_proxies:
        yield Finding(
            "notice",
            "trusted proxies",
            "IDP_TRUSTED_PROXIES is empty: behind a TLS proxy every visitor has the proxy's "
            "address, so one visitor's wrong guesses slow all others.",
            "Name the proxy's network, such as 10.0.0.0/24.",
        )
    for network in settings.trusted_proxies:
        if network.prefixlen == 0:
            yield Finding(
                "danger",
                "trusted proxies",
                f"IDP_TRUSTED_PROXIES trusts every address ({network}): anybody may claim any.",
                "Name only the networks of your own proxies.",
            )


def _hashing(settings: Settings) -> Findings:
    if settings.bcrypt_cost < RECOMMENDED_BCRYPT_COST:
        faster = 2 ** (RECOMMENDED_BCRYPT_COST - settings.bcrypt_cost)
        yield Finding(
            "danger" if settings.bcrypt_cost < 10 else "notice",
            "bcrypt",
            f"IDP_BCRYPT_COST is {settings.bcrypt_cost}: stolen hashes are guessed {faster} times "
            "faster than they need be.",
            f"Set it to {RECOMMENDED_BCRYPT_COST} or more; hashes follow at the next sign-in.",
        )
    if settings.password_minimum < 12:
        yield Finding(
            "notice",
            "passwords",
            f"Passwords of {settings.password_minimum} characters are let through.",
            "Set IDP_PASSWORD_MINIMUM to 12 or more.",
        )


def _mail(settings: Settings) -> Findings:
    if settings.mail_tls == "none":
        yield Finding(
            "notice",
            "mail",
            "IDP_MAIL_TLS is none: mails, which carry one-time tokens, leave in clear.",
            "Use starttls or implicit unless the mail server on this machine encrypts further on.",
        )
    if settings.mail_from.rpartition("@")[2] in {"localhost", ""}:
        yield Finding(
            "danger",
            "mail",
            f"Mails come from {settings.mail_from}, which nobody can answer and many refuse.",
            "Set IDP_MAIL_FROM to an address of your domain (with SPF and DKIM).",
        )


def _shared_secrets(settings: Settings) -> Findings:
    """The pepper and its kin are worth nothing where the same text is kept elsewhere."""
    database = urlsplit(settings.database_url).password or ""
    for name, other in (("IDP_MAIL_PASSWORD", settings.mail_password), ("DATABASE_URL", database)):
        for secret in ("session_secret", "password_pepper", "token_hash_key", "subject_key"):
            if other and other.encode() == getattr(settings, secret):
                yield Finding(
                    "danger",
                    "secrets",
                    f"IDP_{secret.upper()} is the same as the password in {name}.",
                    "Give each its own random value.",
                )


def _database_address(settings: Settings) -> Findings:
    parts = urlsplit(settings.sqlalchemy_url)
    if parts.scheme.startswith("sqlite"):
        yield Finding(
            "notice",
            "database",
            "The database is SQLite: right for one machine, not for several.",
            "With several machines, set DATABASE_URL to a PostgreSQL database.",
        )
        yield from private_file(
            Path(settings.database_url.removeprefix("sqlite:///")), "DATABASE_URL"
        )
        return
    far, mode = _way_to_postgresql(settings)
    if far and mode not in {"verify-full", "verify-ca"}:
        yield Finding(
            "danger",
            "database",
            f"The way to PostgreSQL at {', '.join(far)} has sslmode={mode}: nobody checks who "
            "answers.",
            "Add ?sslmode=verify-full&sslrootcert=… to DATABASE_URL.",
        )


def _way_to_postgresql(settings: Settings) -> tuple[list[str], str]:
    """The other machines that libpq may ask, and how it checks who answers: by what SQLAlchemy
    tells it of the address, and where that says nothing by PGHOST and its kin, or a service file.
    """
    from psycopg import pq  # noqa: PLC0415 - there is a PostgreSQL

    url = make_url(settings.sqlalchemy_url)
    _, named = url.get_dialect()().create_connect_args(url)
    usual = {
        each.keyword.decode(): (each.val or b"").decode() for each in pq.Conninfo.get_defaults()
    }
    way = {**usual, **named}
    hosts = (way["hostaddr"] or way["host"]).split(",")
    # A path, or a name in Linux's own space, is a socket of this machine
    far = [host for host in hosts if not host.startswith(("/", "@")) and host not in NEAR]
    return far, way["sslmode"] or "prefer"


def _private_hosts(settings: Settings) -> Findings:
    for each in settings.outgoing_private_hosts:
        if each.endswith("/0"):
            yield Finding(
                "danger",
                "outgoing",
                f"IDP_OUTGOING_PRIVATE_HOSTS names every address ({each}): whoever registers an "
                "application has us ask any machine of your network.",
                "Name only the hosts or networks of your own applications.",
            )


def _key_folder(settings: Settings) -> Findings:
    path = settings.keys_folder
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # said by the check of the keys themselves
    if mode & 0o022:
        yield Finding(
            "danger",
            "keys",
            f"The folder {path} may be changed by others (mode {mode:04o}).",
            f"chmod 700 {path}",
        )
    for file in sorted(path.glob("*.pem")):
        yield from private_file(file, "signing key")


def _providers(settings: Settings) -> Findings:
    for provider in settings.providers:
        name = f"IDP_PROVIDER_{provider.key.upper()}"
        if 0 < len(provider.client_secret) < SHORTEST_CLIENT_SECRET:
            yield Finding(
                "notice",
                "providers",
                f"{name}_CLIENT_SECRET has {len(provider.client_secret)} characters.",
                "Compare it with what the provider gave you.",
            )
        end = GRAPH_ENDS.get(provider.graph_version)
        if provider.is_facebook and end is not None:
            yield Finding(
                "notice",
                "providers",
                f"Facebook ends version {provider.graph_version} of its Graph API on {end}.",
                f"Set {name}_GRAPH_VERSION to a newer one.",
            )


def _translations(_settings: Settings) -> Findings:
    for locale in LOCALES:
        catalogue = folder("idp.translations") / locale / "LC_MESSAGES" / "messages.po"
        compiled = catalogue.with_suffix(".mo")
        if locale != "en" and not compiled.exists():
            yield Finding(
                "notice",
                "translations",
                f"The pages in « {locale} » are not compiled and would show in English.",
                "Run pybabel compile -d idp/translations, or install the released package.",
            )


SETTINGS_CHECKS: Final[tuple[Callable[[Settings], Findings], ...]] = (
    _refused,
    _demo,
    _transport,
    _hashing,
    _mail,
    _shared_secrets,
    _database_address,
    lifetimes.of_settings,
    _private_hosts,
    _key_folder,
    _providers,
    _translations,
)
