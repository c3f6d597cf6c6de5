"""The import as its faces see it: read a file, look at what it would do, do it, take it back.

The command line and the desk call these and have no rules of their own. Nothing here asks who
may: a face passes only the schools that its person may import (security rule A2).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from idp import clock, correlation
from idp.audit import events
from idp.database import db, retried, transaction
from idp.people.models import Account, Child, Guardianship
from idp.people.names import Refused
from idp.roster import (
    applying,
    breakdown,
    bulk,
    concerned,
    differing,
    findings,
    planning,
    questions,
    reading,
    reports,
    runs,
    samples,
    undoing,
)
from idp.roster.concerned import Person
from idp.roster.models import (
    RosterChange,
    RosterIdentity,
    RosterMatch,
    RosterPair,
    RosterPreview,
    RosterRun,
    RosterRunSchool,
)
from idp.roster.question_models import ANSWERS, KEY_LENGTH, RosterAnswer
from idp.roster.reports import SchoolReport, UndoReport
from idp.roster.scope import Scope

_COUNT_AGAIN: Final = 10
"""After so many schools PostgreSQL's planner is told anew how large the tables are."""

Progress = Callable[[int], None]
Wish = reading.Wish
Choice = reading.Choice


def stage(path: Path, wish: Wish, progress: Progress = lambda _: None) -> RosterRun:
    """Read a file into the staging tables; one that waits there already is not read again.

    Raises ``Unusable`` and ``people.Refused``.
    """
    bulk.prepare()
    return reading.stage(path, wish, progress)


def look(run_id: str, *, operator: bool = False, everybody: bool = False) -> list[SchoolReport]:
    """What the run would do at each school: planned like an import, and rolled back.

    ``operator``: may learn that somebody is known at another school (security rule C3).
    ``everybody``: whom it is about, one by one.
    """
    run = get(run_id)
    runs.must_be_staged(run)
    bulk.prepare()
    of_file = whole(run)
    return [
        _looked(run, each, of_file, operator=operator, everybody=everybody)
        for each in runs.schools(run_id)
    ]


def preview(run_id: str, progress: Progress = lambda _: None) -> None:
    """Keep what the run would do at each school, for pages, until the run is over."""
    run = get(run_id)
    runs.must_be_staged(run)
    bulk.prepare()
    of_file = whole(run)
    found = {"": {"findings": [[each.code, each.count, list(each.samples)] for each in of_file]}}
    for each in runs.schools(run_id):
        found[each.school_id] = reports.as_json(_kept_plan(run_id, each.school_id))
        progress(1)
    with transaction() as writes:
        bulk.execute("DELETE FROM roster_previews WHERE run_id = :run", run=run_id)
        writes.add_all(
            RosterPreview(run_id=run_id, school_id=school_id, report=report)
            for school_id, report in found.items()
        )
        for finding in of_file:
            if finding.people:  # the others stand there since the file was read
                concerned.forget(run_id, "", finding.code)
                concerned.add(run_id, "", {finding.code: finding.people})


def whole(run: RosterRun) -> list[findings.Finding]:
    """What looks wrong in the file as a whole, whatever the school."""
    return [*reports.of_file(run), *findings.of_file(run)]


def accented(run_id: str) -> list[str]:
    """A few names with letters beyond ASCII, as they were read; none once the run is over."""
    return samples.accented(run_id)


def apply(
    run_id: str,
    *,
    confirm_large_change: bool = False,
    confirmed: Mapping[str, float] | None = None,
    link_same_people: bool = False,
    invitations_per_hour: int | None = None,
    progress: Progress = lambda _: None,
) -> list[SchoolReport]:
    """Carry the run out, each school in one transaction; schools that are done are passed over.

    A school of which a large part would end is held back unless ``confirm_large_change``, or
    unless ``confirmed`` names it with a share that is at least as large: what somebody saw.
    Called again after a crash, it goes on where it was. Raises ``Refused`` where a file that was
    read later has been imported.
    """
    run = get(run_id)
    if run.status == "applied":
        return [reports.kept(each) for each in runs.schools(run_id)]
    runs.must_be_staged(run)
    for each in runs.schools(run_id):
        if each.state != "applied":
            runs.must_be_newest(run, each.school_id)
    bulk.prepare()
    runs.set_status(run, "applying")
    how = _How(confirm_large_change, confirmed or {}, link_same_people, invitations_per_hour)
    done_reports = []
    for place, each in enumerate(runs.schools(run_id)):
        if place % _COUNT_AGAIN == 1:
            _count_people()
        fresh = replace(how, analyse=place % _COUNT_AGAIN == 0)
        done = each.state == "applied"
        done_reports.append(
            reports.kept(each) if done else _apply_school(run_id, each.school_id, fresh)
        )
        progress(1)
    if all(each.state == "applied" for each in done_reports):
        runs.finish(run, "applied")
    return done_reports


