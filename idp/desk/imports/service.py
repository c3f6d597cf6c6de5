"""What the desk may do with an import: choose a file, say how it lies and which
column is what, carry it out, take it back.

How a file is read and carried out is ``idp.roster``'s; here stands who may. Reading and carrying
out are asked of a worker (``idp.roster.work``).
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from errno import EDQUOT, ENOSPC
from pathlib import PurePath
from typing import IO, Any, Final

from flask_babel import gettext as _
from sqlalchemy import func, select

from idp import clock, settings
from idp.database import db, retried, transaction
from idp.desk.access import scope
from idp.desk.access.acts import On, act_on
from idp.desk.access.rights import Right, Staff
from idp.desk.imports.runs import Import, Part, get_import, history
from idp.errors import Conflict, NotFound
from idp.people.models import School
from idp.roster import jobs, layout, mapping, reading, runs, service, spool, work
from idp.roster.layout import Layout
from idp.roster.models import RosterJob
from idp.roster.records import Unusable

log = logging.getLogger(__name__)

MOST_SCHOOLS: Final = 500
MOST_WAITING: Final = 5
"""Files of one person that may wait at once: each may be 50 MB."""


__all__ = ["Import", "get_import", "history"]


def schools(staff: Staff) -> list[School]:
    """For which schools this person may import."""
    return scope.schools_by_name(staff.school_scope(Right.IMPORT_ROSTER), MOST_SCHOOLS)


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
    Raises ``NotFound`` for a school outside the scope, ``Conflict``, and ``Unusable``:
    ``Hostile`` where the file is larger than ``spool.LARGEST``.
    """
    wanted = sorted(set(school_ids))
    known = {each.id for each in schools(staff)}
    if not wanted or not known.issuperset(wanted):
        raise NotFound("school")
    if not staff.is_operator and (len(wanted) > 1 or link_same_people):
        raise NotFound("school")
    if PurePath(spool.plain_name(name)).suffix.lower() not in spool.SUFFIXES:
        raise Unusable("no_roster")
    if _waiting(staff) >= MOST_WAITING:
        raise Conflict("too_many_imports")
    first = stream.read(1)
    if not first:
        raise Unusable("empty", file=spool.plain_name(name))
    stream.seek(0)
    how = {
        "schools": wanted,
        "delta": delta,
        "link_same_people": link_same_people,
        "by_operator": staff.is_operator,
    }
    return _begun(staff, how, name, stream)


def _waiting(staff: Staff) -> int:
    """How many files of this person lie in the spool folders."""
    query = select(func.count()).where(
        RosterJob.asked_by == staff.account_id,
        RosterJob.task.in_(("open", "read")),
        RosterJob.state.in_(("waiting", "working", "mapping")),
        RosterJob.asked_at > clock.now() - spool.KEPT,
    )
    return db.session.scalar(query) or 0


def _begun(staff: Staff, how: dict[str, Any], name: str, stream: IO[bytes]) -> str:
    kept = ""
    try:
        with act_on(staff, Right.IMPORT_ROSTER, lambda _school_scope: work.wish_of(how)) as on:
            run = reading.begin_upload(on.it, staff.account_id)
            kept = run.id
            job = RosterJob(run_id=run.id, task="open", how=how, asked_by=staff.account_id)
            job.upload = spool.plain_name(name)
            db.session.add(job)
        spool.store_file(kept, name, stream)
    except BaseException as error:
        if kept:
            spool.remove(kept)
            runs.finish(runs.get_run(kept), "refused")
            _give_up(kept)
        if isinstance(error, OSError) and error.errno in {ENOSPC, EDQUOT}:
            log.error("the disk of the spool folder is full: uploads are refused")
            raise Conflict("no_room") from error
        raise
    return kept


def _give_up(run_id: str) -> None:
    with transaction() as writes:
        job = writes.get(RosterJob, run_id)
        if job is not None:
            job.state, job.trouble = "failed", {"code": "too_much"}


@retried
def check_again(staff: Staff, run_id: str) -> None:
    """Have the dry run made anew. Raises ``NotFound`` and ``Conflict``."""
    with act_on_import(staff, run_id) as on:
        if not on.it.is_open or not jobs.request_task(run_id, "look", {}, staff.account_id):
            raise Conflict("not_now")


@retried
def answer(staff: Staff, run_id: str, answers: Mapping[str, Mapping[str, str]]) -> None:
    """Say who people of the file are, and have it compared anew.

    ``answers``: school → question → ``same``, ``another`` or ``""`` for not decided. Raises
    ``NotFound``, ``Conflict`` and ``Invalid``.
    """
    with act_on_import(staff, run_id) as on:
        roster_import = on.it
        if not roster_import.is_open or roster_import.is_busy:
            raise Conflict("not_now")
        for part in roster_import.parts:
            if new_answers := _new_answers(part, answers.get(part.row.school_id, {})):
                service.answer(run_id, new_answers, part.row.school_id)
        if not jobs.request_task(run_id, "look", {}, staff.account_id):
            raise Conflict("not_now")


