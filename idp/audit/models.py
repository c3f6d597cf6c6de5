"""The audit log: who did what, on whom, through which client, with what result."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.audit.vocabulary import VOCABULARY
from idp.database import Model, UtcDateTime

OF_PLATFORM: Final = "school_id IS NULL AND event IN ({})".format(
    ", ".join(f"'{name}'" for name, event in sorted(VOCABULARY.items()) if event.is_platforms)
)
"""What happened to the platform itself. A migration follows whoever adds such an event."""


class AuditEvent(Model):
    """One event. The database refuses to change it, or to delete it but for a purge (triggers)."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_account_id_id", "account_id", "id"),
        Index("ix_audit_events_school_id_id", "school_id", "id"),
        # Sign-ins by hour: of all events of a week, these alone, and from the index alone
        Index(
            "ix_audit_events_sign_ins",
            "at",
            "account_id",
            sqlite_where=text("event = 'sign_in'"),
            postgresql_where=text("event = 'sign_in'"),
        ),
        # The same of one school: by its guardians, however many sign in elsewhere
        Index(
            "ix_audit_events_sign_ins_of_account",
            "account_id",
            "at",
            sqlite_where=text("event = 'sign_in'"),
            postgresql_where=text("event = 'sign_in'"),
        ),
        # What operators read, which is little of all: see idp.desk.audit_log
        Index(
            "ix_audit_events_of_schools",
            "id",
            sqlite_where=text("school_id IS NOT NULL"),
            postgresql_where=text("school_id IS NOT NULL"),
        ),
        Index(
            "ix_audit_events_of_platform",
            "id",
            sqlite_where=text(OF_PLATFORM),
            postgresql_where=text(OF_PLATFORM),
        ),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)
    event: Mapped[str] = mapped_column(String(40))
    result: Mapped[str] = mapped_column(String(20), default="ok")
    actor: Mapped[str] = mapped_column(String(40), default="")
    """An account's id, ``cli``, ``worker``, or empty for somebody unknown."""
    account_id: Mapped[str | None] = mapped_column(String(32))
    child_id: Mapped[str | None] = mapped_column(String(32))
    client_id: Mapped[str | None] = mapped_column(String(64))
    session_id: Mapped[str | None] = mapped_column(String(32))
    school_id: Mapped[str | None] = mapped_column(String(32))
    """The school whose staff did it, or whom it concerns: that school may read it."""
    address: Mapped[str | None] = mapped_column(String(45))
    correlation_id: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class DatabaseIdentity(Model):
    """The one row that tells this database, and its backups, from every other."""

    __tablename__ = "database_identity"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)


class InstallationMark(Model):
    """What the machines of an installation tell each other: see ``idp.readiness.marks``."""

    __tablename__ = "installation_marks"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str] = mapped_column(String(200), default="")
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