def answer(run_id: str, answers: Mapping[str, str], school_id: str | None = None) -> None:
    """Keep what somebody decided about questions of the run, at a school or at all of them.

    ``answers``: question → ``same`` or ``another``, or ``""`` to ask it again. They count from
    the next time on that the run is looked at or applied. Raises ``Refused``.
    """
    run = get(run_id)
    runs.must_be_staged(run)
    for said in answers.values():
        if said not in {"", *ANSWERS}:
            raise Refused("answer", f"is {' or '.join(ANSWERS)}")
    schools = [each.school_id for each in runs.schools(run_id)]
    with transaction() as writes:
        for each in schools if school_id is None else [school_id]:
            known = {row.key: row for row in runs.answered(run_id, each)}
            for key in known.keys() & answers.keys():
                writes.delete(known[key])
            writes.flush()
            writes.add_all(
                RosterAnswer(
                    run_id=run_id,
                    school_id=each,
                    key=key[:KEY_LENGTH],
                    answer=said,
                    answered_by=correlation.current().actor,
                )
                for key, said in answers.items()
                if said
            )
            events.record("roster_answered", school_id=each, run=run_id, answers=dict(answers))


def undo(run_id: str, school_ids: list[str] | None = None) -> list[UndoReport]:
    """Take a run back at its schools, or at these; within seven days. Raises ``Refused``."""
    run = get(run_id)
    bulk.prepare()
    chosen = [
        each
        for each in runs.schools(run_id)
        if each.state == "applied" and (school_ids is None or each.school_id in school_ids)
    ]
    if not chosen:
        raise Refused("run", "has nothing to undo")
    done_reports = [_undo_school(run_id, each.school_id) for each in chosen]
    if all(each.state != "applied" for each in runs.schools(run_id)):
        runs.finish(run, "undone")
    return done_reports


def get(run_id: str) -> RosterRun:
    """The run of this id; raises ``Refused``."""
    return runs.get(run_id)


def list_runs(*, school_id: str | None = None, limit: int = 50) -> list[RosterRun]:
    """The newest runs first, or those of one school."""
    query = select(RosterRun).order_by(RosterRun.created_at.desc(), RosterRun.id).limit(limit)
    if school_id is not None:
        mine = select(RosterRunSchool.run_id).where(RosterRunSchool.school_id == school_id)
        query = query.where(RosterRun.id.in_(mine))
    return list(db.session.scalars(query))


def kept(run_id: str) -> list[SchoolReport]:
    """What is kept of a run: counts, no names."""
    return [reports.kept(each) for each in runs.schools(run_id)]


def with_people(of: list[SchoolReport], run_id: str) -> list[SchoolReport]:
    """The same reports with whom they are about, one by one, while that is known."""
    return [replace(each, people=_everybody(run_id, each.school_id)) for each in of]


def rejections(run_id: str) -> int:
    """How many rejected rows wait to be written out."""
    return bulk.count("SELECT count(*) FROM roster_rejections WHERE run_id = :run", run=run_id)


def forget_rejections(run_id: str) -> None:
    """Delete the rejected rows, once they were written out."""
    with transaction():
        bulk.execute("DELETE FROM roster_rejections WHERE run_id = :run", run=run_id)


def discard(run_id: str) -> None:
    """Forget what was read and never applied."""
    run = get(run_id)
    if run.status in {"reading", "checked"}:
        runs.finish(run, "refused")
    forget_rejections(run_id)


@dataclass(frozen=True)
class _How:
    confirm_large_change: bool
    confirmed: Mapping[str, float]
    link_same_people: bool
    per_hour: int | None
    analyse: bool = False

    def confirms(self, school_id: str, share: float) -> bool:
        return self.confirm_large_change or self.confirmed.get(school_id, -1.0) >= share


class _LookedAt(Exception):
    """Ends the transaction of a dry run; nothing of it stays."""

    def __init__(self, report: SchoolReport) -> None:
        self.report = report


def _looked(
    run: RosterRun,
    row: RosterRunSchool,
    of_file: list[findings.Finding],
    *,
    operator: bool,
    everybody: bool,
) -> SchoolReport:
    try:
        with transaction():
            report = _planned(run, row, of_file, operator=operator)
            if everybody:
                report = replace(report, people=_everybody(run.id, row.school_id))
            raise _LookedAt(report)
    except _LookedAt as looked:
        return looked.report


