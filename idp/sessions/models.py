"""What a browser carries on with us: its session, its choice of child, its waiting requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, false, text, true
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id


class SessionRow:
    """What is read of a live session."""

    __slots__ = ()

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("b"))
    auth_time: Mapped[datetime] = mapped_column(UtcDateTime)
    auth_time_proved: Mapped[bool] = mapped_column(default=True, server_default=true())
    """False where another provider's word is all we have, and it told no time."""
    amr: Mapped[str] = mapped_column(String(100))
    """Authentication methods (RFC 8176), separated by spaces."""
    acr: Mapped[str] = mapped_column(String(100))
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the guardian proved once more who they are, before a delicate change; None: only at
    ``auth_time``."""
    passkey_id: Mapped[str | None] = mapped_column(OpaqueId, index=True)
    """The passkey that proved who this is: its removal ends the session."""


class BrowserSession(SessionRow, Model):
    """A guardian signed in in one browser. The cookie's secret is kept as a keyed hash."""

    __tablename__ = "browser_sessions"
    __table_args__ = (
        Index(
            "ix_browser_sessions_persistent_login_id",
            "persistent_login_id",
            sqlite_where=text("persistent_login_id IS NOT NULL"),
            postgresql_where=text("persistent_login_id IS NOT NULL"),
        ),
    )

    secret_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    link_id: Mapped[str | None] = mapped_column(String(32), index=True)
    """The link to a foreign identity that the session came by, and ends with."""
    persistent_login_id: Mapped[str | None] = mapped_column(String(32))
    """By which its browser stays signed in: a stolen key ends every session that it has opened."""
    device: Mapped[str] = mapped_column(String(100), default="")
    """Browser and system in words, such as « Firefox, Android »; no address, no place."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PersistentLogin(Model):
    """A browser that stays signed in: what is kept of the device key in its cookie.

    The cookie holds the name of the family, which stays, and a secret, which changes at each use.
    """

    __tablename__ = "persistent_logins"

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("d"))
    family_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    secret_hash: Mapped[str] = mapped_column(KeyedHash)
    previous_hash: Mapped[str | None] = mapped_column(KeyedHash)
    """The secret before, which two tabs may bring at the same instant."""
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    session_id: Mapped[str] = mapped_column(
        ForeignKey("browser_sessions.id", ondelete="CASCADE"), index=True
    )
    """Its last session, whose sign-in the next one stands on; the key ends with it."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    rotated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class ChildChoice(Model):
    """The child that a guardian chose in one session for one school."""

    __tablename__ = "child_choices"

    session_id: Mapped[str] = mapped_column(
        ForeignKey("browser_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True, index=True)
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    client_id: Mapped[str | None] = mapped_column(String(64))
    """The application on whose page it was chosen: for a third party only its own counts."""
    selected_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class Interaction(Model):
    """The way through our pages in one browser, perhaps to an application that waits at its end.

    ``request`` holds the validated authorization request (``{}`` where no application waits).
    As long as nobody has done anything in it, its browser carries it (``carried``): then ``id``
    is not yet that of a row, but what stands in the address of its pages.
    """

    __tablename__ = "interactions"
    __table_args__ = (Index("ix_interactions_browser", "browser_hash", "created_at"),)

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("i"))
    browser_hash: Mapped[str] = mapped_column(KeyedHash)
    client_id: Mapped[str | None] = mapped_column(ForeignKey("clients.id"), index=True)
    request: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sealed_token: Mapped[str | None] = mapped_column(Text)
    """The token of an opened mail, encrypted under a key that only this browser's cookie yields."""
    verified_token_id: Mapped[str | None] = mapped_column(
        ForeignKey("one_time_tokens.id"), index=True
    )
    """The token that was proved in this interaction: the only way to « new password »."""
    pending_proof: Mapped[str | None] = mapped_column(Text)
    """A first factor that was proved here and waits for the second (``lifecycle.sign_in``)."""
    pending_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    goes_without: Mapped[bool] = mapped_column(default=False)
    """The guardian declined what an application asked for without insisting (``acr_values``)."""
    signed_in_session_id: Mapped[str | None] = mapped_column(String(32))
    """The session that signed in for this request (``prompt=login``, ``max_age``)."""
    child_id: Mapped[str | None] = mapped_column(ForeignKey("children.id"), index=True)
    """The child chosen on this interaction's page: two tabs keep two children apart."""
    consented: Mapped[bool] = mapped_column(default=False)
    stays: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whoever signs in here asked that this browser stay signed in."""

    carried = ""
    """The id that the row has, or will have, of an interaction that came with its browser."""


class FormSubmission(Model):
    """A form that was sent: its answer for an equal one, and what was typed, for a while."""

    __tablename__ = "form_submissions"

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("f"))
    key_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    """Of the page's random key, the browser, the form's path and all its fields."""
    browser_hash: Mapped[str] = mapped_column(KeyedHash, index=True)
    answer: Mapped[str | None] = mapped_column(Text)
    """Encrypted under a key that only this browser's cookie yields; None while one is at work."""
    typed: Mapped[str | None] = mapped_column(Text)
    """Encrypted likewise; never a password."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
