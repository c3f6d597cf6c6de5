"""What came of an import, person by person: whom it is about, and rows that were not taken over."""

from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from idp import settings
from idp.database import db
from idp.desk.access.rights import Staff
from idp.desk.imports import service as imports
from idp.desk.imports.runs import Import, Part
from idp.errors import NotFound
from idp.roster import concerned, rejected_files
from idp.roster.concerned import Person
from idp.roster.findings import OPERATORS_ONLY
from idp.roster.models import RosterRejection
from idp.roster.reports import OPERATORS_COUNTS

PAGE: Final = 50
PEOPLE: Final = 100
WHOLE_FILE: Final = ""
"""In place of a school: what was found in the file, whatever the school."""


@dataclass(frozen=True)
class Rejections:
    """A page of the rows that were not taken over, under the list's own header."""

    roster_import: Import
    header: list[str]
    rows: list[RosterRejection]
    reasons: dict[str, int]
    """Reason → how many of it, whatever is shown."""
    more: bool

    @property
    def columns(self) -> list[tuple[int, str]]:
        """Place and name of the columns in which one of these rows has something."""
        filled = {place for row in self.rows for place, cell in enumerate(row.cells) if cell}
        return [(place, name) for place, name in enumerate(self.header) if place in filled]


@dataclass(frozen=True)
class People:
    """A page of the people whom an import is about."""

    roster_import: Import
    part: Part | None
    """None: the file as a whole."""
    in_file: bool
    """Whether somebody is told of whom the file is about, whatever the school."""
    kinds: dict[str, int]
    kind: str
    people: list[Person]
    more: bool

    @property
    def school_id(self) -> str:
        return self.part.row.school_id if self.part else WHOLE_FILE


def people(staff: Staff, run_id: str, school_id: str | None, kind: str, page: int) -> People:
    """People of one kind, the first where it is none; raises ``NotFound``.

    ``school_id``: None for where there is somebody of this kind: in the file, or at the first
    school within the scope. What a school may not learn is not among them (security rule C3).
    """
    roster_import = imports.get_import(staff, run_id)
    of_file = _kinds(staff, roster_import, None) if roster_import.whole else {}
    if school_id is None:
        first = next((each.row.school_id for each in roster_import.parts), WHOLE_FILE)
        school_id = WHOLE_FILE if kind in of_file else first
    part = next((each for each in roster_import.parts if each.row.school_id == school_id), None)
    if part is None and not (school_id == WHOLE_FILE and roster_import.whole):
        raise NotFound("import", run_id)
    kinds = _kinds(staff, roster_import, part) if part else of_file
    kind = kind if kind in kinds else next(iter(kinds), "")
    rows = (
        concerned.list_people(run_id, school_id, kind, PEOPLE + 1, (page - 1) * PEOPLE)
        if kind
        else []
    )
    return People(
        roster_import, part, bool(of_file), kinds, kind, rows[:PEOPLE], len(rows) > PEOPLE
    )


def _kinds(staff: Staff, roster_import: Import, part: Part | None) -> dict[str, int]:
    """What is told of a school, or (None) of the file; nothing once nobody is named any more."""
    if not (part.names_people if part else roster_import.names_people):
        return {}
    school_id = part.row.school_id if part else WHOLE_FILE
    return {
        each: count
        for each, count in concerned.kinds(roster_import.run.id, school_id).items()
        if _may_see(each, operator=staff.is_operator)
    }


def _may_see(kind: str, *, operator: bool) -> bool:
    plain = kind.partition(".")[0]
    if operator:
        return plain != concerned.GUARDIAN_DIFFERS  # in parts: what changes, and what keeps its own
    return plain not in OPERATORS_ONLY | OPERATORS_COUNTS


def rejections(staff: Staff, run_id: str, code: str, page: int) -> Rejections:
    """Rows that were not taken over, for one reason or all; raises ``NotFound``."""
    roster_import = imports.of_theirs(staff, run_id)
    if not roster_import.rejected:
        raise NotFound("import", run_id)
    counted = db.session.execute(
        select(RosterRejection.code, func.count())
        .where(RosterRejection.run_id == run_id)
        .group_by(RosterRejection.code)
        .order_by(func.count().desc(), RosterRejection.code)
    )
    reasons = {row[0]: row[1] for row in counted}
    query = select(RosterRejection).where(RosterRejection.run_id == run_id)
    if code:
        query = query.where(RosterRejection.code == code)
    query = query.order_by(RosterRejection.number).limit(PAGE + 1).offset((page - 1) * PAGE)
    rows = list(db.session.scalars(query))
    header = list(roster_import.run.reading.get("shown", ()))
    return Rejections(roster_import, header, rows[:PAGE], reasons, len(rows) > PAGE)


def rejected_file(staff: Staff, run_id: str, kind: str, locale: str) -> tuple[Import, bytes]:
    """The rows that were not taken over, as ``csv`` or ``xlsx``; raises ``NotFound``."""
    roster_import = imports.of_theirs(staff, run_id)
    if not roster_import.rejected:
        raise NotFound("import", run_id)
    if kind == "xlsx":
        book = BytesIO()
        rejected_files.write_xlsx(run_id, book, locale)
        return roster_import, book.getvalue()
    out = StringIO(newline="")
    rejected_files.write_csv(run_id, out, locale)
    return roster_import, out.getvalue().encode("utf-8-sig")


def day(roster_import: Import) -> str:
    """The day of an import, in the schools' time zone, as names of files have it."""
    zone = ZoneInfo(settings.current().timezone)
    return roster_import.run.created_at.astimezone(zone).date().isoformat()
