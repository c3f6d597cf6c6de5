"""Foreign identities: which are linked to whom, and which requests to providers are under way."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import one_of

PROVIDER_LENGTH = 20
ISSUER_LENGTH = 255
SUBJECT_LENGTH = 255  # OpenID Connect Core §2: at most 255 ASCII characters
SHOWN_LENGTH = 254

PURPOSES = ("sign_in", "claim", "link", "step_up")


class FederatedLink(Model):
    """That a foreign identity opens a guardian's account. No name, no address, no token of it.

    It belongs to one account (the database sees to it) and never moves.
    """

    __tablename__ = "federated_links"
    __table_args__ = (
        UniqueConstraint("issuer", "subject", name="uq_federated_links_identity"),
        UniqueConstraint("account_id", "issuer", name="uq_federated_links_account_issuer"),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("l"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    provider: Mapped[str] = mapped_column(String(PROVIDER_LENGTH))
    issuer: Mapped[str] = mapped_column(String(ISSUER_LENGTH))
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    linked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class FederationState(Model):
    """A request to a provider: whose browser went, for what, and until when it may come back.

    The ``state`` itself is in the browser only; ``nonce`` and PKCE's verifier are derived from
    it under our key, so that this table holds nothing that completes a request.
    """

    __tablename__ = "federation_states"
    __table_args__ = (
        CheckConstraint(one_of("purpose", PURPOSES), name="purpose"),
        Index("ix_federation_states_browser", "browser_hash", "created_at"),
    )

    state_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    browser_hash: Mapped[str] = mapped_column(KeyedHash)
    provider: Mapped[str] = mapped_column(String(PROVIDER_LENGTH))
    purpose: Mapped[str] = mapped_column(String(8))
    interaction_id: Mapped[str | None] = mapped_column(
        ForeignKey("interactions.id", ondelete="CASCADE"), index=True
    )
    account_id: Mapped[str | None] = mapped_column(String(32))
    """The guardian that must still be signed in (``link``, ``step_up``)."""
    session_id: Mapped[str | None] = mapped_column(String(32))
    token_id: Mapped[str | None] = mapped_column(String(32))
    """The proved token that is spent at the end (``claim``)."""
    max_age: Mapped[int | None] = mapped_column()
    """The provider was asked for a sign-in not older than this (seconds)."""
    next_path: Mapped[str | None] = mapped_column(String(4000))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    spent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PendingLink(Model):
    """A foreign identity that was proved in an interaction and belongs to nobody yet.

    Whoever signs in in this interaction, in this browser, gets it: once (security rule F7).
    """

    __tablename__ = "pending_links"
    __table_args__ = (Index("ix_pending_links_issuer_subject", "issuer", "subject"),)

    interaction_id: Mapped[str] = mapped_column(
        ForeignKey("interactions.id", ondelete="CASCADE"), primary_key=True
    )
    browser_hash: Mapped[str] = mapped_column(KeyedHash, index=True)
    provider: Mapped[str] = mapped_column(String(PROVIDER_LENGTH))
    issuer: Mapped[str] = mapped_column(String(ISSUER_LENGTH))
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    shown: Mapped[str] = mapped_column(String(SHOWN_LENGTH), default="")
    """The address or name that the provider told, for the parent's eyes; proves nothing."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


DELETIONS_KEPT: Final = timedelta(days=180)
"""For so long a person may ask whether the provider's request was obeyed."""


class DeletionRequest(Model):
    """That a provider asked us to forget a person, and whether there was anything to forget."""

    __tablename__ = "deletion_requests"

    code_hash: Mapped[str] = mapped_column(KeyedHash, primary_key=True)
    provider: Mapped[str] = mapped_column(String(PROVIDER_LENGTH))
    link_ended: Mapped[bool] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)
