"""Applications that register and manage themselves (RFC 7591, RFC 7592).

They are third parties, within the bounds of the token that they came with: its schools, its
scopes, PKCE. Where the operator opened registration to everybody, the bounds are the settings'.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import select

from idp import correlation, settings
from idp.clients import client_secrets, registration, registration_tokens, settled
from idp.clients.metadata import SCOPES
from idp.clients.models import Client, ClientRow, RegistrationToken
from idp.clients.registration import Registered
from idp.credentials import throttling
from idp.database import db, hashes, keyed_hash, retried, transaction, update_all
from idp.errors import Conflict, NotFound, Throttled
from idp.lifecycle import clients

OPEN: Final = "open"
"""By what a client was registered that came without a token."""
_NOT_ITS_OWN: Final = frozenset({"first_party", "allow_popups", "omit_iss", "resources"})
"""What only an operator says: it takes a protection away."""
_OF_THE_SERVER: Final = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


class NotManaged(Exception):
    """The client may not manage itself any more: it is out of use, or the schools' own."""


@dataclass(frozen=True)
class SelfRegistered:
    """A client that manages itself. ``secret``: where it got a new one now."""

    client: Client
    token: str
    """Its registration access token in clear."""
    secret: str | None = None


@dataclass(frozen=True)
class _Bounds:
    registered_by: str
    school_ids: tuple[str, ...]
    scope: str
    pkce_optional: bool = False


def register(metadata: Mapping[str, Any], text: str | None, address: str | None) -> SelfRegistered:
    """Register an application that came with this initial access token, or without one.

    Raises ``NotFound`` where it may not, ``Throttled``, and ``Invalid`` naming the field.
    """
    bounds = _bounds_of_request(text, address)
    document = _bounded(metadata, bounds)
    clients.check_keys(document)
    # Other servers are asked before the transaction
    registration.check_elsewhere(document, bounds.school_ids)
    return _register(document, bounds)


@retried
def _register(document: Mapping[str, Any], bounds: _Bounds) -> SelfRegistered:
    token = secrets.token_urlsafe(32)
    with transaction():
        correlation.current().actor = bounds.registered_by
        if bounds.registered_by != OPEN and not registration_tokens.spend(bounds.registered_by):
            raise NotFound("registration token")
        made = registration.register(document, school_ids=bounds.school_ids, by_itself=True)
        update_all(
            Client,
            Client.id == made.client.id,
            registered_by=bounds.registered_by,
            registration_token_hash=_hash(token),
            version=Client.version,  # the registration stays as it is
        )
    return SelfRegistered(made.client, token, made.secret)


def managed(client_id: str, text: str) -> Client:
    """The client of this id that presents its registration access token.

    Raises ``NotFound`` where the token is not its own (RFC 7592 §2), ``NotManaged``.
    """
    known = registration.is_id(client_id)
    client = db.session.get(Client, client_id, populate_existing=True) if known else None
    hashed = client.registration_token_hash if client is not None else None
    if client is None or not hashes.is_hash(hashed, _hash(text)):
        raise NotFound("client")
    if hashes.is_former(hashed, _hash(text)):
        _exchange(client_id, text, _hash(text))
    if client.disabled_at is not None or client.metadata_["first_party"]:
        raise NotManaged
    return client


def is_strangers(client: ClientRow) -> bool:
    """Whether nobody has vetted this application: it registered itself where everybody may."""
    if client.metadata_["first_party"]:
        return False
    return db.session.scalar(select(Client.registered_by).where(Client.id == client.id)) == OPEN


def replace(client_id: str, text: str, metadata: Mapping[str, Any]) -> SelfRegistered:
    """Replace the registration (RFC 7592 §2.2); its token is another one from now on.

    Raises ``NotFound``, ``NotManaged``, ``Invalid``, and ``Conflict`` where somebody else
    changed it at the same moment.
    """
    client = managed(client_id, text)
    version, before = client.version, client.metadata_
    _check_repeated(metadata, client)
    document = _bounded(metadata, _bounds_of(client))
    document |= {k: v for k, v in before.items() if k in _NOT_ITS_OWN}  # an operator's word
    document = settled.kept_to(document, client.settled)
    clients.check_keys(document)
    registration.check_elsewhere(document, ["its own"], before)
    return _replace(client_id, text, document, version)


