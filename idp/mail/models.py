"""The outbox: what is to be said, to whom; never the words, never a token."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import Model, OpaqueId, UtcDateTime, opaque_id

STATUSES = ("queued", "sent", "refused", "dropped")


class OutboxMessage(Model):
    """A message that waits for the worker, or its fate.

    ``kind`` names the composer, ``about`` its parameters (ids, never secrets).
    ``dropped`` is a request that led to no mail, such as an address that nobody has.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'sent', 'refused', 'dropped')", name="status"),
        Index("ix_outbox_due", "status", "due_at"),
        Index("ix_outbox_fate", "status", "created_at"),
        Index("ix_outbox_recipient", "recipient_hash", "created_at"),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("m"))
    kind: Mapped[str] = mapped_column(String(40))
    about: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    account_id: Mapped[str | None] = mapped_column(OpaqueId, index=True)
    recipient_hash: Mapped[str | None] = mapped_column(String(43))
    """Keyed hash of the address: counts mails to one address without naming it."""
    status: Mapped[str] = mapped_column(String(8), default="queued")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    """When to try (again). A worker that takes a message moves it on by the time it may need."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(String(200))
    """The mail server's last answer, or why there was no mail."""
    meaning: Mapped[str | None] = mapped_column(String(20))
    """What the answer means, one of ``idp.mail.answers.MEANINGS``: decided when it came in."""
