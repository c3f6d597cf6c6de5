"""Imports as the desk sees them: whose, how far, what was found.

Each query has the scope in it, and of a run for several schools a manager sees the part of
their own (rule A2). What may be done with an import stands in ``idp.desk.imports.service``.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import Select, func, select

from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.errors import NotFound
from idp.people.models import School
from idp.roster import reports, runs, service
from idp.roster.findings import Finding
from idp.roster.models import RosterJob, RosterPreview, RosterRun, RosterRunSchool
from idp.roster.planning import LARGE
from idp.roster.reports import SchoolReport

PAGE: Final = 25


@dataclass(frozen=True)
class Part:
    """A school's part of an import."""

    row: RosterRunSchool
    school: School
    report: SchoolReport | None
    """What the dry run found, or what was done, where that is kept."""
    undone: dict[str, Any] | None
    """What an undo did and left, in numbers."""
    can_undo: bool = False
    undo_later: bool = False
    """A later import changed the school: that one is undone first."""
    names_people: bool = False
    """Whether it is still told, one by one, whom the import is about."""

    @property
    def is_large(self) -> bool:
        """Whether more would end, or change, than goes without a second word."""
        waits = self.row.state in {"waiting", "held_back"}
        return waits and self.report is not None and self.report.share_at_once > LARGE


@dataclass(frozen=True)
class Import:
    """An import, as far as one member of staff may see it."""

    run: RosterRun
    job: RosterJob | None
    parts: list[Part]
    whole: bool
    """Whether all its schools are within the scope: only then is the file theirs to see."""
    of_file: list[Finding] = field(default_factory=list)
    rejected: int = 0

    @property
    def is_busy(self) -> bool:
        if self.job is None or self.job.state not in {"waiting", "working"}:
            return False
        # A file that was lost on its way waits for nobody
        return not (self.job.task in {"open", "read"} and runs.is_too_late(self.run))

    @property
    def is_open(self) -> bool:
        """Whether what was read from the file still waits to be carried out."""
        return self.run.status in {"checked", "applying"} and not runs.is_too_late(self.run)

    @property
    def names_people(self) -> bool:
        """Whether it is still told who was noticed in the file, whatever the school."""
        return self.whole and any(part.names_people for part in self.parts)

    @property
    def was_checked(self) -> bool:
        return any(part.report is not None for part in self.parts)

    @property
    def asks(self) -> bool:
        """Whether there is a question about somebody, answered or not."""
        return any(part.report.questions for part in self.parts if part.report)

    @property
    def open_questions(self) -> int:
        """How many questions wait for an answer."""
        return sum(part.report.open_questions for part in self.parts if part.report)

    @property
    def can_undo(self) -> bool:
        return not self.is_busy and any(part.can_undo for part in self.parts)


@dataclass(frozen=True)
class Listed:
    """One line of the list."""

    run: RosterRun
    job: RosterJob | None
    schools: list[str]
    whole: bool
    """Whether all its schools are within the scope: else the file's name is not theirs to see."""


def history(staff: Staff, page: int = 1) -> tuple[list[Listed], bool]:
    """A page of the scope's imports, the newest first, and whether there are older ones."""
    school_scope = staff.school_scope(Right.IMPORT_ROSTER)
    query = select(RosterRun, RosterJob).outerjoin(RosterJob, RosterJob.run_id == RosterRun.id)
    query = query.where(RosterRun.id.in_(_runs_of(school_scope))).order_by(
        RosterRun.created_at.desc(), RosterRun.id
    )
    rows = list(db.session.execute(query.limit(PAGE + 1).offset((page - 1) * PAGE)))
    shown = rows[:PAGE]
    names = _names([run.id for run, _ in shown], school_scope)
    sizes = _sizes([run.id for run, _ in shown])
    listed = [
        Listed(run, job, names.get(run.id, []), len(names.get(run.id, [])) == sizes[run.id])
        for run, job in shown
    ]
    return listed, len(rows) > PAGE


