"""Links between a former guardian and a pupil that wait for the guardian's yes."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import RELATIONSHIPS, one_of

ANSWERS = ("yes", "no", "linked", "ended")
"""Of the guardian; or somebody who may has linked them meanwhile; or it ended unanswered."""


class LinkRequest(Model):
    """That a school asks somebody, who was guardian there long ago, about one of its pupils."""

    __tablename__ = "link_requests"
    __table_args__ = (
        CheckConstraint(one_of("relationship", RELATIONSHIPS), name="relationship"),
        CheckConstraint(one_of("answer", ANSWERS), name="answer"),
        Index("ix_link_requests_account_id", "account_id"),
        Index(
            "uq_link_requests_open",
            "account_id",
            "child_id",
            unique=True,
            sqlite_where=text("answered_at IS NULL"),
            postgresql_where=text("answered_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("l"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    relationship: Mapped[str] = mapped_column(String(16))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(String(8))
