"""Imports as the desk sees them: whose, what was found, what may be done now.

How a file is read and carried out is ``idp.roster``'s. Here stands who may: each query has the
reach in it, and of a run for several schools a manager sees the part of their own (rule A2).
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import IO, Any, Final

from flask_babel import gettext as _
from sqlalchemy import Select, func, select

from idp import settings
from idp.database import db, transaction
from idp.desk import reach as within
from idp.desk.staff import Reach, Right, Staff
from idp.people.models import School
from idp.roster import jobs, mapping, reading, reasons, reports, runs, service, spool
from idp.roster.findings import Finding
from idp.roster.models import RosterJob, RosterPreview, RosterRun, RosterRunSchool
from idp.roster.planning import LARGE
from idp.roster.reports import SchoolReport

PAGE: Final = 25
MOST_SCHOOLS: Final = 500


class NotFound(Exception):
    """No such import, or none of theirs."""


class NotNow(Exception):
    """The import is not in a state for this any more, or something else of it is under way."""


class WrongFile(Exception):
    """What was chosen is no file that can hold a roster; ``code``: why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


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

    @property
    def is_large(self) -> bool:
        """Whether more would end than goes without a second word."""
        waits = self.row.state in {"waiting", "held_back"}
        return waits and self.report is not None and self.report.share_ending > LARGE


@dataclass(frozen=True)
class Import:
    """An import, as far as one member of staff may see it."""

    run: RosterRun
    job: RosterJob | None
    parts: list[Part]
    whole: bool
    """Whether all its schools are within the reach: only then is the file theirs to see."""
    of_file: list[Finding] = field(default_factory=list)
    rejected: int = 0

    @property
    def is_busy(self) -> bool:
        return self.job is not None and self.job.state in {"waiting", "working"}

    @property
    def is_open(self) -> bool:
        """Whether what was read from the file still waits to be carried out."""
        return self.run.status in {"checked", "applying"} and not runs.is_too_late(self.run)

    @property
    def was_checked(self) -> bool:
        return any(part.report is not None for part in self.parts)

    @property
    def can_undo(self) -> bool:
        return not self.is_busy and any(part.can_undo for part in self.parts)


@dataclass(frozen=True)
class Listed:
    """One line of the list."""

    run: RosterRun
    job: RosterJob | None
    schools: list[str]


def schools(staff: Staff) -> list[School]:
    """For which schools this person may import."""
    reach = staff.reach(Right.IMPORT_ROSTER)
    query = select(School).where(within.schools(reach)).order_by(School.name, School.id)
    return list(db.session.scalars(query.limit(MOST_SCHOOLS)))


def begin(
    staff: Staff,
    school_ids: list[str],
    name: str,
    stream: IO[bytes],
    *,
    delta: bool = False,
    link_same_people: bool = False,
) -> str:
    """Keep an uploaded file for the worker; returns the import's id.

    Several schools at once, and people who are known elsewhere, are the operator's alone.
    Raises ``NotFound`` for a school out of reach, ``WrongFile``, and ``Hostile`` where the file
    is larger than ``spool.LARGEST``.
    """
    wanted = sorted(set(school_ids))
    known = {each.id for each in schools(staff)}
    if not wanted or not known.issuperset(wanted):
        raise NotFound
    if not staff.is_operator and (len(wanted) > 1 or link_same_people):
        raise NotFound
    if PurePath(spool.plain_name(name)).suffix.lower() not in spool.SUFFIXES:
        raise WrongFile("kind")
    first = stream.read(1)
    if not first:
        raise WrongFile("empty")
    stream.seek(0)
    how = {"schools": wanted, "delta": delta, "link_same_people": link_same_people}
    wish = service.Wish(
        tuple(service.Choice(each) for each in wanted),
        delta=delta,
        link_same_people=link_same_people,
    )
    return _begun(staff, wish, how, name, stream)


