"""The rows of runs: found, held against others, brought from one state to the next."""

from datetime import timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from idp import clock
from idp.database import db, transaction, update_all
from idp.errors import Conflict, Invalid
from idp.people.models import School
from idp.roster import bulk, concerned, reading, staging
from idp.roster.models import RosterJob, RosterRun, RosterRunSchool, RosterSource
from idp.roster.question_models import RosterAnswer
from idp.roster.reading import RESUME_WITHIN
from idp.roster.scope import Scope
from idp.roster.usernames import PATTERN

UNDO_WITHIN: Final = timedelta(days=7)


def get_run(run_id: str) -> RosterRun:
    """The run of this id; raises ``Invalid``."""
    run = db.session.get(RosterRun, run_id, populate_existing=True)
    if run is None:
        raise Invalid("run", "unknown")
    return run


def schools(run_id: str) -> list[RosterRunSchool]:
    """The run's schools as they are now."""
    return list(
        db.session.scalars(
            select(RosterRunSchool)
            .where(RosterRunSchool.run_id == run_id)
            .order_by(RosterRunSchool.school_id)
            .execution_options(populate_existing=True)
        )
    )


def being_read(run_ids: list[str]) -> set[str]:
    """Those of the runs whose file is still needed."""
    query = select(RosterRun.id).where(RosterRun.id.in_(run_ids), RosterRun.status == "reading")
    looked_at = select(RosterJob.run_id).where(
        RosterJob.run_id.in_(run_ids), RosterJob.state.in_(("waiting", "working", "mapping"))
    )
    return {*db.session.scalars(query), *db.session.scalars(looked_at)}


def lock_school(run_id: str, school_id: str) -> RosterRunSchool:
    """The school's row of the run; other imports of the school, or its district, wait."""
    db.session.execute(
        select(School.id).where(School.id == school_id).with_for_update(key_share=True)
    )
    row = lock_part(run_id, school_id)
    district = db.session.scalar(select(RosterRun.district).where(RosterRun.id == run_id))
    if district:
        db.session.execute(
            select(RosterSource.school_id)
            .where(RosterSource.district == district)
            .order_by(RosterSource.school_id)
            .with_for_update()
        ).all()
    return row


