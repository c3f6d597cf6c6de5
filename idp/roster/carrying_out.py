"""Plans, applies or undoes one school of a run, each in a transaction of its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import IntegrityError

from idp import clock
from idp.audit import events
from idp.database import retried, transaction
from idp.people.models import Account, Child, Guardianship
from idp.roster import (
    applying,
    bulk,
    concerned,
    findings,
    planning,
    questions,
    reports,
    runs,
    undoing,
)
from idp.roster.concerned import Person
from idp.roster.models import (
    RosterChange,
    RosterIdentity,
    RosterMatch,
    RosterPair,
    RosterRun,
    RosterRunSchool,
)
from idp.roster.reports import SchoolReport, UndoReport
from idp.roster.scope import Scope


@dataclass(frozen=True)
class How:
    """What somebody said about carrying a run out."""

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


def looked(
    run: RosterRun,
    row: RosterRunSchool,
    of_file: list[findings.Finding],
    *,
    operator: bool,
    everybody: bool,
) -> SchoolReport:
    """A dry run of which nothing stays."""
    try:
        with transaction():
            report = _planned(run, row, of_file, operator=operator)
            if everybody:
                report = replace(report, people=people_of(run.id, row.school_id))
            raise _LookedAt(report)
    except _LookedAt as ended:
        return ended.report


@retried
def kept_plan(run_id: str, school_id: str) -> SchoolReport:
    """A dry run of which the plan stays, for pages to list whom it is about."""
    with transaction():
        # Not beside an import: what that did is its journal, and no plan
        row, run = runs.lock_part(run_id, school_id), runs.get_run(run_id)
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
    problems = _problems(scope, plan)
    shown = reports.visible_findings(problems, operator=operator) + of_file
    report = replace(reports.planned(row, plan, shown), **_facts_of_run(scope))
    return replace(report, samples=planning.sample_names(scope, plan))


def _facts_of_run(scope: Scope) -> dict[str, Any]:
    """What a report tells of a plan, read before anything is carried out."""
    return {
        "questions": questions.list_questions(scope),
        "fields": concerned.fields(scope),
        "moves": concerned.moves(scope),
    }


def _problems(scope: Scope, plan: planning.Plan) -> list[findings.Finding]:
    """What looks wrong; who stands behind it is remembered."""
    problems = findings.find_problems(scope, plan)
    remarks: dict[str, Iterable[Person]] = {
        **questions.held_back(scope),
        concerned.GUARDIAN_DIFFERS: concerned.differing(scope),
        **{each.code: each.people for each in problems},
    }
    concerned.remember(scope.run_id, scope.school_id, remarks)
    return problems


def people_of(run_id: str, school_id: str) -> list[dict[str, Any]]:
    """Everybody whom a school's part of a run is about, as programs read it."""
    return concerned.as_json(concerned.everybody(run_id, school_id))


def apply_school(run_id: str, school_id: str, how: How) -> SchoolReport:
    """Carry one school out; anew where somebody came in between."""
    for _ in range(3):
        try:
            return _apply_once(run_id, school_id, how)
        except IntegrityError:
            # Somebody took a user name, or linked the same two, between plan and deed
            continue
    return _apply_once(run_id, school_id, how)


@retried
def _apply_once(run_id: str, school_id: str, how: How) -> SchoolReport:
    with transaction():
        row = runs.lock_school(run_id, school_id)
        run = runs.get_run(run_id)
        if row.state in {"applied", "undone"}:  # by another process, meanwhile
            return reports.kept(row)
        runs.must_not_be_over(run)
        runs.must_be_newest(run, school_id)
        same = how.link_same_people or run.options.get("link_same_people", False)
        scope = runs.scope(run, row, link_same_people=same)
        plan = planning.plan(scope)
        if how.analyse:
            bulk.analyse(RosterMatch, RosterPair, RosterChange)
        if plan.is_large and not how.confirms(school_id, plan.share_at_once):
            problems = _problems(scope, plan)  # and the plan stays, to be looked at
            row.state = "held_back"
            events.record("roster_held_back", school_id=school_id, run=run_id)
            return reports.planned(row, plan, reports.visible_findings(problems, operator=False))
        return _carried_out(run, row, scope, plan, how)


def _carried_out(
    run: RosterRun, row: RosterRunSchool, scope: Scope, plan: planning.Plan, how: How
) -> SchoolReport:
    now = clock.now()
    problems, shown = _problems(scope, plan), _facts_of_run(scope)
    applying.carry_out(scope, plan, now)
    invited = applying.invite(scope, how.per_hour) if how.per_hour else 0
    runs.remember_source(run, row, scope)
    row.state, row.applied_at, row.changes = "applied", now, plan.changes
    row.report = {
        "counts": plan.counts,
        "findings": {each.code: each.count for each in problems},
        "invited": invited,
        "asked": plan.open_questions,
        "fields": shown["fields"],
        "moves": shown["moves"],
    }
    counts = reports.visible_counts(plan.counts, operator=False)  # its school reads it
    events.record("roster_applied", school_id=row.school_id, run=run.id, counts=counts)
    return replace(
        reports.planned(row, plan, reports.visible_findings(problems, operator=False)),
        invited=invited,
        **shown,
    )


@retried
def undo_school(run_id: str, school_id: str) -> UndoReport:
    """Take one school back."""
    with transaction():
        row = runs.lock_school(run_id, school_id)
        name = reports.school_name(school_id)
        if obstacle := runs.obstacle(row):
            return UndoReport(school_id, name, None, obstacle)
        assert row.applied_at is not None
        now = clock.now()
        undone = undoing.undo(
            runs.scope(runs.get_run(run_id), row, link_same_people=False), row.applied_at, now
        )
        row.state, row.undone_at = "undone", now
        counts = reports.visible_counts(undone.counts, operator=False)
        events.record("roster_undone", school_id=school_id, run=run_id, counts=counts)
    return UndoReport(school_id, name, undone)


def count_people() -> None:
    """Tell PostgreSQL's planner how large the tables have become."""
    with transaction():
        bulk.analyse(Account, Child, Guardianship, RosterIdentity, RosterChange)
