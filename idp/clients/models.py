"""Client applications (relying parties), kept as RFC 7591 client metadata."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, literal_column
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import NAME_LENGTH


class ClientRow:
    """What the protocol and its pages read of a client: of a row, or of the entity."""

    __slots__ = ()

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=opaque_id("app"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", JSON)
    sector: Mapped[str] = mapped_column(String(200))
    """Clients of one sector see the same pairwise subjects (OpenID Connect Core §8.1)."""
    secret_hash: Mapped[str | None] = mapped_column(KeyedHash)
    previous_secret_hash: Mapped[str | None] = mapped_column(KeyedHash)
    previous_secret_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ClientVersion:
    """Which client, and how often it has changed: enough for who keeps clients."""

    __slots__ = ()

    id: Mapped[str]
    version: Mapped[int]


class Client(ClientRow, Model):
    """A registered application. ``metadata_`` is its RFC 7591 document, already checked."""

    __tablename__ = "clients"

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    version: Mapped[int] = mapped_column(
        default=0, server_default="0", onupdate=literal_column("version") + 1
    )
    """Moves with each UPDATE of the row, whichever: a change that was begun before another one does
    not overwrite it, and what workers keep of the client counts no more (``idp.clients.kept``)."""
    registered_by: Mapped[str | None] = mapped_column(OpaqueId)
    """Of a client that registered itself: the id of the token it came with, or ``open``."""
    made_by: Mapped[str | None] = mapped_column(OpaqueId)
    """Who registered it: an account's id, ``cli``, or what ``registered_by`` says. None: not kept,
    for it was registered before that."""
    registration_token_hash: Mapped[str | None] = mapped_column(KeyedHash)
    """Of the registration access token with which it manages itself (RFC 7592)."""
    settled: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of a client that registered itself: what an operator changed (``idp.clients.settled``)."""


class ClientSchool(Model):
    """A school that a client serves: it sees the children of no other."""

    __tablename__ = "client_schools"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True, index=True)


class ClientLogo(Model):
    """The logo of an application, as the small PNG that pages show (``idp.clients.logos``)."""

    __tablename__ = "client_logos"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    address: Mapped[str] = mapped_column(String(2000))
    """The ``logo_uri`` from which it was fetched."""
    png: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str] = mapped_column(String(64))


class RegistrationToken(Model):
    """An initial access token (RFC 7591 §3), by its hash; kept, for it bounds what came by it."""

    __tablename__ = "registration_tokens"

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("n"))
    token_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    label: Mapped[str] = mapped_column(String(NAME_LENGTH))
    schools: Mapped[list[str]] = mapped_column(JSON)
    scope: Mapped[str] = mapped_column(String(200))
    pkce_optional: Mapped[bool]
    uses_left: Mapped[int]
    made_by: Mapped[str | None] = mapped_column(OpaqueId)
    """An account's id, or ``cli``. None: not kept, for it was made before that."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UsedAssertion(Model):
    """The ``jti`` of a client assertion that was accepted: it is accepted once (RFC 7523 §3)."""

    __tablename__ = "used_assertions"

    jti_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    client_id: Mapped[str] = mapped_column(OpaqueId)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ClientRefusal(Model):
    """Why an application was refused, and when last: each reason once (``idp.oidc.refusals``)."""

    __tablename__ = "client_refusals"
    __table_args__ = (
        Index("uq_client_refusals_reason", "client_id", "endpoint", "error", "reason", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    endpoint: Mapped[str] = mapped_column(String(20))
    error: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(200))
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
