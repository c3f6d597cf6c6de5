"""Grants, and what hangs on them: codes, access tokens, refresh tokens; and consent.

Everything given to an application hangs on one ``Grant``, so that ending it ends all.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, true
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.clients.field_checks import LONGEST_RESOURCE
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id


class GrantRow:
    """What codes, tokens and claims read of a grant."""

    __slots__ = ()

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("r"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("browser_sessions.id"), index=True)
    child_id: Mapped[str | None] = mapped_column(ForeignKey("children.id"), index=True)
    child_selection: Mapped[str | None] = mapped_column(String(10))
    child_selected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    child_switchable: Mapped[bool] = mapped_column(default=False)
    scope: Mapped[str] = mapped_column(String(200))
    claims: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The ``claims`` parameter (OpenID Connect Core §5.5), as far as we support it."""
    auth_time: Mapped[datetime] = mapped_column(UtcDateTime)
    auth_time_proved: Mapped[bool] = mapped_column(default=True, server_default=true())
    """As the session's: an unproved time is told to nobody."""
    resource: Mapped[str | None] = mapped_column(Text)
    """The resource servers that the request named (RFC 8707), separated by spaces."""
    amr: Mapped[str] = mapped_column(String(100))
    acr: Mapped[str] = mapped_column(String(100))
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Grant(GrantRow, Model):
    """What a guardian lets one application do: scopes, and the child it may name."""

    __tablename__ = "grants"
    __table_args__ = (
        Index("ix_grants_account_id_client_id", "account_id", "client_id"),
        Index("ix_grants_client_id_created_at", "client_id", "created_at"),
    )

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)
    ended_reason: Mapped[str | None] = mapped_column(String(60))


class CodeRow:
    """What is read of a code that is presented."""

    __slots__ = ()

    code_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    redirect_uri: Mapped[str] = mapped_column(String(2000))
    nonce: Mapped[str | None] = mapped_column(String(1000))
    code_challenge: Mapped[str | None] = mapped_column(String(128))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    redeemed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dpop_jkt: Mapped[str | None] = mapped_column(String(43))
    """The key whose proof redeems it (RFC 9449 §10)."""


class AuthorizationCode(CodeRow, Model):
    """A code, by its hash. Kept after use, so that a second use is recognised."""

    __tablename__ = "authorization_codes"

    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id", ondelete="CASCADE"), index=True)


class DeviceCodeRow:
    """What is read of a device code (RFC 8628) that is polled, or answered."""

    __slots__ = ()

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("d"))
    device_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    """As an interaction keeps it: scope, nonce, resource and all."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    poll_interval: Mapped[int]
    """Seconds between two questions; it grows with each that comes too early."""
    grant_id: Mapped[str | None] = mapped_column(
        ForeignKey("grants.id", ondelete="CASCADE"), index=True
    )
    """What a guardian gave, on which it hangs from then on."""
    denied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    denied_because: Mapped[str | None] = mapped_column(String(200))
    redeemed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeviceCode(DeviceCodeRow, Model):
    """A screen that asks for somebody's answer on another device, by the hashes of both codes."""

    __tablename__ = "device_codes"

    user_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    next_poll_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class AccessTokenRow:
    """What is read of an access token that is presented."""

    __slots__ = ()

    token_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    scope: Mapped[str] = mapped_column(String(200))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmation: Mapped[str | None] = mapped_column(String(64))
    """The key that it is bound to (``idp.oidc.sender``)."""
    resource: Mapped[str | None] = mapped_column(String(LONGEST_RESOURCE))
    """The resource server that it is for (RFC 9068); None: ourselves."""


class AccessToken(AccessTokenRow, Model):
    """An access token, opaque or signed, by its hash."""

    __tablename__ = "access_tokens"

    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id", ondelete="CASCADE"), index=True)


class RefreshTokenRow:
    """What is read of a refresh token that is presented."""

    __slots__ = ()

    token_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    scope: Mapped[str] = mapped_column(String(200))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmation: Mapped[str | None] = mapped_column(String(64))
    """As an access token's; only a public client's is bound itself."""


class RefreshToken(RefreshTokenRow, Model):
    """One refresh token of a grant's family, by its hash.

    The successor is derived from the token itself, so that a lost answer can be given
    again for a short grace although only hashes are stored.
    """

    __tablename__ = "refresh_tokens"

    grant_id: Mapped[str] = mapped_column(ForeignKey("grants.id", ondelete="CASCADE"), index=True)


class Consent(Model):
    """What a guardian allowed a third-party application to see of themselves, until withdrawn."""

    __tablename__ = "consents"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True, index=True)
    scope: Mapped[str] = mapped_column(String(200))
    child_fields: Mapped[str] = mapped_column(String(200), default="", server_default="")
    """Not read any more: what earlier releases kept for all children of a guardian alike."""
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChildConsent(Model):
    """What a guardian allowed an application to see of one child (security rule N3).

    It counts beside a ``Consent`` of the two that is not withdrawn.
    """

    __tablename__ = "child_consents"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True, index=True)
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), primary_key=True, index=True)
    fields: Mapped[str] = mapped_column(String(200))
    """The fields of the ``child`` claim that the page named, separated by spaces."""
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PushedRequestRow:
    """What is read of a pushed request whose name is brought."""

    __slots__ = ()

    uri_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    client_id: Mapped[str] = mapped_column(String(64))
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PushedRequest(PushedRequestRow, Model):
    """A validated authorization request that its application has pushed (RFC 9126), by the hash of
    its name. Kept after use, so that the same browser finds the way on.
    """

    __tablename__ = "pushed_requests"
