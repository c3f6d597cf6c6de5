"""Tables of the import: some rows are kept for good, some until the import can no longer be undone,
some until it has run.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import Model, OpaqueId, UtcDateTime, opaque_id
from idp.people.models import EMAIL_LENGTH, NAME_LENGTH, one_of

SOURCED_ID_LENGTH = 255  # OneRoster 1.1 §4.1: a GUID of up to 255 characters
NAME_KEY_LENGTH = 2 * NAME_LENGTH + 1
RUN_STATUSES = ("reading", "checked", "applying", "applied", "undone", "refused")
SCHOOL_STATES = ("waiting", "held_back", "applied", "undone")
IDENTITY_KINDS = ("pupil", "guardian", "class")
JOB_TASKS = ("open", "read", "look", "apply", "undo", "drop")
JOB_STATES = ("waiting", "working", "mapping", "done", "failed")


class RosterSource(Model):
    """How a school's roster is read: its name in the files, columns, pattern of user names.

    ``district`` is set only by an import of several schools at once, which is the operator's
    to do: a school's own file can't claim to belong to a district (security rule A2).
    """

    __tablename__ = "roster_sources"

    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True)
    org_sourced_id: Mapped[str | None] = mapped_column(String(SOURCED_ID_LENGTH))
    district: Mapped[str | None] = mapped_column(String(SOURCED_ID_LENGTH), index=True)
    username_pattern: Mapped[str] = mapped_column(String(64), default="{given}.{family}")
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class RosterIdentity(Model):
    """Whom a school means by an id of its own: the same person at the next import.

    ``sourced_id`` begins with ``~`` where the file has no ids: a keyed hash of what stands
    for one. ``label`` is a class's title.
    """

    __tablename__ = "roster_identities"
    __table_args__ = (
        CheckConstraint(one_of("kind", IDENTITY_KINDS), name="kind"),
        Index("ix_roster_identities_sourced_id", "sourced_id"),
    )

    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    child_id: Mapped[str | None] = mapped_column(ForeignKey("children.id"), index=True)
    label: Mapped[str | None] = mapped_column(String(40))
    lists_agents: Mapped[bool] = mapped_column(default=False)
    """Whether its row names the others: then a delta's row that names fewer ends those."""
    run_id: Mapped[str] = mapped_column(OpaqueId, index=True)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When an undo disabled the account: only then does another import enable it again."""


class RosterGuardianship(Model):
    """That a guardianship is the roster's: it ends when the file has it no more.

    One that was made by hand, and that no file ever had, is left alone.
    """

    __tablename__ = "roster_guardianships"

    guardianship_id: Mapped[str] = mapped_column(ForeignKey("guardianships.id"), primary_key=True)
    run_id: Mapped[str] = mapped_column(OpaqueId, index=True)


class RosterRun(Model):
    """One reading of one file, for the schools in ``roster_run_schools``."""

    __tablename__ = "roster_runs"
    __table_args__ = (CheckConstraint(one_of("status", RUN_STATUSES), name="status"),)

    id: Mapped[str] = mapped_column(OpaqueId, primary_key=True, default=opaque_id("j"))
    status: Mapped[str] = mapped_column(String(8), default="reading")
    format: Mapped[str] = mapped_column(String(16))
    delta: Mapped[bool] = mapped_column(default=False)
    fingerprint: Mapped[str] = mapped_column(String(64), index=True)
    """SHA-256 of the file's content and of how it is to be read."""
    district: Mapped[str | None] = mapped_column(String(SOURCED_ID_LENGTH))
    options: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    actor: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reading: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """How many rows were read, ignored and rejected; columns that were used."""


