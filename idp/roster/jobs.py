"""The jobs of a run: a person asks for one, and one worker at a time does it.

A worker claims a job for ``LEASE`` and renews the claim while it works. A worker that was killed
does not renew it: then another one claims the job, and continues where it was (security rule R1).
"""

import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from idp import clock, measures
from idp.database import db, release_connection, transaction, update_all
from idp.roster.models import RosterJob
from idp.workers import CLOCKS_DIFFER

LEASE: Final = timedelta(minutes=2)
MOST_ATTEMPTS: Final = 5
OVER: Final = ("done", "failed")


@dataclass(frozen=True)
class ClaimedJob:
    """A job that a worker has for itself."""

    run_id: str
    task: str
    how: dict[str, Any]
    asked_by: str
    holder: str
    attempts: int


def request_task(
    run_id: str,
    task: str,
    how: dict[str, Any],
    asked_by: str,
    *,
    after: Collection[str] = OVER,
) -> bool:
    """Ask for a task; false while another one of the run is not over (``after``: its states).

    Of two people who ask at once, one is heard.
    """
    with transaction() as writes:
        if writes.get(RosterJob, run_id) is None:  # a run that the command line has read
            with suppress(IntegrityError), writes.begin_nested():
                writes.add(RosterJob(run_id=run_id, task=task, state="done"))
        heard: int = writes.execute(
            update(RosterJob)
            .where(RosterJob.run_id == run_id, RosterJob.state.in_(after))
            .values(task=task, how=how, asked_by=asked_by, **_fresh())
        ).rowcount
    return heard == 1


def mapped(run_id: str, how: dict[str, Any], asked_by: str) -> bool:
    """Go on with a list whose columns somebody has named; false where that is done already."""
    with transaction() as writes:
        heard: int = writes.execute(
            update(RosterJob)
            .where(RosterJob.run_id == run_id, RosterJob.state == "mapping")
            .values(task="read", how=how, asked_by=asked_by, result={}, **_fresh())
        ).rowcount
    return heard == 1


def claim_job(files_of: Collection[str]) -> ClaimedJob | None:
    """The oldest job that waits, or whose worker is gone; none other gets it meanwhile.

    ``files_of``: runs whose files lie on this machine; no other run's file can be read here.
    """
    run_id = db.session.scalar(
        select(RosterJob.run_id).where(_free(files_of)).order_by(RosterJob.asked_at).limit(1)
    )
    release_connection()  # an idle worker must not take SQLite's only write lock each second
    if run_id is None:
        return None
    holder = secrets.token_urlsafe(16)
    got = update_all(
        RosterJob,
        RosterJob.run_id == run_id,
        _free(files_of),
        state="working",
        holder=holder,
        lease_until=clock.now() + LEASE,
        attempts=RosterJob.attempts + 1,
    )
    if not got:
        return claim_job(files_of)
    job = db.session.get_one(RosterJob, run_id, populate_existing=True)
    return ClaimedJob(run_id, job.task, dict(job.how), job.asked_by, holder, job.attempts)


def renew_lease(taken: ClaimedJob, done: int, total: int) -> bool:
    """Say that the worker is still there, and how far; false where another has the job."""
    return _change(taken, done=done, total=total, lease_until=clock.now() + LEASE)


def load_far_leases() -> dict[str, datetime]:
    """Until when jobs are held whose lease no clock of today has set, by their run."""
    query = select(RosterJob.run_id, RosterJob.lease_until).where(
        RosterJob.state == "working",
        RosterJob.lease_until > clock.now() + LEASE + CLOCKS_DIFFER,
    )
    far = {run_id: until for run_id, until in db.session.execute(query) if until is not None}
    release_connection()
    return far


def end_lease(run_id: str, lease_until: datetime) -> bool:
    """Let another worker claim the job; false where somebody has renewed the lease meanwhile."""
    held = (RosterJob.run_id == run_id, RosterJob.lease_until == lease_until)
    return update_all(RosterJob, *held, lease_until=clock.now()) == 1


def result_of(run_id: str) -> dict[str, Any]:
    """What the last task left: of an earlier undo, the schools that it was for."""
    kept = select(RosterJob.result).where(RosterJob.run_id == run_id)
    return db.session.scalar(kept) or {}


def finish(taken: ClaimedJob, state: str = "done", **values: Any) -> bool:
    """End the job, unless another worker has it; ``values``: its trouble or result."""
    ended = _change(taken, state=state, holder=None, lease_until=None, **values)
    if ended:
        measures.import_task(taken.task, state)
    return ended


def _change(taken: ClaimedJob, **values: Any) -> bool:
    changed: int = update_all(
        RosterJob, RosterJob.run_id == taken.run_id, RosterJob.holder == taken.holder, **values
    )
    return changed == 1


def waits_for_a_worker() -> ColumnElement[bool]:
    """A job that nobody does: it was just asked for, or whoever did it is gone."""
    gone = and_(RosterJob.state == "working", RosterJob.lease_until < clock.now())
    return or_(RosterJob.state == "waiting", gone)


def _free(files_of: Collection[str]) -> ColumnElement[bool]:
    readable = or_(RosterJob.task.not_in(("open", "read")), RosterJob.run_id.in_(sorted(files_of)))
    return and_(waits_for_a_worker(), readable)


def _fresh() -> dict[str, Any]:
    return {
        "state": "waiting",
        "asked_at": clock.now(),
        "attempts": 0,
        "done": 0,
        "total": 0,
        "trouble": None,
        "holder": None,
        "lease_until": None,
    }
