"""Every setting: its type, default, unit and meaning. Read from the environment, once.

``Settings.from_environment`` is the only reader; the rest of the code asks ``current()``.
``docs/settings.md`` is made from this file (``idp check --settings``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, ClassVar, Final, cast
from urllib.parse import urlsplit

from flask import current_app

from idp.settings import providers
from idp.settings.providers import ProviderSettings
from idp.settings.secrets import DatabaseUrl, Secret, Secrets, SecretText, all_of, kept
from idp.settings.variables import (
    Variables,
    boolean,
    duration,
    header,
    hosts,
    listed,
    networks,
    one_of,
    path,
    readable,
    setting,
    some_words,
    whole,
)

LOCALES: Final = ("fr", "nl", "de", "en")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMS: Final = ("auto", "json", "ecs", "opentelemetry", "text")
DYNAMIC_REGISTRATION: Final = ("off", "token", "open")
MAIL_TLS: Final = ("starttls", "implicit", "none")
DATABASES: Final = ("postgresql", "postgres", "postgresql+psycopg", "sqlite", "sqlite+pysqlite")


class UnsafeSettings(Exception):
    """The settings would be unsafe; ``problems`` holds a sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _address(text: str) -> DatabaseUrl:
    if not text.strip():
        raise ValueError("is empty")
    # Commands that read no settings start without it
    from sqlalchemy import make_url  # noqa: PLC0415
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        known = make_url(text.strip()).drivername in DATABASES
    except (ArgumentError, ValueError):
        known = False
    if not known:  # its text is not repeated: it may hold a password
        raise ValueError(
            "is no address of a database, such as postgresql:///idp or sqlite:////var/lib/idp/idp.db"
        )
    return DatabaseUrl(text.strip())


