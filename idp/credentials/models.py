"""What proves who somebody is: passwords, one-time tokens, second factors, changes
of address, and the counters of guesses.
"""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import EMAIL_LENGTH, one_of

TOKEN_PURPOSES = ("first_sign_in", "password_reset")


class Password(Model):
    """The hash of an account's password; its prefix tells pre-hash, pepper and cost."""

    __tablename__ = "passwords"

    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(200))
    set_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    rooted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when each password was changed with a proof of the one before; None: ``set_at``."""


class OneTimeToken(Model):
    """A one-time connection token, by its keyed hash. The token itself is stored nowhere."""

    __tablename__ = "one_time_tokens"
    __table_args__ = (CheckConstraint(one_of("purpose", TOKEN_PURPOSES), name="purpose"),)

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("t"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(KeyedHash, unique=True)
    outbox_id: Mapped[str | None] = mapped_column(OpaqueId, index=True)
    """The mail that carries it; a mail sent twice has two tokens, and either works once."""
    sent_to: Mapped[str | None] = mapped_column(KeyedHash)
    """Keyed hash of the address that it was mailed to: completing it proves that address."""
    client_id: Mapped[str | None] = mapped_column(ForeignKey("clients.id"), index=True)
    """The application whose start page is offered in a browser where none waits."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its holder first sent it: a mail's link that was merely opened proves no reader."""
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ThrottleCounter(Model):
    """Attempts against one thing (an account, an address, everything): shared by all workers."""

    __tablename__ = "throttle_counters"

    key: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    blocked_until: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    refused: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Attempts that were refused since the count began anew."""


class KnownDevice(Model):
    """A browser in which an account has signed in before: a stranger's guesses don't slow it."""

    __tablename__ = "known_devices"

    device_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True, index=True)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)


LINK_PURPOSES = ("confirm", "undo")


class EmailChange(Model):
    """One change of address: asked for, then confirmed, undone or ended.

    ``expires_at`` is how long the present state may be answered: the confirmation before it
    came, the undoing afterwards. Old addresses leave the database with the row, soon after.
    """

    __tablename__ = "email_changes"
    __table_args__ = (Index("ix_email_changes_account_id", "account_id", "asked_at"),)

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("e"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    old_email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    new_email: Mapped[str] = mapped_column(String(EMAIL_LENGTH))
    by_school: Mapped[bool] = mapped_column(default=False, server_default=false())
    undoable: Mapped[bool | None]
    """Whether an address that its holder had proved may take it back; None where an earlier
    release, which did not ask, wrote the row: then the old address may."""
    undo_email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    """Whose mail may take it back, and what the account gets back; None: the old address."""
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Taken back, replaced by another, or its way back was ended."""
    disputed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Undone by whoever reads the mail while somebody else still had a proved password, passkey
    or link: until then neither gains the account from the other; the school may decide."""

    @property
    def taken_back_by(self) -> str | None:
        """The address that may undo it, if any may."""
        return None if self.undoable is False else self.undo_email or self.old_email


class EmailChangeLink(Model):
    """The secret of one mail about a change, by its keyed hash. A mail sent twice has two."""

    __tablename__ = "email_change_links"
    __table_args__ = (CheckConstraint(one_of("purpose", LINK_PURPOSES), name="purpose"),)

    secret_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    change_id: Mapped[str] = mapped_column(
        ForeignKey("email_changes.id", ondelete="CASCADE"), index=True
    )
    purpose: Mapped[str] = mapped_column(String(8))
    outbox_id: Mapped[str] = mapped_column(OpaqueId, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


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
