"""The secrets of applications: stored as keyed hashes, seen once."""

import hmac
import secrets
from collections.abc import Mapping
from typing import Any

from idp import clock
from idp.clients.models import ClientRow
from idp.database import keyed_hash


def is_secret(client: ClientRow, secret: str) -> bool:
    """Whether this is the client's secret, or its former one still in overlap; constant time."""
    hashed = hashed_secret(secret)
    matches = hmac.compare_digest(client.secret_hash or "", hashed)
    former = client.previous_secret_hash
    if former and (client.previous_secret_expires_at or clock.now()) > clock.now():
        matches |= hmac.compare_digest(former, hashed)
    return matches


def has_secret(document: Mapping[str, Any]) -> bool:
    """Whether an application that is registered so proves itself by one."""
    return str(document["token_endpoint_auth_method"]).startswith("client_secret_")


def new_secret(document: Mapping[str, Any]) -> str | None:
    """One for such an application, in clear; None where it needs none."""
    return secrets.token_urlsafe(32) if has_secret(document) else None


def hashed_secret(secret: str) -> str:
    """What is stored of it."""
    return keyed_hash("client secret", secret)
