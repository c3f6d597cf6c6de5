"""Staging: what a person is asked about a run, what they answered, and whom remarks are about."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import Model, OpaqueId, UtcDateTime
from idp.people.models import one_of

QUESTION_KINDS = (*("pupil", "guardian", "renumbered", "namesake", "twin", "disabled", "address"),)
ANSWERS = ("same", "another")
KEY_LENGTH = 16


class RosterQuestion(Model):
    """Somebody of the file about whom the file alone is not believed, as planned last.

    ``child_id`` and ``account_id`` are whom the id means; ``other_…`` who bears the row's name, or
    has its address.
    Until it is answered, nothing changes for either, and nothing of theirs ends.
    """

    __tablename__ = "roster_questions"
    __table_args__ = (CheckConstraint(one_of("kind", QUESTION_KINDS), name="kind"),)

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    subject: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    """The row: ``p`` or ``g`` and its number in the staging table; and what is asked about it,
    where that may be several things."""
    kind: Mapped[str] = mapped_column(String(10))
    key: Mapped[str] = mapped_column(String(KEY_LENGTH))
    """By which it is answered: several rows may be one question."""
    number: Mapped[int] = mapped_column(Integer)
    child_id: Mapped[str | None] = mapped_column(OpaqueId)
    account_id: Mapped[str | None] = mapped_column(OpaqueId)
    other_child_id: Mapped[str | None] = mapped_column(OpaqueId)
    other_account_id: Mapped[str | None] = mapped_column(OpaqueId)
    answer: Mapped[str | None] = mapped_column(String(8))


class RosterAnswer(Model):
    """What somebody has decided about a question of a run."""

    __tablename__ = "roster_answers"
    __table_args__ = (CheckConstraint(one_of("answer", ANSWERS), name="answer"),)

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    key: Mapped[str] = mapped_column(String(KEY_LENGTH), primary_key=True)
    answer: Mapped[str] = mapped_column(String(8))
    answered_by: Mapped[str] = mapped_column(String(40), default="")
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=clock.now)


class RosterRemark(Model):
    """One case of a finding or a question, as it was planned last.

    The school "" stands for the file as a whole. Names people, as ``roster_changes`` does, and
    is kept no longer.
    """

    __tablename__ = "roster_remarks"

    run_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    school_id: Mapped[str] = mapped_column(OpaqueId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    who: Mapped[str] = mapped_column(Text)
    old: Mapped[str] = mapped_column(Text, default="")
    new: Mapped[str] = mapped_column(Text, default="")
    lines: Mapped[str] = mapped_column(String(80), default="")
    """Of the file, where the case is about rows of it: « 3, 8 »."""