def get_import(staff: Staff, run_id: str) -> Import:
    """One import, as far as it is within the scope; raises ``NotFound``."""
    school_scope = staff.school_scope(Right.IMPORT_ROSTER)
    row = db.session.execute(
        select(RosterRun, RosterJob)
        .outerjoin(RosterJob, RosterJob.run_id == RosterRun.id)
        .where(RosterRun.id == run_id, RosterRun.id.in_(_runs_of(school_scope)))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound("import", run_id)
    run, job = row
    rows = _rows(run_id, school_scope)
    whole = len(rows) == _sizes([run_id])[run_id]
    # What was read and waits no longer holds names: gone, whether or not a purge came by (P10)
    previews = (
        {} if runs.is_too_late(run) else _previews(run_id, [each.school_id for each, _ in rows])
    )
    later = runs.later_imports(run_id)
    parts = [
        replace(
            _part(each, school, previews, job, staff),
            can_undo=runs.is_undoable(each) and each.school_id not in later,
            undo_later=each.school_id in later,
            names_people=runs.names_people(run, each),
        )
        for each, school in rows
    ]
    findings = previews.get("", {}).get("findings", []) if whole else []
    return Import(
        run,
        job,
        parts,
        whole,
        of_file=[Finding(code, count, tuple(names)) for code, count, names in findings],
        rejected=service.rejections(run_id) if whole else 0,
    )


def _runs_of(school_scope: SchoolScope) -> Select[Any]:
    return (
        select(RosterRunSchool.run_id)
        .join(School, School.id == RosterRunSchool.school_id)
        .where(scope.schools(school_scope))
    )


def _rows(run_id: str, school_scope: SchoolScope) -> list[tuple[RosterRunSchool, School]]:
    query = (
        select(RosterRunSchool, School)
        .join(School, School.id == RosterRunSchool.school_id)
        .where(RosterRunSchool.run_id == run_id, scope.schools(school_scope))
        .order_by(School.name, School.id)
        .execution_options(populate_existing=True)
    )
    return [(row, school) for row, school in db.session.execute(query)]


def _sizes(run_ids: list[str]) -> dict[str, int]:
    """For how many schools each of the runs is, whoever asks."""
    query = (
        select(RosterRunSchool.run_id, func.count())
        .where(RosterRunSchool.run_id.in_(run_ids))
        .group_by(RosterRunSchool.run_id)
    )
    return {each[0]: each[1] for each in db.session.execute(query)}


def _names(run_ids: list[str], school_scope: SchoolScope) -> dict[str, list[str]]:
    rows = db.session.execute(
        select(RosterRunSchool.run_id, School.name)
        .join(School, School.id == RosterRunSchool.school_id)
        .where(RosterRunSchool.run_id.in_(run_ids), scope.schools(school_scope))
        .order_by(School.name)
    )
    names_by_run: dict[str, list[str]] = {}
    for run_id, name in rows:
        names_by_run.setdefault(run_id, []).append(name)
    return names_by_run


def _previews(run_id: str, school_ids: list[str]) -> dict[str, dict[str, Any]]:
    rows = db.session.execute(
        select(RosterPreview.school_id, RosterPreview.report).where(
            RosterPreview.run_id == run_id, RosterPreview.school_id.in_(["", *school_ids])
        )
    )
    return {each.school_id: each.report for each in rows}


def _part(
    row: RosterRunSchool,
    school: School,
    previews: dict[str, dict[str, Any]],
    job: RosterJob | None,
    staff: Staff,
) -> Part:
    document = previews.get(row.school_id)
    report = None
    if row.state in {"applied", "undone"}:
        report = reports.kept(row)
    elif document is not None:
        known = reports.from_json(row, document, school.name)
        seen = reports.visible_findings(known.findings, operator=staff.is_operator)
        report = SchoolReport(**{**vars(known), "findings": seen})
    if report is not None:
        counts = reports.visible_counts(report.counts, operator=staff.is_operator)
        report = SchoolReport(**{**vars(report), "counts": counts})
    undone = job.result.get(row.school_id) if job and row.state == "undone" else None
    return Part(row, school, report, undone)
