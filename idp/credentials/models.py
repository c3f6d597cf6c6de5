"""What proves who somebody is: passwords, one-time tokens, and the counters of guesses."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import one_of

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
