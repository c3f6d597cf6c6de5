"""Every setting: its type, default, unit and meaning. Read from the environment, once.

``Settings.from_environment`` is the only reader; the rest of the code asks ``current()``.
``docs/settings.md`` is made from this file (``idp check --settings``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app

from idp.settings import providers
from idp.settings.providers import ProviderSettings
from idp.settings.secrets import DatabaseUrl, Secret, SecretText, kept
from idp.settings.variables import (
    UNSAID,
    Variables,
    boolean,
    networks,
    one_of,
    path,
    seconds,
    whole,
    words,
)

LOCALES = ("fr", "nl", "de", "en")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MAIL_TLS = ("starttls", "implicit", "none")
LONGEST_DURATION = timedelta(days=3660)
MAY_BE_NOTHING = frozenset({"refresh_grace", "key_cache", "drain"})


class UnsafeSettings(Exception):
    """The settings would be unsafe; ``problems`` holds a sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _setting(default: Any, help: str, parse: Callable[[str], Any], unit: str = "") -> Any:
    metadata = {"help": help, "parse": parse, "unit": unit}
    return field(default=default, metadata=metadata)


def _address(text: str) -> DatabaseUrl:
    if not text.strip():
        raise ValueError("is empty")
    return DatabaseUrl(text.strip())


