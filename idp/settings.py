"""Every setting: its type, default, unit and meaning. Read from the environment, once.

``Settings.from_environment`` is the only reader; the rest of the code asks ``current()``.
The table of the README is made from this file (``idp check --settings``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import current_app

from idp import provider_settings
from idp.provider_settings import ProviderSettings

LOCALES = ("fr", "nl", "de", "en")
MINIMUM_SECRET_BYTES = 32
LONGEST_DURATION = timedelta(days=3660)
MAY_BE_NOTHING = frozenset({"refresh_grace", "key_cache"})
KNOWN_BAD_SECRETS = ("secret", "changeme", "change-me", "password", "development")


class UnsafeSettings(Exception):
    """The settings would be unsafe; ``problems`` holds a sentence for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text))


def _boolean(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def _setting(default: Any, help: str, parse: Callable[[str], Any], unit: str = "") -> Any:
    metadata = {"help": help, "parse": parse, "unit": unit}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The provider's settings. Durations are ``timedelta``; the environment gives seconds."""

    issuer: str = _setting(
        "http://127.0.0.1:8000", "The address of this provider: issuer of every token", str
    )
    database_url: str = _setting(
        "sqlite:///instance/idp.db", "SQLAlchemy address of the database", str
    )
    database_connections: int = _setting(32, "Most connections of each worker to PostgreSQL", int)
    keys_folder: Path = _setting(Path("keys"), "Where the signing keys live (0600)", Path)
    history_file: Path | None = _setting(
        None,
        "Remembers the database's newest event, to notice a restore; else a file beside the keys",
        Path,
    )
    spool_folder: Path = _setting(
        Path("instance/spool"), "Where uploaded rosters wait to be read (0700)", Path
    )
    demo: bool = _setting(
        False, "Allows plain HTTP on loopback and local secrets; never outside a demo", _boolean
    )

    session_secret: bytes = _setting(b"", "Signs form tokens and the browser cookie", str.encode)
    password_pepper: bytes = _setting(b"", "Keys the pre-hash of passwords", str.encode)
    token_hash_key: bytes = _setting(b"", "Keys the stored hash of every random secret", str.encode)
    subject_key: bytes = _setting(b"", "Derives pairwise subjects; must never change", str.encode)

    bcrypt_cost: int = _setting(12, "bcrypt work factor", int, "log2 rounds")
    bcrypt_parallel: int = _setting(1, "bcrypt checks at once in each worker", int)
    bcrypt_queue: int = _setting(32, "bcrypt checks that may wait in each worker", int)
    password_minimum: int = _setting(
        12, "Least length of a password (8 at the least)", int, "characters"
    )
    password_maximum: int = _setting(128, "Greatest length of a password", int, "characters")

    first_sign_in_lifetime: timedelta = _setting(
        timedelta(days=14), "How long an invitation's token works", _seconds, "s"
    )
    password_reset_lifetime: timedelta = _setting(
        timedelta(hours=24), "How long a forgotten password's token works", _seconds, "s"
    )
    session_idle: timedelta = _setting(
        timedelta(hours=8), "A browser session ends after this long without use", _seconds, "s"
    )
    session_absolute: timedelta = _setting(
        timedelta(hours=24), "A browser session ends after this long", _seconds, "s"
    )
    step_up_lifetime: timedelta = _setting(
        timedelta(minutes=10), "Delicate changes ask for a proof that is not older", _seconds, "s"
    )
    interaction_lifetime: timedelta = _setting(
        timedelta(hours=1), "How long an application's request waits for the parent", _seconds, "s"
    )

    code_lifetime: timedelta = _setting(timedelta(seconds=60), "Authorization code", _seconds, "s")
    access_token_lifetime: timedelta = _setting(timedelta(hours=1), "Access token", _seconds, "s")
    id_token_lifetime: timedelta = _setting(timedelta(hours=1), "ID token", _seconds, "s")
    refresh_token_lifetime: timedelta = _setting(
        timedelta(days=30), "Refresh token, from its last use", _seconds, "s"
    )
    refresh_grace: timedelta = _setting(
        timedelta(seconds=20),
        "A lost refresh answer may be asked again for this long",
        _seconds,
        "s",
    )
    key_cache: timedelta = _setting(
        timedelta(hours=1), "Applications may cache the key set for this long", _seconds, "s"
    )

    mail_server: str = _setting("127.0.0.1", "SMTP server", str)
    mail_port: int = _setting(25, "SMTP port", int)
    mail_username: str = _setting("", "SMTP user name", str)
    mail_password: str = _setting("", "SMTP password", str)
    mail_tls: str = _setting("starttls", "starttls, implicit or none (none on loopback only)", str)
    mail_from: str = _setting("no-reply@localhost", "Sender of every mail", str)
    mail_per_address: int = _setting(4, "Reset mails to one address in an hour", int)

    invitations_per_hour: int = _setting(
        200, "Most invitations of an import that leave in an hour", int
    )

    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        (), "Networks whose X-Forwarded-For counts, separated by commas", _networks
    )
    default_locale: str = _setting("fr", "Language where nothing else tells", str)
    timezone: str = _setting("Europe/Brussels", "Time zone of dates on pages and in mails", str)
    platform_name: str = _setting("iT.SCHOOL", "Name shown where no school is known", str)
    log_level: str = _setting("INFO", "Least level that is logged", str)
    audit_retention: timedelta = _setting(
        timedelta(days=400), "How long the audit trail is kept", _seconds, "s"
    )

    providers: tuple[ProviderSettings, ...] = field(
        default=(),
        metadata={
            "help": "Other providers, in the order of their buttons (google,facebook,cabanga)",
            "parse": None,
            "unit": "",
        },
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read ``IDP_<NAME>`` for each setting, ``IDP_<NAME>_FILE`` for one kept in a file,
        and ``DATABASE_URL``.

        Raises ``UnsafeSettings`` naming every variable that can't be read.
        """
        values: dict[str, Any] = {}
        values["providers"], problems = provider_settings.read_providers(environment, _read)
        for setting in fields(cls):
            if setting.metadata["parse"] is None:
                continue
            name = f"IDP_{setting.name.upper()}"
            try:
                text = _read(environment, name)
                if text is not None:
                    values[setting.name] = setting.metadata["parse"](text)
            except (ValueError, OverflowError, OSError) as error:
                problems.append(f"{name}: {error}")
        if "DATABASE_URL" in environment:
            values["database_url"] = environment["DATABASE_URL"]
        if problems:
            raise UnsafeSettings(problems)
        return cls(**values)

    @property
    def sqlalchemy_url(self) -> str:
        """The database address with psycopg 3 as the PostgreSQL driver."""
        for prefix in ("postgres://", "postgresql://"):
            if self.database_url.startswith(prefix):
                return "postgresql+psycopg://" + self.database_url.removeprefix(prefix)
        return self.database_url

    @property
    def secure(self) -> bool:
        """Whether browsers reach us over TLS: decides cookie names and HSTS."""
        return urlsplit(self.issuer).scheme == "https"

    def problems(self) -> list[str]:
        """Every reason why these settings must not serve, as sentences; none: safe."""
        found = [*self._address_problems(), *self._secret_problems(), *self._bound_problems()]
        found += provider_settings.problems_of(self.providers, demo=self.demo)
        if self.default_locale not in LOCALES:
            found.append(f"IDP_DEFAULT_LOCALE is none of {', '.join(LOCALES)}")
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
        if self.mail_tls not in {"starttls", "implicit", "none"}:
            found.append("IDP_MAIL_TLS is none of starttls, implicit, none")
        elif self.mail_tls == "none" and not _is_loopback(self.mail_server):
            found.append("IDP_MAIL_TLS is none, but the mail server is not on loopback")
        return found

    def _secret_problems(self) -> list[str]:
        names = ("session_secret", "password_pepper", "token_hash_key", "subject_key")
        secrets = {name: cast(bytes, getattr(self, name)) for name in names}
        found = []
        for name, secret in secrets.items():
            variable = f"IDP_{name.upper()}"
            if not secret:
                found.append(f"{variable} is missing")
            elif len(secret) < MINIMUM_SECRET_BYTES or len(set(secret)) < 8:
                found.append(f"{variable} is weak: at least {MINIMUM_SECRET_BYTES} random bytes")
            elif any(bad in secret.decode("latin-1").lower() for bad in KNOWN_BAD_SECRETS):
                found.append(f"{variable} looks like an example")
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


def _read(environment: Mapping[str, str], name: str) -> str | None:
    if f"{name}_FILE" in environment:
        return Path(environment[f"{name}_FILE"]).read_text(encoding="utf-8").strip()
    return environment.get(name)


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
