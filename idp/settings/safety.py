"""What is unsafe in settings, or can't be meant: as sentences, before anything is served."""

import re
from dataclasses import fields
from datetime import timedelta
from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from idp.settings import LOCALES, LOG_LEVELS, MAIL_TLS, Settings
from idp.settings.providers import is_loopback, problems_of
from idp.settings.secrets import Secret, Secrets, all_of

LONGEST_DURATION: Final = timedelta(days=3660)
DURATIONS: Final = {
    "refresh_grace": (timedelta(0), timedelta(minutes=5)),
    "key_cache": (timedelta(0), LONGEST_DURATION),
    "drain": (timedelta(0), timedelta(minutes=5)),
    "audit_retention": (timedelta(days=30), LONGEST_DURATION),
}
"""The shortest and the longest, where they are not a second and ten years: 400 that were meant as
days would take the audit trail away with the next purge; whoever replays a refresh token within its
grace is taken for one whose answer was lost (RFC 9700 §4.14.2).
"""


def problems(settings: Settings) -> list[str]:
    """Every reason why these settings must not serve, as sentences; none: safe."""
    reasons = [
        *_address_problems(settings),
        *_secret_problems(settings),
        *_bound_problems(settings),
    ]
    reasons += problems_of(settings.providers, demo=settings.demo)
    if settings.dynamic_registration == "open" and not settings.dynamic_registration_schools:
        reasons.append("IDP_DYNAMIC_REGISTRATION is open, but _SCHOOLS names none")
    for name, allowed in (("default_locale", LOCALES), ("log_level", LOG_LEVELS)):
        if getattr(settings, name) not in allowed:
            reasons.append(f"IDP_{name.upper()} is none of {', '.join(allowed)}")
    return reasons


def _address_problems(settings: Settings) -> list[str]:
    reasons = []
    parts = urlsplit(settings.issuer)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or not _leads_somewhere(settings.issuer)
    ):
        reasons.append("IDP_ISSUER is not an http(s) address")
    elif parts.query or parts.fragment or settings.issuer.endswith("/"):
        reasons.append("IDP_ISSUER has a query, a fragment or a slash at its end")
    elif parts.scheme == "http" and not (settings.demo and is_loopback(parts.hostname)):
        reasons.append("IDP_ISSUER is plain HTTP, which only the demo may use, on loopback")
    reasons += _mutual_tls_problems(settings)
    if "@" not in parseaddr(settings.mail_from)[1]:
        reasons.append("IDP_MAIL_FROM holds no e-mail address")
    if settings.mail_tls not in MAIL_TLS:
        reasons.append(f"IDP_MAIL_TLS is none of {', '.join(MAIL_TLS)}")
    elif settings.mail_tls == "none" and not is_loopback(settings.mail_server):
        reasons.append("IDP_MAIL_TLS is none, but the mail server is not on loopback")
    return reasons


def _leads_somewhere(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and parts.port != 0 and not re.search(r"\s", address)
    except ValueError:  # of the port
        return False


def _mutual_tls_problems(settings: Settings) -> list[str]:
    reasons = []
    if settings.client_certificate_header and not settings.trusted_proxies:
        reasons.append(
            "IDP_CLIENT_CERTIFICATE_HEADER is believed from IDP_TRUSTED_PROXIES only, and none is"
            " named"
        )
    parts = urlsplit(settings.mtls_address)
    there = parts.scheme == "https" and _leads_somewhere(settings.mtls_address)
    if settings.mtls_address and (not there or parts.query):
        reasons.append("IDP_MTLS_ADDRESS is no https address")
    return reasons


def _secret_problems(settings: Settings) -> list[str]:
    names = ["session_secret", "password_pepper", "token_hash_key", "subject_key"]
    if settings.keys_encryption_key or settings.keys_in == "database":
        names.append("keys_encryption_key")
    lists: dict[str, Secret] = {name: getattr(settings, name) for name in names}
    reasons = []
    for name, secret in lists.items():
        if not secret:
            reasons.append(f"IDP_{name.upper()} is missing")
        elif isinstance(secret, Secrets):
            reasons += [f"IDP_{name.upper()} {problem}" for problem in secret.problems()]
        elif problem := secret.weakness():
            reasons.append(f"IDP_{name.upper()} {problem}")
    if settings.backup_key:  # whoever makes no backups by us needs none
        lists["backup_key"] = settings.backup_key
        reasons += [f"IDP_BACKUP_KEY {problem}" for problem in settings.backup_key.problems()]
    each = [s for secret in lists.values() for s in set(all_of(secret)) if s]
    if len(set(each)) < len(each):
        reasons.append("two secrets are the same: each needs its own")
    return reasons


def _bound_problems(settings: Settings) -> list[str]:
    bounds = (
        ("bcrypt_cost", 4 if settings.demo else 10, 16),
        ("bcrypt_parallel", 1, 64),
        ("bcrypt_queue", 1, 1024),
        ("database_connections", 2, 1000),
        ("mail_port", 1, 65535),
        ("metrics_port", 0, 65535),
        ("mail_per_address", 1, 1000),
        ("invitations_per_hour", 1, 100_000),
        ("stay_signed_in_days", 0, 365),
        ("keep_leavers_days", 30, 1095),
        ("password_minimum", 8, 64),
        ("password_maximum", 64, 1024),
    )
    reasons = [
        f"IDP_{name.upper()} is not between {low} and {high}"
        for name, low, high in bounds
        if not low <= getattr(settings, name) <= high
    ]
    if not _is_time_zone(settings.timezone):
        reasons.append("IDP_TIMEZONE is no time zone, such as Europe/Brussels")
    return [*reasons, *_duration_problems(settings)]


def _duration_problems(settings: Settings) -> list[str]:
    """A lifetime of nothing locks everybody out; one of centuries is a slip of the hand."""
    reasons = []
    for each in fields(settings):
        value = getattr(settings, each.name)
        if not isinstance(value, timedelta):
            continue
        least, most = DURATIONS.get(each.name, (timedelta(seconds=1), LONGEST_DURATION))
        if not least <= value <= most:
            reasons.append(
                f"IDP_{each.name.upper()} is not between {int(least.total_seconds())} and "
                f"{int(most.total_seconds())} seconds"
            )
    return reasons


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