class RosterJob(Model):
    """What a worker is to do with a run, does, or did last: one thing at a time."""

    __tablename__ = "roster_jobs"
    __table_args__ = (
        CheckConstraint(one_of("task", JOB_TASKS), name="task"),
        CheckConstraint(one_of("state", JOB_STATES), name="state"),
        Index("ix_roster_jobs_state", "state", "asked_at"),
    )

    run_id: Mapped[str] = mapped_column(
        ForeignKey("roster_runs.id", ondelete="CASCADE"), primary_key=True
    )
    task: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    how: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """How it is to be done: what somebody chose on a page."""
    asked_by: Mapped[str] = mapped_column(String(40), default="")
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)
    upload: Mapped[str] = mapped_column(String(120), default="")
    """What the file was called where it came from."""
    holder: Mapped[str | None] = mapped_column(String(32))
    """The worker that does it; each time it takes the job it is another."""
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    trouble: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Why it failed: a code of ``refusals``, and what its sentence names."""
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """By school, what an undo did: numbers."""


class RosterPreview(Model):
    """What a dry run found, to be looked at until the run is over; names people, as the
    staging tables do, and goes with them. The school "" stands for the file as a whole.
    """

    __tablename__ = "roster_previews"

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


class RosterRunSchool(Model):
    """One school of a run: applied whole or not at all."""

    __tablename__ = "roster_run_schools"
    __table_args__ = (CheckConstraint(one_of("state", SCHOOL_STATES), name="state"),)

    run_id: Mapped[str] = mapped_column(
        ForeignKey("roster_runs.id", ondelete="CASCADE"), primary_key=True
    )
    school_id: Mapped[str] = mapped_column(ForeignKey("schools.id"), primary_key=True, index=True)
    org_sourced_id: Mapped[str | None] = mapped_column(String(SOURCED_ID_LENGTH))
    state: Mapped[str] = mapped_column(String(9), default="waiting")
    applied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changes: Mapped[int] = mapped_column(Integer, default=0)
    report: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Counts; names of people are not kept here."""


class RosterPupil(Model):
    """Staging: a pupil of a named school as the file has it."""

    __tablename__ = "roster_pupils"
    __table_args__ = (
        Index("ix_roster_pupils_sourced_id", "run_id", "school_id", "sourced_id", unique=True),
        Index("ix_roster_pupils_child_id", "run_id", "school_id", "child_id"),
    )

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    school_id: Mapped[str] = mapped_column(OpaqueId)
    sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH))
    line: Mapped[int] = mapped_column(Integer)
    given_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    family_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    name_key: Mapped[str] = mapped_column(String(NAME_KEY_LENGTH))
    class_name: Mapped[str | None] = mapped_column(String(40))
    """None where the file does not say (a delta without enrolments)."""
    pupil_number: Mapped[str | None] = mapped_column(String(64))
    present: Mapped[bool] = mapped_column(default=True)
    lists_agents: Mapped[bool] = mapped_column(default=False)
    keeps_guardians: Mapped[bool] = mapped_column(default=False)
    """Something in the row could not be read: a typing error ends no guardianship."""
    twin_of: Mapped[str | None] = mapped_column(String(SOURCED_ID_LENGTH))
    """What rows of one name and class share that may be one pupil."""
    new_child_id: Mapped[str] = mapped_column(OpaqueId)
    new_subject_id: Mapped[str] = mapped_column(OpaqueId)
    child_id: Mapped[str | None] = mapped_column(OpaqueId)
    how: Mapped[str | None] = mapped_column(String(10))


class RosterGuardian(Model):
    """Staging: a guardian as the file has it, of whichever school."""

    __tablename__ = "roster_guardians"
    __table_args__ = (Index("ix_roster_guardians_sourced_id", "run_id", "sourced_id", unique=True),)

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH))
    line: Mapped[int] = mapped_column(Integer)
    given_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    family_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    name_key: Mapped[str] = mapped_column(String(NAME_KEY_LENGTH))
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    email_key: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    relationship: Mapped[str | None] = mapped_column(String(16))
    present: Mapped[bool] = mapped_column(default=True)
    lists_agents: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool | None] = mapped_column()
    """Switched off in the school's own software (``enabledUser``)."""