def _begun(
    staff: Staff, wish: service.Wish, how: dict[str, Any], name: str, stream: IO[bytes]
) -> str:
    kept = ""
    try:
        with transaction() as writes:
            run = reading.begin_upload(wish, staff.account_id)
            kept = run.id
            job = RosterJob(run_id=run.id, task="open", how=how, asked_by=staff.account_id)
            job.upload = spool.plain_name(name)
            writes.add(job)
            writes.flush()
        spool.put(kept, name, stream)
    except BaseException:
        if kept:
            spool.remove(kept)
            runs.finish(runs.get(kept), "refused")
            _give_up(kept)
        raise
    return kept


def _give_up(run_id: str) -> None:
    with transaction() as writes:
        job = writes.get(RosterJob, run_id)
        if job is not None:
            job.state, job.trouble = "failed", {"code": "too_much"}


def history(staff: Staff, page: int = 1) -> tuple[list[Listed], bool]:
    """A page of the reach's imports, the newest first, and whether there are older ones."""
    reach = staff.reach(Right.IMPORT_ROSTER)
    query = select(RosterRun, RosterJob).outerjoin(RosterJob, RosterJob.run_id == RosterRun.id)
    query = query.where(RosterRun.id.in_(_runs_of(reach))).order_by(
        RosterRun.created_at.desc(), RosterRun.id
    )
    rows = list(db.session.execute(query.limit(PAGE + 1).offset((page - 1) * PAGE)))
    shown = rows[:PAGE]
    names = _names([run.id for run, _ in shown], reach)
    listed = [Listed(run, job, names.get(run.id, [])) for run, job in shown]
    return listed, len(rows) > PAGE


