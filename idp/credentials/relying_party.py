"""Who we are to an authenticator, and what its answers come to.

What reads them (``webauthn_ceremonies``) is loaded by who needs it: a worker that sees no passkey
is five megabytes smaller.
"""

from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from idp import settings


class Unproved(Exception):
    """The answer proves nothing: malformed, foreign, forged or meant for another place."""


@dataclass(frozen=True)
class RelyingParty:
    """Who we are to an authenticator."""

    id: str
    origin: str


@dataclass(frozen=True)
class NewCredential:
    """What a registration brought."""

    credential_id: str
    public_key: bytes
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True)
class Answer:
    """A browser's answer, read and not yet believed."""

    document: dict[str, Any]
    challenge: bytes
    credential_id: str
    user_handle: bytes | None


@dataclass(frozen=True)
class Assertion:
    """What a good answer of a known passkey says."""

    sign_count: int
    backup_eligible: bool
    backed_up: bool


def relying_party() -> RelyingParty | None:
    """Who we are, or None where passkeys can't work.

    The id is the issuer's host. An IP address is no domain (WebAuthn Level 3 §5.1.2, « RP
    ID »), and browsers offer passkeys over TLS and on localhost only.
    """
    return _relying_party(settings.current().issuer)


@cache
def _relying_party(issuer: str) -> RelyingParty | None:
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        secure = parts.scheme == "https" or host == "localhost"
        return RelyingParty(host, f"{parts.scheme}://{parts.netloc}") if secure else None
    return None
