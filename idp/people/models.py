"""Schools, guardians' accounts, children, and who may see whom."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from idp import clock
from idp.database import Model, OpaqueId, UtcDateTime, opaque_id, remembered

NAME_LENGTH = 120
EMAIL_LENGTH = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets

ACCOUNT_STATUSES = ("invited", "active", "disabled")
STAFF_ROLES = ("operator", "manager", "helper")
RELATIONSHIPS = ("parent", "guardian", "relative", "aunt", "uncle", "father", "mother", "other")
"""OneRoster 1.2, vocabulary of agents; ``parent`` where a school tells no more."""
END_REASONS = ("left", "moved", "request", "family", "court", "mistake", "merged", "other")
"""Why a guardianship ended, where somebody at a school says so."""
FOR_GOOD = ("court", "request")
"""Ended by somebody else than the school's office alone: the guardian is asked, however lately."""
ERASURE_OUTCOMES = ("done", "declined", "taken_back")
TEXT_KINDS = ("invitation", "fresh_token", "password_reset")
"""The letters in which a school may add its own words."""
TEXT_LENGTH = 600


def full_name(given_name: str, family_name: str) -> str:
    """What somebody is called; whoever has one name only has it as the given name."""
    return f"{given_name} {family_name}".strip()


def one_of(column: str, values: tuple[str, ...]) -> str:
    """The text of a check constraint: ``column`` holds one of ``values``."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


class School(Model):
    """A school, with what its parents see of it."""

    __tablename__ = "schools"

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("s"))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    colour: Mapped[str] = mapped_column(String(7), default="#1d4f91")
    logo_png: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    logo_digest: Mapped[str | None] = mapped_column(String(64))
    contact_name: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    contact_email: Mapped[str] = mapped_column(String(EMAIL_LENGTH), default="")
    contact_phone: Mapped[str] = mapped_column(String(40), default="")
    locale: Mapped[str] = mapped_column(String(2), default="fr")
    """Its first language: of pages and mails where their reader wishes no other."""
    languages: Mapped[str] = mapped_column(String(20), default="", server_default="")
    """Which languages its pages offer, separated by spaces; empty: all."""
    hidden_providers: Mapped[str] = mapped_column(Text, default="", server_default="")
    """The keys of the providers that its sign-in pages do not offer, separated by spaces."""
    stay_signed_in_days: Mapped[int | None]
    """For how long a family's own device may; 0: not at all, None: as the operator says."""
    keep_leavers_days: Mapped[int | None]
    """For how long pupils who left, and accounts without a pupil, are kept; None: as above."""
    version: Mapped[int] = mapped_column(default=0, server_default="0")
    """Moves with every change: two who edit at once notice each other."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class SchoolText(Model):
    """A school's own words in one kind of letter, in one language, around ours."""

    __tablename__ = "school_texts"
    __table_args__ = (CheckConstraint(one_of("kind", TEXT_KINDS), name="kind"),)

    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    locale: Mapped[str] = mapped_column(String(2), primary_key=True)
    opening: Mapped[str] = mapped_column(String(TEXT_LENGTH), default="")
    closing: Mapped[str] = mapped_column(String(TEXT_LENGTH), default="")
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class AccountRow:
    """What sessions, tokens and claims read of an account: of a row, or of the entity."""

    __slots__ = ()

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("a"))
    subject_id: Mapped[str] = mapped_column(OpaqueId, unique=True, default=opaque_id("g"))
    username: Mapped[str] = mapped_column(String(64))
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its holder proved that mail to this address reaches them; an address that the school
    gave proves nothing."""
    given_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    family_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    locale: Mapped[str | None] = mapped_column(String(2))
    status: Mapped[str] = mapped_column(String(8), default="invited")
    credentials_epoch: Mapped[int] = mapped_column(default=0)
    """Moves whenever a way in changes or ends: proofs judged before that open nothing."""
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)

    @property
    def full_name(self) -> str:
        return full_name(self.given_name, self.family_name)


class Account(AccountRow, Model):
    """A guardian's account: who signs in. ``subject_id`` feeds ``sub`` and is never reused."""

    __tablename__ = "accounts"
    __table_args__ = (CheckConstraint(one_of("status", ACCOUNT_STATUSES), name="status"),)

    username_key: Mapped[str] = mapped_column(String(64), unique=True)
    email_key: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH), index=True)
    first_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Later sign-ins from an unknown browser are told by mail; the first is nobody's surprise."""
    last_sign_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    passkey_offered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a passkey was offered after a sign-in: nobody is asked twice."""
    """Set with each session that begins; sessions are purged; the audit log is no place to ask."""
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its holder first made it theirs, by a password or a link: once, and for good."""
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the account was disabled because the last guardianship had ended: the next one opens it
    again. None where the platform disabled it."""
    end_announced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was noted that the account ends for want of a child, and its holder told."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class StaffRole(Model):
    """What an account may do beyond its own family: for one school, or (an operator) for all."""

    __tablename__ = "staff_roles"
    __table_args__ = (
        CheckConstraint(one_of("role", STAFF_ROLES), name="role"),
        Index(
            "uq_staff_roles_at_school",
            "account_id",
            "role",
            "school_id",
            unique=True,
            sqlite_where=text("school_id IS NOT NULL"),
            postgresql_where=text("school_id IS NOT NULL"),
        ),
        Index(
            "uq_staff_roles_everywhere",
            "account_id",
            "role",
            unique=True,
            sqlite_where=text("school_id IS NULL"),
            postgresql_where=text("school_id IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("sr"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    role: Mapped[str] = mapped_column(String(8))
    school_id: Mapped[str | None] = mapped_column(ForeignKey("schools.id"), index=True)
    may_print: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether its holder may print letters, with tokens in clear (security rule A5)."""
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class ChildColumns:
    """What choices and claims read of a child."""

    __slots__ = ()

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("p"))
    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"))
    subject_id: Mapped[str] = mapped_column(OpaqueId, unique=True, default=opaque_id("k"))
    given_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    family_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    class_name: Mapped[str] = mapped_column(String(40), default="")
    sourced_id: Mapped[str | None] = mapped_column(String(64))

    @property
    def full_name(self) -> str:
        return full_name(self.given_name, self.family_name)