@retried
def _replace(
    client_id: str, text: str, document: Mapping[str, Any], version: int
) -> SelfRegistered:
    token = secrets.token_urlsafe(32)
    with transaction():
        correlation.current().actor = client_id
        if not _exchange(client_id, text, _hash(token)):
            raise NotFound("client")
        made: Registered = clients.change(client_id, document, version=version, by_itself=True)
    return SelfRegistered(made.client, token, made.secret)


@retried
def remove(client_id: str, text: str) -> None:
    """Take the client out of use for good (RFC 7592 §2.3): what it was given ends.

    Raises ``NotFound``, ``NotManaged``.
    """
    managed(client_id, text)
    with transaction():
        correlation.current().actor = client_id
        if not _exchange(client_id, text, None):
            raise NotFound("client")
        clients.disable(client_id)


def _exchange(client_id: str, text: str, hashed: str | None) -> bool:
    """Put another token in the place of this one; of two at once, one does."""
    return bool(
        update_all(
            Client,
            Client.id == client_id,
            Client.registration_token_hash == _hash(text),
            registration_token_hash=hashed,
            version=Client.version,  # the registration stays as it is
        )
    )


def _bounds_of_request(text: str | None, address: str | None) -> _Bounds:
    if text is not None:
        token = registration_tokens.find_usable(text)
        if token is None:
            raise NotFound("registration token")
        return _of_token(token)
    if settings.current().dynamic_registration != OPEN:
        raise NotFound("registration token")
    for kind, part in (
        ("registration", throttling.address_prefix(address)),
        ("registrations", ""),
    ):
        if isinstance(outcome := throttling.attempt(kind, part), throttling.Blocked):
            raise Throttled(outcome.retry_after)
    return _open()


def _bounds_of(client: Client) -> _Bounds:
    token = registration_tokens.get_token(client.registered_by or "")
    return _of_token(token) if token is not None else _open()


def _of_token(token: RegistrationToken) -> _Bounds:
    return _Bounds(token.id, tuple(token.schools), token.scope, token.pkce_optional)


def _open() -> _Bounds:
    return _Bounds(OPEN, settings.current().dynamic_registration_schools, " ".join(SCOPES))


def _bounded(metadata: Mapping[str, Any], bounds: _Bounds) -> dict[str, Any]:
    """The metadata as this client may have them (RFC 7591 §3.2.1: the server may replace some)."""
    document = {k: v for k, v in metadata.items() if k not in _NOT_ITS_OWN}
    document.setdefault("client_name", _name_of(metadata))
    scope = metadata.get("scope")
    if scope is None:
        document["scope"] = bounds.scope
    elif isinstance(scope, str):
        document["scope"] = " ".join(s for s in bounds.scope.split() if s in scope.split())
    if bounds.registered_by == OPEN:
        # What strangers register does not know people by what others know them by
        document["subject_type"] = "pairwise"
    if not bounds.pkce_optional:
        document["require_pkce"] = True
    else:
        document.setdefault("require_pkce", False)
    return document


def _name_of(metadata: Mapping[str, Any]) -> str | None:
    """Where it names itself not: the host to which its codes go."""
    uris = metadata.get("redirect_uris")
    first = uris[0] if isinstance(uris, list) and uris else None
    try:
        return (urlsplit(first).hostname or None) if isinstance(first, str) else None
    except ValueError:
        return None  # refused as an address


def _check_repeated(metadata: Mapping[str, Any], client: Client) -> None:
    """What a replacement must and must not hold (RFC 7592 §2.2)."""
    for name in _OF_THE_SERVER:
        if name in metadata:
            raise Conflict("must_not_be_sent", field=name)
    if metadata.get("client_id") != client.id:
        raise Conflict("other_client_id")
    secret = metadata.get("client_secret")
    if secret is not None and not (
        isinstance(secret, str) and client_secrets.is_secret(client, secret)
    ):
        raise Conflict("other_client_secret")


def _hash(text: str) -> str:
    return keyed_hash("registration access token", text)