def lock_part(run_id: str, school_id: str) -> RosterRunSchool:
    """The school's row of the run alone."""
    row: RosterRunSchool = db.session.scalars(
        select(RosterRunSchool)
        .where(RosterRunSchool.run_id == run_id, RosterRunSchool.school_id == school_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return row


def scope(run: RosterRun, row: RosterRunSchool, *, link_same_people: bool) -> Scope:
    """What one school's part of the run is to be planned with."""
    source = db.session.get(RosterSource, row.school_id)
    pattern = run.options.get("username_pattern") or (
        source.username_pattern if source else PATTERN
    )
    return Scope(
        run_id=run.id,
        school_id=row.school_id,
        district=run.district,
        delta=run.delta,
        pattern=pattern,
        link_same_people=link_same_people,
        answers=answers(run.id, row.school_id),
    )


def answers(run_id: str, school_id: str) -> dict[str, str]:
    """What somebody has decided about the run's questions at a school."""
    return {each.key: each.answer for each in answered(run_id, school_id)}


def answered(run_id: str, school_id: str) -> list[RosterAnswer]:
    """The answers themselves."""
    query = select(RosterAnswer).where(
        RosterAnswer.run_id == run_id, RosterAnswer.school_id == school_id
    )
    return list(db.session.scalars(query))


def remember_source(run: RosterRun, row: RosterRunSchool, of: Scope) -> None:
    """Keep how the school's file was read, for the next one."""
    source = reading.source_of(row.school_id)
    source.org_sourced_id = row.org_sourced_id or source.org_sourced_id
    source.district = of.district or source.district
    source.username_pattern = of.pattern
    source.mapping = run.reading.get("mapping") or source.mapping
    source.updated_at = clock.now()


def must_be_staged(run: RosterRun) -> None:
    """Raise ``Invalid`` unless what was read from the file still waits."""
    if run.status not in {"checked", "applying"}:
        raise Invalid("run", "not_waiting", status=run.status)
    if is_too_late(run):
        raise Invalid("run", "too_old")


def is_too_late(run: RosterRun) -> bool:
    """Whether what was read from the file waits no longer."""
    return clock.now() - run.created_at > RESUME_WITHIN


def must_be_newest(run: RosterRun, school_id: str) -> None:
    """Raise ``Invalid`` where a file that was read later has been imported at the school."""
    if newer := reading.newer_import(run, school_id):
        school = db.session.get_one(School, school_id)
        raise Invalid("run", "older", school=school.name, newer=newer)


def obstacle(row: RosterRunSchool) -> Conflict | None:
    """What stands against taking a school's import back."""
    if row.state != "applied":
        return Conflict("nothing_stands")
    if not is_undoable(row):
        return Conflict("undo_too_late", days=UNDO_WITHIN.days)
    later = later_imports(row.run_id).get(row.school_id)
    return Conflict("later_import", later=later) if later else None


def names_people(run: RosterRun, row: RosterRunSchool) -> bool:
    """Whether it may still be told, one by one, whom a school's part is about: until it waits no
    longer, or can't be undone any more, whether or not a purge came by (rule P10).
    """
    if row.state == "applied":
        return is_undoable(row)
    return row.state in {"waiting", "held_back"} and not is_too_late(run)


def is_undoable(row: RosterRunSchool) -> bool:
    """Whether the time has not passed; a later import may still stand against it."""
    if row.state != "applied" or row.applied_at is None:
        return False
    return clock.is_within(row.applied_at, UNDO_WITHIN)


def later_imports(run_id: str) -> dict[str, str]:
    """Schools of the run that another import has changed since, and which. One query."""
    mine, later = aliased(RosterRunSchool), aliased(RosterRunSchool)
    query = (
        select(mine.school_id, func.min(later.run_id))
        .join(later, later.school_id == mine.school_id)
        .where(
            mine.run_id == run_id,
            mine.state == "applied",
            later.state == "applied",
            later.applied_at > mine.applied_at,
            later.changes > 0,
        )
        .group_by(mine.school_id)
    )
    return {each[0]: each[1] for each in db.session.execute(query)}


def set_status(run: RosterRun, status: str) -> None:
    """Bring a run that waits to another status."""
    waits = RosterRun.status.in_(("checked", "applying"))
    update_all(RosterRun, RosterRun.id == run.id, waits, status=status)


def must_not_be_over(run: RosterRun) -> None:
    """Raise ``Invalid`` where somebody ended the run meanwhile: of a file that is forgotten a plan
    would say that everybody has left. Asked by whoever holds the school's row of the run.
    """
    if run.status not in {"checked", "applying"}:
        raise Invalid("run", "not_waiting", status=run.status)


def refuse(run: RosterRun) -> None:
    """End a run that came to nothing, not beside an import that carries out one of its schools."""
    with transaction() as writes:
        rows = select(RosterRunSchool.school_id).where(RosterRunSchool.run_id == run.id)
        writes.execute(rows.order_by(RosterRunSchool.school_id).with_for_update()).all()
        finish(run, "refused")


def finish(run: RosterRun, status: str) -> None:
    """End the run, and forget what was read from its file; a plan that came to nothing, too."""
    staging.clear(run.id, but_rejections=True)
    if status == "refused":
        with transaction():
            bulk.execute("DELETE FROM roster_changes WHERE run_id = :run", run=run.id)
            concerned.forget(run.id)
    # What is kept of the reading: no names of people
    numbers = {name: value for name, value in run.reading.items() if name != "noticed"}
    done = {"status": status, "finished_at": clock.now(), "reading": numbers}
    update_all(RosterRun, RosterRun.id == run.id, **done)