@retried
def _kept_plan(run_id: str, school_id: str) -> SchoolReport:
    """A dry run of which the plan stays, for pages to list whom it is about."""
    with transaction():
        # Not beside an import: what that did is its journal, and no plan
        row, run = runs.hold_part(run_id, school_id), get(run_id)
        if row.state in {"applied", "undone"}:
            return reports.kept(row)
        runs.must_be_staged(run)
        return _planned(run, row, [], operator=True)


def _planned(
    run: RosterRun, row: RosterRunSchool, of_file: list[findings.Finding], *, operator: bool
) -> SchoolReport:
    """Plan in the caller's transaction, and say what the plan does."""
    same = run.options.get("link_same_people", False)
    scope = runs.scope(run, row, link_same_people=same)
    plan = planning.plan(scope)
    found = findings.find(scope, plan)
    _remember(scope, found)
    report = reports.planned(row, plan, reports.visible(found, operator=operator) + of_file)
    return replace(
        report,
        samples=samples.of(scope, plan),
        questions=questions.of(scope),
        fields=breakdown.fields(scope),
        moves=breakdown.moves(scope),
    )


def _remember(scope: Scope, found: list[findings.Finding]) -> None:
    remarks: dict[str, Iterable[Person]] = {
        **questions.held_back(scope),
        differing.KIND: differing.of(scope),
        **{each.code: each.people for each in found},
    }
    concerned.remember(scope.run_id, scope.school_id, remarks)


def _everybody(run_id: str, school_id: str) -> list[dict[str, Any]]:
    return concerned.as_json(concerned.everybody(run_id, school_id))


def _apply_school(run_id: str, school_id: str, how: _How) -> SchoolReport:
    for _ in range(3):
        try:
            return _apply_once(run_id, school_id, how)
        except IntegrityError:
            # Somebody took a user name, or linked the same two, between plan and deed
            continue
    return _apply_once(run_id, school_id, how)


@retried
def _apply_once(run_id: str, school_id: str, how: _How) -> SchoolReport:
    with transaction():
        row = runs.hold(run_id, school_id)
        run = get(run_id)
        if row.state in {"applied", "undone"}:  # by another process, meanwhile
            return reports.kept(row)
        runs.must_be_newest(run, school_id)
        same = how.link_same_people or run.options.get("link_same_people", False)
        scope = runs.scope(run, row, link_same_people=same)
        plan = planning.plan(scope)
        if how.analyse:
            bulk.analyse(RosterMatch, RosterPair, RosterChange)
        if plan.is_large and not how.confirms(school_id, plan.share_ending):
            found = findings.find(scope, plan)
            _remember(scope, found)  # and the plan stays, to be looked at
            row.state = "held_back"
            events.record("roster_held_back", school_id=school_id, run=run_id)
            return reports.planned(row, plan, reports.visible(found, operator=False))
        return _carried_out(run, row, scope, plan, how)


def _carried_out(
    run: RosterRun, row: RosterRunSchool, scope: Scope, plan: planning.Plan, how: _How
) -> SchoolReport:
    now = clock.now()
    found = findings.find(scope, plan)
    asked, fields, moves = questions.of(scope), breakdown.fields(scope), breakdown.moves(scope)
    _remember(scope, found)
    applying.carry_out(scope, plan, now)
    invited = applying.invite(scope, how.per_hour) if how.per_hour else 0
    runs.remember_source(run, row, scope)
    row.state, row.applied_at, row.changes = "applied", now, plan.changes
    row.report = {
        "counts": plan.counts,
        "findings": {each.code: each.count for each in found},
        "invited": invited,
        "asked": plan.asked,
        "fields": fields,
        "moves": moves,
    }
    counts = reports.told(plan.counts, operator=False)  # its school reads it
    events.record("roster_applied", school_id=row.school_id, run=run.id, counts=counts)
    return replace(
        reports.planned(row, plan, reports.visible(found, operator=False)),
        invited=invited,
        questions=asked,
        fields=fields,
        moves=moves,
    )


@retried
def _undo_school(run_id: str, school_id: str) -> UndoReport:
    with transaction():
        row = runs.hold(run_id, school_id)
        name = reports.school_name(school_id)
        if reason := runs.why_not_undone(row):
            return UndoReport(school_id, name, None, reason)
        assert row.applied_at is not None
        now = clock.now()
        undone = undoing.undo(
            runs.scope(get(run_id), row, link_same_people=False), row.applied_at, now
        )
        row.state, row.undone_at = "undone", now
        counts = reports.told(undone.counts, operator=False)
        events.record("roster_undone", school_id=school_id, run=run_id, counts=counts)
    return UndoReport(school_id, name, undone)


def _count_people() -> None:
    with transaction():
        bulk.analyse(Account, Child, Guardianship, RosterIdentity, RosterChange)
