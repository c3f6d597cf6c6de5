"""Registering client applications: the one service under command line, console and RFC 7591."""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, update

from idp import clock
from idp.audit import events
from idp.clients import uris
from idp.clients.metadata import InvalidMetadata, checked
from idp.clients.models import Client, ClientRow, ClientSchool
from idp.database import db, keyed_hash, transaction
from idp.people.models import School
from idp.prepared import Prepared, columns

__all__ = ["InvalidMetadata", "Registered", "UnknownClient", "find", "register"]


_LIVE_CLIENT: Final = Prepared(
    select(*columns(Client, ClientRow)).where(
        Client.id == bindparam("client_id"), Client.disabled_at.is_(None)
    ),
    ClientRow,
)


class UnknownClient(Exception):
    """There is no client of this id."""


@dataclass(frozen=True)
class Registered:
    """A client, with its secret in clear: the only moment when it can be seen."""

    client: Client
    secret: str | None


def register(
    metadata: Mapping[str, Any], *, school_ids: Sequence[str], client_id: str | None = None
) -> Registered:
    """Register an application for one or several schools.

    ``metadata``: RFC 7591 client metadata and our own members (docs/clients.md).
    Raises ``InvalidMetadata`` naming the field.
    """
    document = checked(metadata)
    if not school_ids:
        raise InvalidMetadata("schools", "must name at least one school")
    secret = _new_secret(document)
    client = Client(
        name=document["client_name"],
        metadata_=document,
        secret_hash=secret and _secret_hash(secret),
        sector="",
    )
    if client_id is not None:
        client.id = client_id
    with transaction() as session:
        _check_schools(school_ids)
        session.add(client)
        session.flush()
        client.sector = _sector(client, school_ids)
        session.add_all(
            ClientSchool(client_id=client.id, school_id=each) for each in set(school_ids)
        )
        events.record("client_created", client_id=client.id)
    return Registered(client, secret)


def change(
    client_id: str, metadata: Mapping[str, Any], *, school_ids: Sequence[str] | None = None
) -> Client:
    """Replace the metadata (RFC 7592 §2.2). The sector stays: subjects never change."""
    document = checked(metadata)
    with transaction() as session:
        client = get(client_id)
        client.metadata_ = document
        client.name = document["client_name"]
        if school_ids is not None:
            _check_schools(school_ids)
            session.execute(delete(ClientSchool).where(ClientSchool.client_id == client_id))
            session.add_all(ClientSchool(client_id=client_id, school_id=s) for s in set(school_ids))
        events.record("client_created", client_id=client_id, result="changed")
    return client


def find(client_id: str) -> ClientRow | None:
    """The client of this id, unless it is disabled; one look-up by primary key."""
    if not client_id or len(client_id) > 64 or "\0" in client_id:
        return None
    found = _LIVE_CLIENT.one_or_none(client_id=client_id)
    return found[0] if found is not None else None


def get(client_id: str) -> Client:
    """The client of this id, disabled or not. Raises ``UnknownClient``."""
    client = db.session.get(Client, client_id)
    if client is None:
        raise UnknownClient(client_id)
    return client


def list_clients() -> list[Client]:
    """Every client, disabled ones too, by name."""
    return list(db.session.scalars(select(Client).order_by(Client.name, Client.id)))


def schools_of(client_id: str) -> list[School]:
    """The schools that a client serves; one query."""
    return list(
        db.session.scalars(
            select(School)
            .join(ClientSchool, ClientSchool.school_id == School.id)
            .where(ClientSchool.client_id == client_id)
            .order_by(School.name)
        )
    )


def clients_of_schools(school_ids: Sequence[str]) -> list[Client]:
    """The applications in use at some schools that have a start page; one query."""
    clients = db.session.scalars(
        select(Client)
        .where(
            Client.disabled_at.is_(None),
            Client.id.in_(
                select(ClientSchool.client_id).where(ClientSchool.school_id.in_(school_ids))
            ),
        )
        .order_by(Client.name)
    )
    return [client for client in clients if start_page(client)]


def start_page(client: Client | ClientRow) -> str | None:
    """Where a parent starts this application (OpenID Connect Core §4, or its home page)."""
    page: str | None = client.metadata_.get("initiate_login_uri") or client.metadata_.get(
        "client_uri"
    )
    return page


def rotate_secret(client_id: str, *, overlap: timedelta = timedelta(0)) -> Registered:
    """Give a new secret; the old one goes on working for ``overlap``."""
    client = get(client_id)
    secret = _new_secret(client.metadata_)
    if secret is None:
        raise InvalidMetadata("token_endpoint_auth_method", "has no secret to rotate")
    with transaction() as session:
        session.execute(
            update(Client)
            .where(Client.id == client_id)
            .values(
                previous_secret_hash=Client.secret_hash if overlap else None,
                previous_secret_expires_at=clock.now() + overlap if overlap else None,
                secret_hash=_secret_hash(secret),
            )
        )
        events.record("client_secret_rotated", client_id=client_id, overlap=overlap.total_seconds())
    return Registered(client, secret)


def disable(client_id: str) -> bool:
    """Disable a client: its codes and tokens stop working with the next request."""
    get(client_id)
    with transaction() as session:
        disabled = session.execute(
            update(Client)
            .where(Client.id == client_id, Client.disabled_at.is_(None))
            .values(disabled_at=clock.now())
        ).rowcount
        if disabled:
            events.record("client_disabled", client_id=client_id)
    return bool(disabled)


def secret_matches(client: ClientRow, secret: str) -> bool:
    """Whether this is the client's secret, or its former one still in overlap; constant time."""
    given = _secret_hash(secret)
    matches = hmac.compare_digest(client.secret_hash or "", given)
    former = client.previous_secret_hash
    if former and (client.previous_secret_expires_at or clock.now()) > clock.now():
        matches |= hmac.compare_digest(former, given)
    return matches


def _new_secret(document: Mapping[str, Any]) -> str | None:
    if not document["token_endpoint_auth_method"].startswith("client_secret_"):
        return None
    return secrets.token_urlsafe(32)


def _secret_hash(secret: str) -> str:
    return keyed_hash("client secret", secret)


def _sector(client: Client, school_ids: Sequence[str]) -> str:
    """Who sees the same subjects: the applications of one school, or those of one host.

    OpenID Connect Core §8.1 leaves the sector to the provider where clients share one; a
    school's own portals share their school (docs/decisions/pairwise-sectors.md).
    """
    if client.metadata_["first_party"] and len(set(school_ids)) == 1:
        return f"school:{school_ids[0]}"
    hosts = {uris.origin(uri) for uri in client.metadata_["redirect_uris"]}
    return f"origin:{hosts.pop()}"[:200] if len(hosts) == 1 else f"client:{client.id}"


def _check_schools(school_ids: Sequence[str]) -> None:
    known = set(db.session.scalars(select(School.id).where(School.id.in_(school_ids))))
    if missing := set(school_ids) - known:
        raise InvalidMetadata("schools", f"names an unknown school {min(missing)!r}")
