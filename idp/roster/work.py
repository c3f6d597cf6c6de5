"""The import's worker: does the jobs that somebody asked for on a page.

When it is killed, nothing is left half done: it reads the file anew, and it applies or undoes the
schools that are left, each of which is one transaction (security rule R1).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

from flask import Flask, current_app
from flask_babel import force_locale
from sqlalchemy.exc import SQLAlchemyError

from idp import correlation, heartbeat, workers
from idp.database import db
from idp.errors import Invalid
from idp.roster import jobs, layout, lists, reading, runs, service, spool, strays
from idp.roster.jobs import ClaimedJob
from idp.roster.records import Unusable
from idp.roster.refusals import of_file
from idp.workers import Round

log = logging.getLogger(__name__)

BEAT: Final = 2.0
"""Seconds between two words to the database on how far a job is."""
SAMPLE_ROWS: Final = 3
_LAID_OUT_ANEW: Final = {"column_twice", "no_header", "no_sheet"}
"""What somebody can put right by saying where the header stands, or which sheet it is."""


class Lost(Exception):
    """Another worker has taken the job: this one was silent for too long."""


@dataclass
class Counted:
    """How far a job is; the heart tells the database."""

    total: int = 0
    done: int = 0
    lost: Event = field(default_factory=Event)

    def begin(self, total: int) -> None:
        self.done, self.total = 0, total

    def step(self, more: int) -> None:
        """Count; raises ``Lost`` where the job is another worker's by now."""
        if self.lost.is_set():
            raise Lost
        self.done += more
        heartbeat.beat()


def work(stop: Event, pause: float = 1.0) -> None:
    """Do what waits until ``stop`` is set, looking every ``pause`` seconds.

    Outlives the database, and a disk that is full. Needs an application context.
    """
    put_off = workers.Strays("imports", strays.Leases().bring_back, log)
    workers.work(stop, pause, _round, put_off, what="import", log=log)


def _round() -> Round:
    return Round(handled=int(work_once()))


def work_once() -> bool:
    """Do one job; false where none waits."""
    waiting = spool.runs()
    spool.sweep(runs.being_read(waiting) if waiting else set())
    taken = jobs.claim_job(waiting)
    if taken is None:
        return False
    # What is done here is done by whoever asked for it
    correlation.begin(actor=taken.asked_by or "worker")
    counted = Counted()
    try:
        # The sentences of errors that nobody reads need a language all the same
        with force_locale("en"), _heart(taken, counted):
            _do(taken, counted)
    except Lost:
        log.warning("import %s: another worker has it", taken.run_id)
    return True


def _do(taken: ClaimedJob, counted: Counted) -> None:
    log.info("import %s: %s", taken.run_id, taken.task)
    try:
        if taken.attempts > jobs.MOST_ATTEMPTS:
            _fail(taken, {"code": "gave_up"})
            return
        TASKS[taken.task](taken, counted)
    except Unusable as error:
        _fail(taken, of_file(error))
    except Invalid as error:
        _fail(taken, _of_run(taken.run_id, error))
    except (Lost, SQLAlchemyError):
        raise  # the job comes back when its lease is over
    except Exception as error:  # noqa: BLE001 – one bad file must not hold up all others
        # Its text may name a person (rule L1)
        log.error("import %s failed: %s", taken.run_id, type(error).__name__)
        _fail(taken, {"code": "unreadable" if taken.task in {"open", "read"} else "gave_up"})


def _of_run(run_id: str, _error: Invalid) -> dict[str, Any]:
    run = runs.get_run(run_id)
    if any(reading.newer_import(run, each.school_id) for each in runs.schools(run_id)):
        return {"code": "older"}
    return {"code": "too_late" if runs.is_too_late(run) else "changed"}


def _fail(taken: ClaimedJob, trouble: dict[str, Any]) -> None:
    if jobs.finish(taken, "failed", trouble=trouble) and taken.task in {"open", "read"}:
        spool.remove(taken.run_id)
        runs.finish(runs.get_run(taken.run_id), "refused")


def _open(taken: ClaimedJob, counted: Counted) -> None:
    """Say what columns a list has; a OneRoster file is read at once."""
    path = spool.path_of(taken.run_id)
    if path is None:
        _fail(taken, {"code": "gone"})
        return
    if not reading.is_list(path):
        _read(taken, counted)
        return
    wish = wish_of(taken.how)
    if len(wish.schools) != 1:
        raise Unusable("one_school")
    jobs.finish(taken, "mapping", result=_list_of(path, wish))