class Child(ChildColumns, Model):
    """A pupil of one school. A child never signs in and is never a token's subject."""

    __tablename__ = "children"
    __table_args__ = (
        Index("ix_children_school_id_sourced_id", "school_id", "sourced_id", unique=True),
        Index("ix_children_school_id_class_name", "school_id", "class_name"),
    )

    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)

    school: Mapped[School] = relationship(lazy="joined", innerjoin=True)


class ChildRow(ChildColumns):
    """A child as choices and claims read it, with its school's name."""

    __slots__ = ()

    school_name: str


class Guardianship(Model):
    """That a guardian may see a child, from when, until when. Ended ones are kept."""

    __tablename__ = "guardianships"
    __table_args__ = (
        CheckConstraint(one_of("relationship", RELATIONSHIPS), name="relationship"),
        # The unique one knows the live ones alone
        Index("ix_guardianships_account_id", "account_id"),
        Index(
            "uq_guardianships_live",
            "account_id",
            "child_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("w"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    relationship: Mapped[str] = mapped_column(String(16), default="parent")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[str | None] = mapped_column(String(200))
    """What somebody wrote of it."""
    ended_code: Mapped[str | None] = mapped_column(String(16))
    """The reason as one of ``END_REASONS``, which pages say in their reader's language."""


class ErasureRequest(Model):
    """That a guardian asked to be erased (GDPR Art. 17), and what became of it.

    The school decides: what it must keep by law, and what hangs on the child, it alone knows.
    """

    __tablename__ = "erasure_requests"
    __table_args__ = (
        CheckConstraint(one_of("outcome", ERASURE_OUTCOMES), name="outcome"),
        Index(
            "uq_erasure_requests_open",
            "account_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("z"))
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    outcome: Mapped[str | None] = mapped_column(String(10))


class ErasureAnswer(Model):
    """What one school answered to a request; a row without an outcome waits for it.

    A school sees its own answer only: whether others were asked is not its business (rule C3).
    """

    __tablename__ = "erasure_answers"
    __table_args__ = (CheckConstraint(one_of("outcome", ERASURE_OUTCOMES), name="outcome"),)

    request_id: Mapped[str] = mapped_column(
        ForeignKey("erasure_requests.id", ondelete="CASCADE"), primary_key=True
    )
    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True, index=True)
    outcome: Mapped[str | None] = mapped_column(String(10))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


def locked(account_id: str) -> Account | None:
    """The account, where the present transaction has locked it (``accounts.lock_account``)."""
    account: Account | None = remembered().get(f"account locked {account_id}")
    return account
