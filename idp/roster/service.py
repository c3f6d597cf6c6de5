"""The import as the command line and the desk call it: read a file, show what it would do, apply
it, undo it.

The callers have no rules of their own. Nothing here checks who may: a caller passes only the
schools that its person may import (security rule A2).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import select

from idp import correlation
from idp.audit import events
from idp.database import db, transaction
from idp.errors import Invalid
from idp.roster import bulk, carrying_out, concerned, findings, reading, reports, runs
from idp.roster.models import (
    RosterPreview,
    RosterRun,
    RosterRunSchool,
)
from idp.roster.question_models import ANSWERS, KEY_LENGTH, RosterAnswer
from idp.roster.reports import SchoolReport, UndoReport

_COUNT_AGAIN: Final = 10
"""After so many schools PostgreSQL's planner is told anew how large the tables are."""

Progress = Callable[[int], None]
Wish = reading.Wish
Choice = reading.Choice
get_run = runs.get_run


def stage(path: Path, wish: Wish, progress: Progress = lambda _: None) -> RosterRun:
    """Read a file into the staging tables; one that waits there already is not read again.

    Raises ``Unusable`` and ``Invalid``.
    """
    bulk.prepare()
    return reading.stage(path, wish, progress)


def dry_run(run_id: str, *, operator: bool = False, everybody: bool = False) -> list[SchoolReport]:
    """What the run would do at each school: planned like an import, and rolled back.

    ``operator``: may learn that somebody is known at another school (security rule C3).
    ``everybody``: whom it is about, one by one.
    """
    run = get_run(run_id)
    runs.must_be_staged(run)
    bulk.prepare()
    of_file = whole(run)
    return [
        carrying_out.looked(run, each, of_file, operator=operator, everybody=everybody)
        for each in runs.schools(run_id)
    ]


def preview(run_id: str, progress: Progress = lambda _: None) -> None:
    """Keep what the run would do at each school, for pages, until the run is over."""
    run = get_run(run_id)
    runs.must_be_staged(run)
    bulk.prepare()
    of_file = whole(run)
    documents = {
        "": {"findings": [[each.code, each.count, list(each.samples)] for each in of_file]}
    }
    for each in runs.schools(run_id):
        documents[each.school_id] = reports.as_json(carrying_out.kept_plan(run_id, each.school_id))
        progress(1)
    with transaction() as writes:
        bulk.execute("DELETE FROM roster_previews WHERE run_id = :run", run=run_id)
        writes.add_all(
            RosterPreview(run_id=run_id, school_id=school_id, report=report)
            for school_id, report in documents.items()
        )
        for finding in of_file:
            if finding.people:  # the others stand there since the file was read
                concerned.forget(run_id, "", finding.code)
                concerned.add(run_id, "", {finding.code: finding.people})


def whole(run: RosterRun) -> list[findings.Finding]:
    """What looks wrong in the file as a whole, whatever the school."""
    return [*reports.of_file(run), *findings.of_file(run)]


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
    Called again after a crash, it goes on where it was. Raises ``Invalid`` where a file that was
    read later has been imported.
    """
    run = get_run(run_id)
    if run.status == "applied":
        return [reports.kept(each) for each in runs.schools(run_id)]
    runs.must_be_staged(run)
    for each in runs.schools(run_id):
        if each.state != "applied":
            runs.must_be_newest(run, each.school_id)
    bulk.prepare()
    runs.set_status(run, "applying")
    how = carrying_out.How(
        confirm_large_change, confirmed or {}, link_same_people, invitations_per_hour
    )
    done_reports = []
    for place, each in enumerate(runs.schools(run_id)):
        if place % _COUNT_AGAIN == 1:
            carrying_out.count_people()
        fresh = replace(how, analyse=place % _COUNT_AGAIN == 0)
        done = each.state == "applied"
        done_reports.append(
            reports.kept(each) if done else carrying_out.apply_school(run_id, each.school_id, fresh)
        )
        progress(1)
    if all(each.state == "applied" for each in done_reports):
        runs.finish(run, "applied")
    return done_reports


def answer(run_id: str, answers: Mapping[str, str], school_id: str | None = None) -> None:
    """Keep what somebody decided about questions of the run, at a school or at all of them.

    ``answers``: question → ``same`` or ``another``, or ``""`` to ask it again. They count from
    the next time on that the run is looked at or applied. Raises ``Invalid``.
    """
    run = get_run(run_id)
    runs.must_be_staged(run)
    for decision in answers.values():
        if decision not in {"", *ANSWERS}:
            raise Invalid("answer", "no_answer")
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
                    answer=decision,
                    answered_by=correlation.current().actor,
                )
                for key, decision in answers.items()
                if decision
            )
            events.record("roster_answered", school_id=each, run=run_id, answers=dict(answers))


def undo(run_id: str, school_ids: list[str] | None = None) -> list[UndoReport]:
    """Take a run back at its schools, or at these; within seven days. Raises ``Invalid``."""
    run = get_run(run_id)
    bulk.prepare()
    chosen = [
        each
        for each in runs.schools(run_id)
        if each.state == "applied" and (school_ids is None or each.school_id in school_ids)
    ]
    if not chosen:
        raise Invalid("run", "nothing_to_undo")
    done_reports = [carrying_out.undo_school(run_id, each.school_id) for each in chosen]
    if all(each.state != "applied" for each in runs.schools(run_id)):
        runs.finish(run, "undone")
    return done_reports


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
    run = get_run(run_id)
    named = {each.school_id for each in runs.schools(run_id) if runs.names_people(run, each)}
    return [
        replace(each, people=carrying_out.people_of(run_id, each.school_id))
        if each.school_id in named
        else each
        for each in of
    ]


def rejections(run_id: str) -> int:
    """How many rejected rows wait to be written out; none of a run that waits no longer."""
    if runs.is_too_late(get_run(run_id)):
        return 0
    return bulk.count("SELECT count(*) FROM roster_rejections WHERE run_id = :run", run=run_id)


def forget_rejections(run_id: str) -> None:
    """Delete the rejected rows, once they were written out."""
    with transaction():
        bulk.execute("DELETE FROM roster_rejections WHERE run_id = :run", run=run_id)


def discard(run_id: str) -> None:
    """Forget what was read and never applied."""
    run = get_run(run_id)
    if run.status in {"reading", "checked"}:
        runs.refuse(run)
    forget_rejections(run_id)