SECRETS: dict[str, type[Any]] = {
    "session_secret": Secret,
    "password_pepper": Secret,
    "token_hash_key": Secret,
    "subject_key": Secret,
    "mail_password": SecretText,
    "database_url": DatabaseUrl,
}
"""The settings that nobody may read over a shoulder, and the kinds that keep them."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The provider's settings. Durations are ``timedelta``; the environment gives seconds."""

    issuer: str = _setting(
        "http://127.0.0.1:8000", "The address of this provider: issuer of every token", words
    )
    database_url: DatabaseUrl = _setting(
        DatabaseUrl("sqlite:///instance/idp.db"), "SQLAlchemy address of the database", _address
    )
    database_connections: int = _setting(32, "Most connections of each worker to PostgreSQL", whole)
    drain: timedelta = _setting(
        timedelta(seconds=5),
        "Before it stops, a server serves for this long and is not ready (/health/ready: 503)",
        seconds,
        "s",
    )
    keys_folder: Path = _setting(Path("keys"), "Where the signing keys live (0600)", path)
    history_file: Path | None = _setting(
        None,
        "Remembers the database's newest event, to notice a restore; else a file beside the keys",
        path,
    )
    spool_folder: Path = _setting(
        Path("instance/spool"), "Where uploaded rosters wait to be read (0700)", path
    )
    demo: bool = _setting(
        False, "Allows plain HTTP on loopback and local secrets; never outside a demo", boolean
    )

    session_secret: Secret = _setting(
        Secret(), "Signs form tokens and the browser cookie", Secret.of_text
    )
    password_pepper: Secret = _setting(Secret(), "Keys the pre-hash of passwords", Secret.of_text)
    token_hash_key: Secret = _setting(
        Secret(), "Keys the stored hash of every random secret", Secret.of_text
    )
    subject_key: Secret = _setting(
        Secret(), "Derives pairwise subjects; must never change", Secret.of_text
    )

    bcrypt_cost: int = _setting(12, "bcrypt work factor", whole, "log2 rounds")
    bcrypt_parallel: int = _setting(1, "bcrypt checks at once in each worker", whole)
    bcrypt_queue: int = _setting(32, "bcrypt checks that may wait in each worker", whole)
    password_minimum: int = _setting(
        12, "Least length of a password (8 at the least)", whole, "characters"
    )
    password_maximum: int = _setting(128, "Greatest length of a password", whole, "characters")

    first_sign_in_lifetime: timedelta = _setting(
        timedelta(days=14), "How long an invitation's token works", seconds, "s"
    )
    password_reset_lifetime: timedelta = _setting(
        timedelta(hours=24), "How long a forgotten password's token works", seconds, "s"
    )
    session_idle: timedelta = _setting(
        timedelta(hours=8), "A browser session ends after this long without use", seconds, "s"
    )
    session_absolute: timedelta = _setting(
        timedelta(hours=24), "A browser session ends after this long", seconds, "s"
    )
    step_up_lifetime: timedelta = _setting(
        timedelta(minutes=10), "Delicate changes ask for a proof that is not older", seconds, "s"
    )
    interaction_lifetime: timedelta = _setting(
        timedelta(hours=1), "How long an application's request waits for the parent", seconds, "s"
    )

    code_lifetime: timedelta = _setting(timedelta(seconds=60), "Authorization code", seconds, "s")
    access_token_lifetime: timedelta = _setting(timedelta(hours=1), "Access token", seconds, "s")
    id_token_lifetime: timedelta = _setting(timedelta(hours=1), "ID token", seconds, "s")
    refresh_token_lifetime: timedelta = _setting(
        timedelta(days=30), "Refresh token, from its last use", seconds, "s"
    )
    refresh_grace: timedelta = _setting(
        timedelta(seconds=20),
        "A lost refresh answer may be asked again for this long",
        seconds,
        "s",
    )
    key_cache: timedelta = _setting(
        timedelta(hours=1), "Applications may cache the key set for this long", seconds, "s"
    )

    mail_server: str = _setting("127.0.0.1", "SMTP server", words)
    mail_port: int = _setting(25, "SMTP port", whole)
    mail_username: str = _setting("", "SMTP user name", words)
    mail_password: SecretText = _setting(SecretText(), "SMTP password", SecretText)
    mail_tls: str = _setting(
        "starttls", "starttls, implicit or none (none on loopback only)", one_of(*MAIL_TLS)
    )
    mail_from: str = _setting("no-reply@localhost", "Sender of every mail", words)
    mail_per_address: int = _setting(4, "Reset mails to one address in an hour", whole)

    invitations_per_hour: int = _setting(
        200, "Most invitations that the desk sends in an hour (commands have --per-hour)", int
    )

    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        (), "Networks whose X-Forwarded-For counts, separated by commas", networks
    )
    default_locale: str = _setting(
        "fr", "Language where nothing else tells: fr, nl, de or en", one_of(*LOCALES)
    )
    timezone: str = _setting("Europe/Brussels", "Time zone of dates on pages and in mails", words)
    platform_name: str = _setting("iT.SCHOOL", "Name shown where no school is known", words)
    log_level: str = _setting(
        "INFO", "Least level that is logged: DEBUG to CRITICAL", one_of(*LOG_LEVELS)
    )
    audit_retention: timedelta = _setting(
        timedelta(days=400), "How long the audit trail is kept", seconds, "s"
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

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read ``IDP_<NAME>`` for each setting and ``DATABASE_URL``; each of them may stand in
        a file instead, which ``<VARIABLE>_FILE`` names.

        Raises ``UnsafeSettings`` naming every variable that can't be read or does not exist.
        """
        given = Variables(environment)
        values: dict[str, Any] = {"providers": providers.read_providers(given)}
        for setting in fields(cls):
            if setting.metadata["parse"] is not None:
                values[setting.name] = given.read(variable(setting.name), setting.metadata["parse"])
        given.refuse_unknown()
        if given.problems:
            raise UnsafeSettings(given.problems)
        return cls(**{name: value for name, value in values.items() if value is not UNSAID})

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

    def problems(self) -> list[str]:
        """Every reason why these settings must not serve, as sentences; none: safe."""
        found = [*self._address_problems(), *self._secret_problems(), *self._bound_problems()]
        found += providers.problems_of(self.providers, demo=self.demo)
        for name, allowed in (("default_locale", LOCALES), ("log_level", LOG_LEVELS)):
            if getattr(self, name) not in allowed:
                found.append(f"{variable(name)} is none of {', '.join(allowed)}")
        return found

    def _address_problems(self) -> list[str]:
        found = []
        parts = urlsplit(self.issuer)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            found.append("IDP_ISSUER is not an http(s) address")
        elif parts.query or parts.fragment or self.issuer.endswith("/"):
            found.append("IDP_ISSUER has a query, a fragment or a slash at its end")
        elif parts.scheme == "http" and not (self.demo and _is_loopback(parts.hostname)):
            found.append("IDP_ISSUER is plain HTTP, which only the demo may use, on loopback")
        if "@" not in parseaddr(self.mail_from)[1]:
            found.append("IDP_MAIL_FROM holds no e-mail address")
        if self.mail_tls not in MAIL_TLS:
            found.append(f"IDP_MAIL_TLS is none of {', '.join(MAIL_TLS)}")
        elif self.mail_tls == "none" and not _is_loopback(self.mail_server):
            found.append("IDP_MAIL_TLS is none, but the mail server is not on loopback")
        return found

    def _secret_problems(self) -> list[str]:
        names = ("session_secret", "password_pepper", "token_hash_key", "subject_key")
        secrets = {name: cast(Secret, getattr(self, name)) for name in names}
        found = []
        for name, secret in secrets.items():
            if not secret:
                found.append(f"{variable(name)} is missing")
            elif problem := secret.weakness():
                found.append(f"{variable(name)} {problem}")
        if len({s for s in secrets.values() if s}) < len([s for s in secrets.values() if s]):
            found.append("two secrets are the same: each needs its own")
        return found

    def _bound_problems(self) -> list[str]:
        bounds = (
            ("bcrypt_cost", 4 if self.demo else 10, 16),
            ("bcrypt_parallel", 1, 64),
            ("bcrypt_queue", 1, 1024),
            ("database_connections", 2, 1000),
            ("mail_port", 1, 65535),
            ("mail_per_address", 1, 1000),
            ("invitations_per_hour", 1, 100_000),
            ("password_minimum", 8, 64),
            ("password_maximum", 64, 1024),
        )
        found = [
            f"IDP_{name.upper()} is not between {low} and {high}"
            for name, low, high in bounds
            if not low <= getattr(self, name) <= high
        ]
        if not _is_time_zone(self.timezone):
            found.append("IDP_TIMEZONE is no time zone, such as Europe/Brussels")
        return [*found, *self._duration_problems()]

    def _duration_problems(self) -> list[str]:
        """A lifetime of nothing locks everybody out; one of centuries is a slip of the hand."""
        found = []
        for setting in fields(self):
            value = getattr(self, setting.name)
            if not isinstance(value, timedelta):
                continue
            least = timedelta(0) if setting.name in MAY_BE_NOTHING else timedelta(seconds=1)
            if not least <= value <= LONGEST_DURATION:
                found.append(
                    f"IDP_{setting.name.upper()} is not between {int(least.total_seconds())} and "
                    f"{int(LONGEST_DURATION.total_seconds())} seconds"
                )
        return found


def current() -> Settings:
    """The settings of the running application."""
    return cast(Settings, current_app.extensions["idp.settings"])


def variable(name: str) -> str:
    """The environment variable of the setting ``name``."""
    return "DATABASE_URL" if name == "database_url" else f"IDP_{name.upper()}"


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