def get(staff: Staff, run_id: str) -> Import:
    """One import, as far as it is within the reach; raises ``NotFound``."""
    reach = staff.reach(Right.IMPORT_ROSTER)
    row = db.session.execute(
        select(RosterRun, RosterJob)
        .outerjoin(RosterJob, RosterJob.run_id == RosterRun.id)
        .where(RosterRun.id == run_id, RosterRun.id.in_(_runs_of(reach)))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound
    run, job = row
    rows = _rows(run_id, reach)
    whole = len(rows) == _count(run_id)
    previews = _previews(run_id, [each.school_id for each, _ in rows])
    later = runs.later_imports(run_id)
    parts = [
        replace(
            _part(each, school, previews, job, staff),
            can_undo=runs.is_undoable(each) and each.school_id not in later,
            undo_later=each.school_id in later,
        )
        for each, school in rows
    ]
    found = previews.get("", {}).get("findings", []) if whole else []
    return Import(
        run,
        job,
        parts,
        whole,
        of_file=[Finding(code, count, tuple(names)) for code, count, names in found],
        rejected=service.rejections(run_id) if whole else 0,
    )


def name_columns(staff: Staff, run_id: str, columns: Mapping[str, str], *, keep: bool) -> list[str]:
    """Say which column of a list is what, and have it read; returns what is wrong with it.

    ``columns``: header → target, or ``-``. ``keep``: for the school's next lists.
    Raises ``NotFound``, ``NotNow`` and ``people.Refused``.
    """
    found = _of_theirs(staff, run_id)
    job = found.job
    if job is None or job.state != "mapping":
        raise NotNow
    header: list[str] = job.result["header"]
    chosen = {name: columns.get(name, "-") for name in header}
    (part,) = found.parts
    base = mapping.guess(header)
    targets = Counter(target for target in chosen.values() if target != "-")
    if twice := [name for name, target in chosen.items() if targets[target] > 1]:
        named_twice = ", ".join(twice)[:200]
        return [
            str(_("These columns are read as the same thing: %(columns)s.", columns=named_twice))
        ]
    named = mapping.changed(base, chosen, header)
    if problems := named.problems():
        return problems
    if keep:
        reading.save_mapping(part.row.school_id, named)
    if not jobs.mapped(run_id, {**job.how, "mapping": chosen}, staff.account_id):
        raise NotNow
    return []


def check_again(staff: Staff, run_id: str) -> None:
    """Have the dry run made anew. Raises ``NotFound`` and ``NotNow``."""
    found = _of_theirs(staff, run_id)
    if not found.is_open or not jobs.ask(run_id, "look", {}, staff.account_id):
        raise NotNow


def carry_out(
    staff: Staff, run_id: str, *, confirmed: Collection[str] = (), per_hour: int | None = None
) -> None:
    """Have an import carried out that was looked at.

    ``confirmed``: schools where so much may end as the dry run said. ``per_hour``: invitations,
    within the operator's bound; None: none. Raises ``NotFound`` and ``NotNow``.
    """
    found = _of_theirs(staff, run_id)
    if not found.is_open or not all(part.report for part in found.parts):
        raise NotNow
    most = settings.current().invitations_per_hour
    how = {
        "confirmed": {
            part.row.school_id: part.report.share_ending
            for part in found.parts
            if part.report and part.row.school_id in confirmed
        },
        "per_hour": None if per_hour is None else max(1, min(per_hour, most)),
    }
    if not jobs.ask(run_id, "apply", how, staff.account_id):
        raise NotNow


def take_back(staff: Staff, run_id: str) -> None:
    """Have an import undone, at the schools of the reach. Raises ``NotFound`` and ``NotNow``."""
    found = get(staff, run_id)
    theirs = [part.row.school_id for part in found.parts if part.can_undo]
    if not theirs or not jobs.ask(run_id, "undo", {"schools": theirs}, staff.account_id):
        raise NotNow


def discard(staff: Staff, run_id: str) -> None:
    """Have forgotten what was read and never carried out. Raises ``NotFound`` and ``NotNow``."""
    found = _of_theirs(staff, run_id)
    if found.run.status not in {"reading", "checked"}:
        raise NotNow
    if not jobs.ask(run_id, "drop", {}, staff.account_id, after=(*jobs.OVER, "mapping")):
        raise NotNow


def rejected(staff: Staff, run_id: str, stream: IO[str], locale: str) -> None:
    """Write the rows that were not taken over, as CSV. Raises ``NotFound``."""
    if not _of_theirs(staff, run_id).rejected:
        raise NotFound
    reasons.write(run_id, stream, locale)


def _of_theirs(staff: Staff, run_id: str) -> Import:
    """An import all of whose schools are within the reach: what is done, is done to all."""
    found = get(staff, run_id)
    if not found.whole:
        raise NotFound
    return found


def _runs_of(reach: Reach) -> Select[Any]:
    return (
        select(RosterRunSchool.run_id)
        .join(School, School.id == RosterRunSchool.school_id)
        .where(within.schools(reach))
    )


def _rows(run_id: str, reach: Reach) -> list[tuple[RosterRunSchool, School]]:
    query = (
        select(RosterRunSchool, School)
        .join(School, School.id == RosterRunSchool.school_id)
        .where(RosterRunSchool.run_id == run_id, within.schools(reach))
        .order_by(School.name, School.id)
        .execution_options(populate_existing=True)
    )
    return [(row, school) for row, school in db.session.execute(query)]


def _count(run_id: str) -> int:
    query = select(func.count()).where(RosterRunSchool.run_id == run_id)
    return db.session.scalar(query) or 0


def _names(run_ids: list[str], reach: Reach) -> dict[str, list[str]]:
    rows = db.session.execute(
        select(RosterRunSchool.run_id, School.name)
        .join(School, School.id == RosterRunSchool.school_id)
        .where(RosterRunSchool.run_id.in_(run_ids), within.schools(reach))
        .order_by(School.name)
    )
    found: dict[str, list[str]] = {}
    for run_id, name in rows:
        found.setdefault(run_id, []).append(name)
    return found


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
        seen = reports.visible(known.findings, operator=staff.is_operator)
        report = SchoolReport(**{**vars(known), "findings": seen})
    undone = job.result.get(row.school_id) if job and row.state == "undone" else None
    return Part(row, school, report, undone)
