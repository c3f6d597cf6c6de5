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
from idp.roster import concerned, differing, rejected_files
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

    found: Import
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

    found: Import
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
    found = imports.get(staff, run_id)
    of_file = _kinds(staff, found, None) if found.whole else {}
    if school_id is None:
        first = next((each.row.school_id for each in found.parts), WHOLE_FILE)
        school_id = WHOLE_FILE if kind in of_file else first
    part = next((each for each in found.parts if each.row.school_id == school_id), None)
    if part is None and not (school_id == WHOLE_FILE and found.whole):
        raise NotFound("import", run_id)
    kinds = _kinds(staff, found, part) if part else of_file
    kind = kind if kind in kinds else next(iter(kinds), "")
    rows = (
        concerned.list_people(run_id, school_id, kind, PEOPLE + 1, (page - 1) * PEOPLE)
        if kind
        else []
    )
    return People(found, part, bool(of_file), kinds, kind, rows[:PEOPLE], len(rows) > PEOPLE)


def _kinds(staff: Staff, found: Import, part: Part | None) -> dict[str, int]:
    """What is told of a school, or (None) of the file; nothing once nobody is named any more."""
    if not (part.names_people if part else found.names_people):
        return {}
    school_id = part.row.school_id if part else WHOLE_FILE
    return {
        each: count
        for each, count in concerned.kinds(found.run.id, school_id).items()
        if _may_see(each, operator=staff.is_operator)
    }


def _may_see(kind: str, *, operator: bool) -> bool:
    plain = kind.partition(".")[0]
    if operator:
        return plain != differing.KIND  # in parts: what changes, and what keeps its own
    return plain not in OPERATORS_ONLY | OPERATORS_COUNTS


def rejections(staff: Staff, run_id: str, code: str, page: int) -> Rejections:
    """Rows that were not taken over, for one reason or all; raises ``NotFound``."""
    found = imports.of_theirs(staff, run_id)
    if not found.rejected:
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
    header = list(found.run.reading.get("shown", ()))
    return Rejections(found, header, rows[:PAGE], reasons, len(rows) > PAGE)


def rejected_file(staff: Staff, run_id: str, kind: str, locale: str) -> tuple[Import, bytes]:
    """The rows that were not taken over, as ``csv`` or ``xlsx``; raises ``NotFound``."""
    found = imports.of_theirs(staff, run_id)
    if not found.rejected:
        raise NotFound("import", run_id)
    if kind == "xlsx":
        book = BytesIO()
        rejected_files.write_xlsx(run_id, book, locale)
        return found, book.getvalue()
    out = StringIO(newline="")
    rejected_files.write_csv(run_id, out, locale)
    return found, out.getvalue().encode("utf-8-sig")


def day(found: Import) -> str:
    """The day of an import, in the schools' time zone, as names of files have it."""
    zone = ZoneInfo(settings.current().timezone)
    return found.run.created_at.astimezone(zone).date().isoformat()