def _list_of(path: Path, wish: service.Wish) -> dict[str, Any]:
    """What the page that names the columns shows."""
    try:
        shown = reading.preview_list(path, wish.schools[0].school_id, wish.layout, SAMPLE_ROWS)
    except Unusable as error:
        if error.code not in _LAID_OUT_ANEW:
            raise
        facts = lists.bare(path, wish.layout)
        return {"header": [], "columns": {}, "rows": [], "facts": facts, "trouble": of_file(error)}
    return {
        "header": [name for name in shown.list_header.header if name],
        "columns": shown.guess.mapping.columns,
        "constants": shown.guess.mapping.constants,
        "new": list(shown.guess.new),
        "counted": shown.counted,
        "rows": shown.rows,
        "names": shown.names,
        "facts": shown.list_header.facts(),
    }


def _read(taken: ClaimedJob, counted: Counted) -> None:
    path = spool.path_of(taken.run_id)
    if path is None:
        _fail(taken, {"code": "gone"})
        return
    if runs.get_run(taken.run_id).status == "reading":
        counted.begin(reading.size_of(path))
        reading.read_upload(taken.run_id, path, wish_of(taken.how), counted.step)
    _preview(taken, counted)
    spool.remove(taken.run_id)


def _preview(taken: ClaimedJob, counted: Counted) -> None:
    counted.begin(len(runs.schools(taken.run_id)))
    service.preview(taken.run_id, counted.step)
    jobs.finish(taken)


def _apply(taken: ClaimedJob, counted: Counted) -> None:
    counted.begin(len(runs.schools(taken.run_id)))
    reports = service.apply(
        taken.run_id,
        confirmed=taken.how.get("confirmed", {}),
        invitations_per_hour=taken.how.get("per_hour"),
        progress=counted.step,
    )
    if any(each.state == "held_back" for each in reports):
        service.preview(taken.run_id)  # with the numbers of now, which somebody confirms
    jobs.finish(taken)


def _undo(taken: ClaimedJob, counted: Counted) -> None:
    school_ids = list(taken.how.get("schools", ()))
    if not any(each.state == "applied" for each in runs.schools(taken.run_id)):
        jobs.finish(taken)  # another worker did it, and died before it said so
        return
    counted.begin(len(school_ids))
    done = service.undo(taken.run_id, school_ids)
    result = {
        each.school_id: {
            "counts": each.undone.counts if each.undone else {},
            "left": each.undone.left if each.undone else {},
            "done": each.undone is not None,
        }
        for each in done
    }
    jobs.finish(taken, result={**jobs.result_of(taken.run_id), **result})


def _drop(taken: ClaimedJob, _counted: Counted) -> None:
    spool.remove(taken.run_id)
    service.discard(taken.run_id)
    jobs.finish(taken, result={})


TASKS: Final[dict[str, Callable[[ClaimedJob, Counted], None]]] = {
    "open": _open,
    "read": _read,
    "look": _preview,
    "apply": _apply,
    "undo": _undo,
    "drop": _drop,
}


def wish_of(how: dict[str, Any]) -> service.Wish:
    """How the file is to be read, as the job keeps it."""
    return service.Wish(
        schools=tuple(service.Choice(each) for each in how["schools"]),
        delta=how["delta"],
        link_same_people=how["link_same_people"],
        by_operator=how["by_operator"],
        mapping=how.get("mapping", {}),
        layout=layout.from_json(how.get("layout")),
    )


@contextmanager
def _heart(taken: ClaimedJob, counted: Counted) -> Iterator[None]:
    """Beats in a thread of its own, as long as the job is worked on."""
    stop = Event()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    thread = Thread(target=_beat, args=(app, taken, counted, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(app: Flask, taken: ClaimedJob, counted: Counted, stop: Event) -> None:
    with app.app_context():
        while not stop.wait(BEAT):
            try:
                if not jobs.renew_lease(taken, counted.done, counted.total):
                    counted.lost.set()
                    return
            except SQLAlchemyError:
                continue  # SQLite's only write lock is the import's own now and then
            finally:
                with suppress(SQLAlchemyError):
                    db.session.remove()
