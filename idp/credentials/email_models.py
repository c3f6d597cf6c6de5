"""Changes of an account's e-mail address, and the secrets of the mails that decide on them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import KeyedHash, Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import EMAIL_LENGTH, one_of

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
