"""What proves more than a password: passkeys, authenticator apps, recovery codes."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id

PASSKEY_NAME_LENGTH = 60
CREDENTIAL_ID_LENGTH = 1364
"""A credential id has at most 1,023 bytes (WebAuthn Level 3 §4), here as base64url."""


class Passkey(Model):
    """A discoverable credential (WebAuthn Level 3) of one account, with its public key."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("y"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    credential_id: Mapped[str] = mapped_column(String(CREDENTIAL_ID_LENGTH), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    aaguid: Mapped[str] = mapped_column(String(36), default="")
    transports: Mapped[str] = mapped_column(String(100), default="")
    """How the browser reaches the authenticator, separated by spaces: a hint for the next time."""
    backup_eligible: Mapped[bool] = mapped_column(default=False)
    backed_up: Mapped[bool] = mapped_column(default=False)
    name: Mapped[str] = mapped_column(String(PASSKEY_NAME_LENGTH))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PasskeyChallenge(Model):
    """A challenge that one browser may answer once, for one purpose, as one account (or any)."""

    __tablename__ = "passkey_challenges"

    challenge_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    browser_hash: Mapped[str] = mapped_column(KeyedHash, index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[str] = mapped_column(String(32), default="")
    """Whose passkey must answer; empty where nobody is known yet (sign-in)."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TotpSecret(Model):
    """The secret that an account shares with its authenticator app; a row means « switched on »."""

    __tablename__ = "totp_secrets"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    sealed_secret: Mapped[str] = mapped_column(Text)
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The newest time step whose code was accepted: neither it nor an older one works again."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class TotpEnrolment(Model):
    """A secret that is shown in one browser and waits for its first code."""

    __tablename__ = "totp_enrolments"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    browser_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    sealed_secret: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class RecoveryCode(Model):
    """One of ten codes for the day on which phone and passkey are lost, by its keyed hash."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FactorReset(Model):
    """That staff ask to have an account's second factors removed; a second person confirms."""

    __tablename__ = "factor_resets"
    __table_args__ = (
        CheckConstraint("outcome IN ('done', 'declined', 'void')", name="outcome"),
        Index(
            "uq_factor_resets_asked",
            "account_id",
            "asked_by",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("z"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    asked_by: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    closed_by: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(8))
    """``void``: it expired, who asked may ask no longer, or its holder has lost nothing."""