SECRETS: dict[str, type[Any]] = {
    "session_secret": Secrets,
    "password_pepper": Secrets,
    "token_hash_key": Secrets,
    "keys_encryption_key": Secrets,
    "subject_key": Secret,
    "backup_key": Secrets,
    "mail_password": SecretText,
    "database_url": DatabaseUrl,
}
"""The settings that nobody may read over a shoulder, and the kinds that keep them."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The provider's settings. Durations are ``timedelta``."""

    made: ClassVar[dict[str, Any]]
    """What is made of these settings once, by whoever needs it: each object has its own."""

    issuer: str = setting(
        "http://127.0.0.1:8000", "The address of this provider: issuer of every token"
    )
    database_url: DatabaseUrl = setting(
        DatabaseUrl("sqlite:///instance/idp.db"), "SQLAlchemy address of the database", _address
    )
    database_connections: int = setting(32, "Most connections of each worker to PostgreSQL", whole)
    database_pooled: bool = setting(
        False, "PostgreSQL is reached through a pooler that keeps no sessions (PgBouncer)", boolean
    )
    drain: timedelta = setting(
        timedelta(seconds=5),
        "Before it stops, a server serves for this long and is not ready (/health/ready: 503)",
        duration,
        "s",
    )
    keys_in: str = setting(
        "folder",
        "Where the signing keys lie: in a folder, or in the database (sealed)",
        one_of("folder", "database"),
    )
    keys_folder: Path = setting(Path("keys"), "Where the signing keys live (0600)", path)
    history_file: Path | None = setting(
        None,
        "Remembers the database's newest event, to notice a restore; else a file beside the keys",
        path,
    )
    spool_folder: Path = setting(
        Path("instance/spool"), "Where uploaded rosters wait to be read (0700)", path
    )
    demo: bool = setting(
        False, "Allows plain HTTP on loopback and local secrets; never outside a demo", boolean
    )

    session_secret: Secrets = setting(
        Secrets(),
        "Signs form tokens and the browser cookie. Several (docs/secrets.md), the newest first",
        Secrets.of_text,
    )
    password_pepper: Secrets = setting(
        Secrets(), "Keys the pre-hash of passwords. Several, the newest first", Secrets.of_text
    )
    token_hash_key: Secrets = setting(
        Secrets(),
        "Keys the stored hash of every random secret. Several, the newest first",
        Secrets.of_text,
    )
    keys_encryption_key: Secrets = setting(
        Secrets(),
        "Seals signing keys that lie in the database. Several, the newest first",
        Secrets.of_text,
    )
    subject_key: Secret = setting(
        Secret(), "Derives pairwise subjects; must never change", Secret.of_text
    )

    backup_key: Secrets = setting(
        Secrets(),
        "Encrypts what `idp backup create` makes. Several, the newest first: older backups open",
        Secrets.of_text,
    )

    bcrypt_cost: int = setting(12, "bcrypt work factor", whole, "log2 rounds")
    bcrypt_parallel: int = setting(1, "bcrypt checks at once in each worker", whole)
    bcrypt_queue: int = setting(32, "bcrypt checks that may wait in each worker", whole)
    password_minimum: int = setting(
        12, "Least length of a password (8 at the least)", whole, "characters"
    )
    password_maximum: int = setting(128, "Greatest length of a password", whole, "characters")

    first_sign_in_lifetime: timedelta = setting(
        timedelta(days=14), "How long an invitation's token works", duration, "s"
    )
    password_reset_lifetime: timedelta = setting(
        timedelta(hours=24), "How long a forgotten password's token works", duration, "s"
    )
    session_idle: timedelta = setting(
        timedelta(hours=8), "A browser session ends after this long without use", duration, "s"
    )
    session_absolute: timedelta = setting(
        timedelta(hours=24), "A browser session ends after this long", duration, "s"
    )
    stay_signed_in_days: int = setting(
        90,
        "How long a family's own device may stay signed in, where its school says nothing; 0: not"
        " at all",
        whole,
        "days",
    )
    keep_leavers_days: int = setting(
        180,
        "How long pupils who left, and accounts without a pupil, are kept, where their school says"
        " nothing",
        whole,
        "days",
    )
    step_up_lifetime: timedelta = setting(
        timedelta(minutes=10), "Delicate changes ask for a proof that is not older", duration, "s"
    )
    interaction_lifetime: timedelta = setting(
        timedelta(hours=1), "How long an application's request waits for the parent", duration, "s"
    )

    code_lifetime: timedelta = setting(timedelta(seconds=60), "Authorization code", duration, "s")
    device_code_lifetime: timedelta = setting(
        timedelta(minutes=15), "A code that a screen shows, to be typed elsewhere", duration, "s"
    )
    access_token_lifetime: timedelta = setting(timedelta(hours=1), "Access token", duration, "s")
    id_token_lifetime: timedelta = setting(timedelta(hours=1), "ID token", duration, "s")
    refresh_token_lifetime: timedelta = setting(
        timedelta(days=30), "Refresh token, from its last use", duration, "s"
    )
    refresh_grace: timedelta = setting(
        timedelta(seconds=20),
        "A lost refresh answer may be asked again for this long",
        duration,
        "s",
    )
    pushed_request_lifetime: timedelta = setting(
        timedelta(seconds=90),
        "A pushed request (RFC 9126) waits for its browser this long",
        duration,
        "s",
    )
    require_pushed_authorization_requests: bool = setting(
        False, "Every application has to push its requests (RFC 9126)", boolean
    )
    front_channel_id_tokens: bool = setting(
        False,
        "Applications may be registered for the response types id_token and code id_token",
        boolean,
    )
    unsigned_request_objects: bool = setting(
        False,
        "Applications may be registered for request objects that nobody has signed (alg none)",
        boolean,
    )
    key_cache: timedelta = setting(
        timedelta(hours=1), "Applications may cache the key set for this long", duration, "s"
    )

    dpop_nonce: bool = setting(
        False,
        "Every DPoP proof must hold a nonce of ours, so that none can be made in advance",
        boolean,
    )

    mail_server: str = setting("127.0.0.1", "SMTP server", some_words)
    mail_port: int = setting(25, "SMTP port", whole)
    mail_username: str = setting("", "SMTP user name")
    mail_password: SecretText = setting(SecretText(), "SMTP password", SecretText)
    mail_tls: str = setting(
        "starttls", "starttls, implicit or none (none on loopback only)", one_of(*MAIL_TLS)
    )
    mail_from: str = setting("no-reply@localhost", "Sender of every mail")
    mail_per_address: int = setting(4, "Reset mails to one address in an hour", whole)

    invitations_per_hour: int = setting(
        200, "Most invitations that the desk sends in an hour (commands have --per-hour)", whole
    )

    dynamic_registration: str = setting(
        "off",
        "Applications register themselves (RFC 7591): off, with a token of ours, or open to all",
        one_of(*DYNAMIC_REGISTRATION),
    )
    dynamic_registration_schools: tuple[str, ...] = setting(
        (),
        "With open registration: ids of the schools that such applications serve, by commas",
        listed,
    )

    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = setting(
        (), "Networks whose X-Forwarded-For counts, separated by commas", networks
    )
    client_certificate_header: str = setting(
        "",
        "Header in which trusted proxies tell the client's certificate: as nginx escapes it, or as"
        " RFC 9440 says; empty: none is believed",
        header,
    )
    client_certificate_authorities: Path | None = setting(
        None, "The authorities (PEM) whose certificates tls_client_auth accepts", readable
    )
    mtls_address: str = setting(
        "",
        "The address under which client certificates are asked for, by `idp mtls serve` or by the"
        " proxy, where it has one of its own",
    )
    outgoing_private_hosts: tuple[str, ...] = setting(
        (),
        "Hosts, .domains and networks that are not public, and whose addresses applications may"
        " register all the same for us to call (keys, logout), separated by commas",
        hosts,
    )
    default_locale: str = setting(
        "fr", "Language where nothing else tells: fr, nl, de or en", one_of(*LOCALES)
    )
    timezone: str = setting("Europe/Brussels", "Time zone of dates on pages and in mails")
    platform_name: str = setting("iT.SCHOOL", "Name shown where no school is known", some_words)
    log_level: str = setting(
        "INFO", "Least level that is logged: DEBUG to CRITICAL", one_of(*LOG_LEVELS)
    )
    metrics_port: int = setting(
        0, "Port at which Prometheus finds /metrics of this process and its workers; 0: off", whole
    )
    metrics_host: str = setting("127.0.0.1", "Address of that port", some_words)
    log_form: str = setting(
        "auto",
        "json, ecs (Elastic), opentelemetry or text; auto: text at a terminal, else json",
        one_of(*LOG_FORMS),
    )
    audit_retention: timedelta = setting(
        timedelta(days=400), "How long the audit trail is kept, at the least", duration, "s"
    )

    providers: tuple[ProviderSettings, ...] = field(
        default=(),
        metadata={
            "help": "Other providers, in the order of their buttons (google,facebook,cabanga)",
            "parse": None,
            "unit": "",
        },
    )

    def __post_init__(self) -> None:
        # Whoever made them, secrets are of the kinds that print nothing.
        for name, kind in SECRETS.items():
            object.__setattr__(self, name, kept(kind, getattr(self, name)))
        object.__setattr__(self, "made", {})

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read ``IDP_<NAME>`` for each setting and ``DATABASE_URL``; each of them may stand in
        a file instead, which ``<VARIABLE>_FILE`` names.

        Raises ``UnsafeSettings`` naming every variable that can't be read or does not exist.
        """
        variables = Variables(environment)
        others = providers.read_providers(variables)
        values = variables.values(cls, variable)
        variables.refuse_unknown()
        if variables.problems:
            raise UnsafeSettings(variables.problems)
        return cls(providers=others, **values)

    @property
    def fingerprints(self) -> dict[str, tuple[str, ...]]:
        """The fingerprint of each secret in each list, the newest first; tells nothing of them."""
        secrets = {n: getattr(self, n) for n, kind in SECRETS.items() if issubclass(kind, Secret)}
        return {n: tuple(s.fingerprint for s in all_of(it)) for n, it in secrets.items() if it}

    @property
    def sqlalchemy_url(self) -> str:
        """The database address with psycopg 3 as the PostgreSQL driver."""
        for prefix in ("postgres://", "postgresql://"):
            if self.database_url.startswith(prefix):
                return "postgresql+psycopg://" + self.database_url.removeprefix(prefix)
        return self.database_url.reveal()

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over TLS: decides cookie names and HSTS."""
        return urlsplit(self.issuer).scheme == "https"


def current() -> Settings:
    """The settings of the running application."""
    # Asked some twenty times in a request. An attribute of the proxy costs seven times the object's
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return cast(Settings, app.extensions["idp.settings"])


def variable(name: str) -> str:
    """The environment variable of the setting ``name``."""
    return "DATABASE_URL" if name == "database_url" else f"IDP_{name.upper()}"


def described() -> list[tuple[str, Any, str]]:
    """Variable, default and meaning of each setting, those of other providers last."""
    ours = [(variable(each.name), each) for each in fields(Settings)]
    theirs = [(providers.variable("<key>", each.name), each) for each in providers.FIELDS]
    return [
        (name, each.default, each.metadata["help"] + (f" ({unit})" if unit else ""))
        for name, each in [*ours, *theirs]
        for unit in (each.metadata["unit"],)
    ]
