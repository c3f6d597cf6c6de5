"""Who a finding or a question of an import was about: kept for as long as it can be undone."""

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from idp.database import OpaqueId, db


class RosterRemark(db.Model):  # type: ignore[name-defined,misc]
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
