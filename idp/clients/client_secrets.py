"""The secrets of applications: stored as keyed hashes, seen once."""

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError

from idp import clock
from idp.clients.models import Client, ClientRow
from idp.database import hashes, in_transaction, keyed_hash, refuses_writes, update_all


def is_secret(client: ClientRow, secret: str) -> bool:
    """Whether this is the client's secret, or its former one still in overlap; constant time."""
    hashed = hashed_secret(secret)
    matches = hashes.is_hash(client.secret_hash, hashed)
    former = client.previous_secret_hash
    if former and (client.previous_secret_expires_at or clock.now()) > clock.now():
        matches |= hashes.is_hash(former, hashed)
    return matches


def renew_hash(client: ClientRow, secret: str) -> None:
    """Store the secret that was proved under our newest key, where a former one hashed it.

    A database that takes no writes now goes on with what it has.
    """
    hashed = hashed_secret(secret)
    if in_transaction() or not hashes.is_former(client.secret_hash, hashed):
        return
    try:
        update_all(
            Client, Client.id == client.id, Client.secret_hash == client.secret_hash,
            secret_hash=str(hashed),
        )  # fmt: skip
    except DBAPIError as error:
        if not refuses_writes(error):
            raise


def has_secret(document: Mapping[str, Any]) -> bool:
    """Whether an application that is registered so proves itself by one."""
    return str(document["token_endpoint_auth_method"]).startswith("client_secret_")


def new_secret(document: Mapping[str, Any]) -> str | None:
    """One for such an application, in clear; None where it needs none."""
    return secrets.token_urlsafe(32) if has_secret(document) else None


def hashed_secret(secret: str) -> str:
    """What is stored of it."""
    return keyed_hash("client secret", secret)
