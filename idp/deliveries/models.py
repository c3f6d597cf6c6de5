"""The deliveries: who is to be told of what; never the words, never a token."""

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import Model, OpaqueId, UtcDateTime
from idp.people.models import one_of

EVENTS: Final = (
    "logout",
    "session-replaced",
    "session-revoked",
    "guardianship-ended",
    "consent-withdrawn",
    "account-disabled",
    "account-enabled",
)
"""The first two are logout tokens (OpenID Connect Back-Channel Logout 1.0), the others security
events (RFC 8417)."""
STATUSES: Final = ("waiting", "told", "refused", "given_up", "dropped", "outdated")


class EventDelivery(Model):
    """Something that one application is to be told, or was.

    ``refused``: it answered that it can't use it. ``given_up``: it was away for a day.
    ``dropped``: it is not registered for it any more. ``outdated``: it has got a token since that
    says the contrary.
    """

    __tablename__ = "event_deliveries"
    __table_args__ = (
        CheckConstraint(one_of("status", STATUSES), name="status"),
        CheckConstraint(one_of("event", EVENTS), name="event"),
        Index(
            "ix_event_deliveries_due",
            "due_at",
            sqlite_where=text("status = 'waiting'"),
            postgresql_where=text("status = 'waiting'"),
        ),
        Index(
            "ix_event_deliveries_waiting",
            "client_id",
            "due_at",
            "id",
            sqlite_where=text("status = 'waiting'"),
            postgresql_where=text("status = 'waiting'"),
        ),
        Index("ix_event_deliveries_client_id_id", "client_id", "id"),
        Index("ix_event_deliveries_account_id_id", "account_id", "id"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    event: Mapped[str] = mapped_column(String(20))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    session_id: Mapped[str | None] = mapped_column(OpaqueId)
    """The session that ended: of those that are purged, too."""
    child_id: Mapped[str | None] = mapped_column(ForeignKey("children.id"), index=True)
    status: Mapped[str] = mapped_column(String(8), default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)
    """When it happened."""
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    """When to try (again). A worker that takes a row moves it on by the time it may need."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(String(200))
    """The application's last answer, its own words in quotes, or why there was none."""


class DeliveryPause(Model):
    """An application that did not take what it was sent last: how it is spared meanwhile.

    At most one row for each; it goes with the next thing that the application takes.
    """

    __tablename__ = "delivery_pauses"

    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=1)
    """One after the other, of whatever."""
    until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until then it is sent nothing, and then one thing alone; None: one thing that it does not
    take says little about the others."""