class RosterLink(Model):
    """Staging: that the file links a pupil and a guardian."""

    __tablename__ = "roster_links"
    __table_args__ = (
        Index("ix_roster_links_pupil", "run_id", "pupil_sourced_id"),
        Index("ix_roster_links_guardian", "run_id", "guardian_sourced_id"),
    )

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    pupil_sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH))
    guardian_sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH))
    relationship: Mapped[str | None] = mapped_column(String(16))
    new_guardianship_id: Mapped[str] = mapped_column(OpaqueId)


class RosterClass(Model):
    """Staging: a class of a named school, whose title a later delta may not repeat."""

    __tablename__ = "roster_classes"

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH), primary_key=True)
    title: Mapped[str] = mapped_column(String(40))


class RosterMatch(Model):
    """Staging: which account a guardian of the file is, for one school of the run."""

    __tablename__ = "roster_matches"
    __table_args__ = (Index("ix_roster_matches_account_id", "run_id", "school_id", "account_id"),)

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    sourced_id: Mapped[str] = mapped_column(String(SOURCED_ID_LENGTH), primary_key=True)
    account_id: Mapped[str | None] = mapped_column(OpaqueId)
    how: Mapped[str] = mapped_column(String(10))
    subject_id: Mapped[str | None] = mapped_column(OpaqueId)
    username: Mapped[str | None] = mapped_column(String(64))


class RosterPair(Model):
    """Staging: a guardianship as the file wants it, with whom it is about found."""

    __tablename__ = "roster_pairs"

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    child_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    account_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    relationship: Mapped[str | None] = mapped_column(String(16))
    new_guardianship_id: Mapped[str] = mapped_column(OpaqueId)


class RosterRejection(Model):
    """Staging: a row that is not taken over, and why."""

    __tablename__ = "roster_rejections"

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    file: Mapped[str] = mapped_column(String(80))
    line: Mapped[int] = mapped_column(Integer)
    code: Mapped[str] = mapped_column(String(30))
    about: Mapped[str] = mapped_column(String(80))
    """What the reason is about: a column's name, a word; never longer."""
    cells: Mapped[list[str]] = mapped_column(JSON)


class RosterChange(Model):
    """One thing that an import does: the plan before, the journal afterwards.

    ``old_…`` is what stood, the rest what the import wants; kept until nothing can be undone.
    """

    __tablename__ = "roster_changes"
    __table_args__ = (Index("ix_roster_changes_run", "run_id", "school_id", "kind"),)

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    run_id: Mapped[str] = mapped_column(OpaqueId)
    school_id: Mapped[str] = mapped_column(OpaqueId)
    kind: Mapped[str] = mapped_column(String(24))
    account_id: Mapped[str | None] = mapped_column(OpaqueId)
    child_id: Mapped[str | None] = mapped_column(OpaqueId)
    guardianship_id: Mapped[str | None] = mapped_column(OpaqueId)
    subject_id: Mapped[str | None] = mapped_column(OpaqueId)
    username: Mapped[str | None] = mapped_column(String(64))
    given_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    family_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    email_key: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    class_name: Mapped[str | None] = mapped_column(String(40))
    pupil_number: Mapped[str | None] = mapped_column(String(64))
    relationship: Mapped[str | None] = mapped_column(String(16))
    old_given_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    old_family_name: Mapped[str | None] = mapped_column(String(NAME_LENGTH))
    old_email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    old_email_key: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    old_class_name: Mapped[str | None] = mapped_column(String(40))
    old_pupil_number: Mapped[str | None] = mapped_column(String(64))
    old_relationship: Mapped[str | None] = mapped_column(String(16))
    old_left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sourced_id: Mapped[str | None] = mapped_column(String(SOURCED_ID_LENGTH))
    """Of an id that means somebody else from now on: ``account_id`` or ``child_id`` is whom it
    meant, ``subject_id`` the run that said so."""