def _new_answers(part: Part, answers: Mapping[str, str]) -> dict[str, str]:
    """Those of the answers that are new, to what is asked."""
    known_answers = {each["key"]: each["answer"] or "" for each in _questions(part)}
    return {
        key: answer
        for key, answer in answers.items()
        if key in known_answers and answer != known_answers[key]
    }


def _questions(part: Part) -> list[dict[str, Any]]:
    return part.report.questions if part.report else []


@retried
def carry_out(
    staff: Staff, run_id: str, *, confirmed: Collection[str] = (), per_hour: int | None = None
) -> None:
    """Have an import carried out that was looked at.

    ``confirmed``: schools where so much may end or change as the dry run said. ``per_hour``:
    invitations, within the operator's bound; None: none. Raises ``NotFound`` and ``Conflict``.
    """
    with act_on_import(staff, run_id) as on:
        roster_import = on.it
        if not roster_import.is_open or not all(part.report for part in roster_import.parts):
            raise Conflict("not_now")
        most = settings.current().invitations_per_hour
        how = {
            "confirmed": {
                part.row.school_id: part.report.share_at_once
                for part in roster_import.parts
                if part.report and part.row.school_id in confirmed
            },
            "per_hour": None if per_hour is None else max(1, min(per_hour, most)),
        }
        if not jobs.request_task(run_id, "apply", how, staff.account_id):
            raise Conflict("not_now")


@retried
def take_back(staff: Staff, run_id: str) -> None:
    """Have an import undone, at the schools of the scope. Raises ``NotFound`` and ``Conflict``."""
    with act_on_import(staff, run_id, whole=False) as on:
        theirs = [part.row.school_id for part in on.it.parts if part.can_undo]
        if not theirs or not jobs.request_task(
            run_id, "undo", {"schools": theirs}, staff.account_id
        ):
            raise Conflict("not_now")


@retried
def discard(staff: Staff, run_id: str) -> None:
    """Have forgotten what was read and never carried out. Raises ``NotFound`` and ``Conflict``."""
    with act_on_import(staff, run_id) as on:
        if on.it.run.status not in {"reading", "checked"}:
            raise Conflict("not_now")
        if not jobs.request_task(
            run_id, "drop", {}, staff.account_id, after=(*jobs.OVER, "mapping")
        ):
            raise Conflict("not_now")


@contextmanager
def act_on_import(staff: Staff, run_id: str, *, whole: bool = True) -> Iterator[On[Import]]:
    """An act on an import within the scope; ``whole``: on one all of whose schools are.

    It asks a worker, of whom one is asked at a time: an UPDATE decides. The worker records what
    it has done.
    """
    find = of_theirs if whole else get_import
    with act_on(staff, Right.IMPORT_ROSTER, lambda _school_scope: find(staff, run_id)) as on:
        on.keep()
        yield on


def of_theirs(staff: Staff, run_id: str) -> Import:
    """An import all of whose schools are within the scope: what is done, is done to all."""
    roster_import = get_import(staff, run_id)
    if not roster_import.whole:
        raise NotFound("import", run_id)
    return roster_import


def lay_out(staff: Staff, run_id: str, wanted: Layout) -> None:
    """Have a list opened anew: in this encoding, with this header, of these sheets.

    Raises ``NotFound`` and ``Conflict``.
    """
    with act_on_import(staff, run_id) as on:
        job = on.it.job
        if job is None or job.state != "mapping":
            raise Conflict("not_now")
        how = {**job.how, "layout": wanted.as_json()}
        if not jobs.request_task(run_id, "open", how, staff.account_id, after=("mapping",)):
            raise Conflict("not_now")


def name_columns(
    staff: Staff,
    run_id: str,
    columns: Mapping[str, str],
    *,
    keep: bool,
    single_names: bool = False,
    own_numbers: bool = False,
) -> list[str]:
    """Say which column of a list is what, and have it read; returns what is wrong with it.

    ``columns``: header → target, or ``-``. ``keep``: for the school's next lists.
    ``single_names``: people with one name only are no typing error. ``own_numbers``: numbers that
    count rows are the school's own all the same.
    Raises ``NotFound``, ``Conflict`` and ``Invalid``.
    """
    roster_import = of_theirs(staff, run_id)
    job = roster_import.job
    if job is None or job.state != "mapping":
        raise Conflict("not_now")
    header: list[str] = job.result["header"]
    chosen = {name: columns.get(name, "-") for name in header}
    (part,) = roster_import.parts
    base = mapping.Mapping(job.result["columns"], job.result.get("constants", {}))
    targets = Counter(target for target in chosen.values() if target != "-")
    if twice := [name for name, target in chosen.items() if targets[target] > 1]:
        named_twice = ", ".join(twice)[:200]
        return [
            str(_("These columns are read as the same thing: %(columns)s.", columns=named_twice))
        ]
    named = mapping.changed(base, chosen, header)
    if problems := named.problems():
        return problems
    laid = replace(
        layout.from_json(job.how.get("layout")),
        single_names=single_names,
        own_numbers=own_numbers,
    )
    how = {**job.how, "mapping": chosen, "layout": laid.as_json()}
    with act_on_import(staff, run_id):
        if keep:
            reading.save_mapping(part.row.school_id, named)
        if not jobs.mapped(run_id, how, staff.account_id):
            raise Conflict("not_now")
    return []
