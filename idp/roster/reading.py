"""Reads a file into a staged run: finds its format, its schools and its columns."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import select

from idp import clock, correlation
from idp.audit import events
from idp.database import db, transaction, update_all
from idp.errors import Invalid
from idp.people.normalise import comparable
from idp.people.schools import find_school
from idp.roster import (
    archives,
    lists,
    mapping,
    oneroster,
    oneroster_roles,
    orgs,
    spreadsheets,
    staging,
    usernames,
)
from idp.roster.archives import Source
from idp.roster.layout import Layout
from idp.roster.mapping import Mapping
from idp.roster.models import RosterRun, RosterRunSchool, RosterSource
from idp.roster.records import Reading, Unusable

RESUME_WITHIN: Final = timedelta(days=1)
"""For so long what was read from a file waits to be applied."""

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Choice:
    """A school that the import is for; ``org``: which of the file's schools it is."""

    school_id: str
    org: str | None = None


@dataclass(frozen=True)
class Wish:
    """How a file is to be read and for which schools: nothing else in it counts (rule A2)."""

    schools: tuple[Choice, ...]
    delta: bool = False
    link_same_people: bool = False
    username_pattern: str | None = None
    mapping: dict[str, str] = field(default_factory=dict)
    """Column → target, over what is saved or guessed."""
    layout: Layout = field(default_factory=Layout)
    """How a list lies in its file."""
    by_operator: bool = False
    """Whether whoever reads it vouches for the district that the file names."""

    def as_text(self) -> str:
        return json.dumps(
            [
                sorted((each.school_id, each.org or "") for each in self.schools),
                *(self.delta, self.link_same_people, self.username_pattern, self.by_operator),
                sorted(self.mapping.items()),
                self.layout.as_json(),
            ]
        )


def stage(path: Path, wish: Wish, progress: Progress) -> RosterRun:
    """Read the file at ``path`` into the staging tables; see ``service.stage``."""
    wanted = _wanted(wish)
    if wish.username_pattern is not None:
        usernames.check_pattern(wish.username_pattern)
    with archives.opened(path) as source:
        saved = [source_of(each.school_id, make=False).mapping for each in wish.schools]
        choices = f"{wish.as_text()}{json.dumps(saved, sort_keys=True)}"
        fingerprint = hashlib.sha256(f"{source.digest()}{choices}".encode()).hexdigest()
        if waiting := _waiting(fingerprint):
            return waiting
        contents = _open(source, wish, wanted, progress)
        run = _begin(wish, contents, fingerprint, correlation.current().actor)
        try:
            _fill(run, contents, wanted)
        except BaseException:
            _refuse(run)
            raise
    return run


def begin_upload(wish: Wish, actor: str) -> RosterRun:
    """A run whose file a worker will read; in the caller's transaction. Raises ``Invalid``."""
    _wanted(wish)
    return _begin(wish, Reading("", iter(()), delta=wish.delta), "", actor)


def read_upload(run_id: str, path: Path, wish: Wish, progress: Progress) -> None:
    """Read the file of a run that ``begin_upload`` made; what an attempt before has left is
    forgotten first. Raises ``Unusable`` and ``Invalid``.
    """
    staging.clear(run_id)
    wanted = _wanted(wish)
    with archives.opened(path) as source:
        fingerprint = hashlib.sha256(f"{source.digest()}{wish.as_text()}".encode()).hexdigest()
        contents = _open(source, wish, wanted, progress)
        with transaction() as writes:
            run = writes.get(RosterRun, run_id, populate_existing=True)
            run.format, run.delta, run.district = contents.format, contents.delta, contents.district
            run.fingerprint = fingerprint
            for row in writes.scalars(
                select(RosterRunSchool).where(RosterRunSchool.run_id == run_id)
            ):
                row.org_sourced_id = contents.orgs.get(row.school_id)
        _fill(run, contents, wanted)


def is_list(path: Path) -> bool:
    """Whether the file is a list, whose columns somebody maps; raises ``Unusable``."""
    with archives.opened(path) as source:
        return lists.is_list(source)


def size_of(path: Path) -> int:
    """Bytes that reading will pass, for a progress bar."""
    with archives.opened(path) as source:
        return source.size


def preview_list(path: Path, school_id: str, layout: Layout, most: int = 0) -> lists.ListPreview:
    """A list's columns and what they are for the school, with its first rows."""
    return lists.preview(path, source_of(school_id, make=False).mapping, layout, most)


def save_mapping(school_id: str, chosen: Mapping) -> None:
    """Keep how this school's lists are read; raises ``Invalid`` where nothing could be read."""
    if problems := chosen.problems():
        raise Invalid("mapping", "incomplete", problems="; ".join(problems))
    _must_exist(school_id)
    with transaction():
        source = source_of(school_id)
        source.mapping, source.updated_at = chosen.as_json(), clock.now()


def source_of(school_id: str, *, make: bool = True) -> RosterSource:
    """How the school's roster is read; ``make`` adds it to the caller's transaction if new."""
    source = db.session.get(RosterSource, school_id)
    if source is None:
        source = RosterSource(school_id=school_id, username_pattern=usernames.PATTERN)
        if make:
            db.session.add(source)
    return source


def _wanted(wish: Wish) -> list[orgs.Wanted]:
    if not wish.schools:
        raise Invalid("school", "missing")
    if len({each.school_id for each in wish.schools}) < len(wish.schools):
        raise Invalid("school", "named_twice")
    return [
        orgs.Wanted(
            each.school_id,
            _must_exist(each.school_id),
            each.org or source_of(each.school_id, make=False).org_sourced_id,
        )
        for each in wish.schools
    ]


def _must_exist(school_id: str) -> str:
    school = find_school(school_id)
    if school is None:
        raise Invalid("school", "no_school", id=school_id[:40])
    return school.name


def _open(source: Source, wish: Wish, wanted: list[orgs.Wanted], progress: Progress) -> Reading:
    if oneroster.is_oneroster(source):
        ids = [each.school_id for each in wanted]
        known = oneroster_roles.Known(staging.known_people(ids), staging.known_classes(ids))
        contents = oneroster.read(
            source,
            wanted,
            known,
            delta=wish.delta,
            single_names=wish.layout.single_names,
            progress=progress,
        )
        contents.district = _district(contents, wanted) if wish.by_operator else None
        return contents
    if len(wanted) != 1:
        raise Unusable("one_school")
    school_id = wanted[0].school_id
    list_header = lists.read_header(source, wish.layout)
    header, saved = list_header.header, source_of(school_id, make=False).mapping
    first = lists.first_rows(source, wish.layout)
    guess = lists.guess_of(list_header, saved, first)
    chosen = guess.mapping
    if saved and not wish.mapping:
        spreadsheets.must_have(set(saved["columns"]), header)
    if wish.mapping:
        if set(wish.mapping) >= set(filter(None, header)):  # all of it was chosen for this file
            columns = {name: at for name, at in chosen.columns.items() if name in header}
            chosen = replace(chosen, columns=columns)
        chosen = mapping.changed(chosen, wish.mapping, header)
    contents = spreadsheets.read(
        *(source, school_id, chosen, wish.layout, progress), delta=wish.delta
    )
    contents.delta = wish.delta
    contents.facts["new"] = [name for name in guess.new if name not in wish.mapping]
    return contents


def _district(contents: Reading, wanted: list[orgs.Wanted]) -> str | None:
    """The district as the operator vouches for it: by importing several schools at once.

    A file of one school that names a district counts only if that was so before (rule A2).
    """
    if len(wanted) > 1:
        return contents.district
    saved = source_of(wanted[0].school_id, make=False).district
    return saved if saved and saved == contents.district else None


def newer_import(run: RosterRun, school_id: str | None = None) -> str | None:
    """The run of a file that was read later and stands at this school (none: at any of the run's).

    What was read before it is no news any more, unless it is the very same file.
    """
    mine = select(RosterRunSchool.school_id).where(RosterRunSchool.run_id == run.id)
    if school_id is not None:
        mine = mine.where(RosterRunSchool.school_id == school_id)
    newer: str | None = db.session.scalar(
        select(RosterRun.id)
        .join(RosterRunSchool, RosterRunSchool.run_id == RosterRun.id)
        .where(
            RosterRun.created_at > run.created_at,
            RosterRun.fingerprint != run.fingerprint,
            RosterRunSchool.school_id.in_(mine),
            RosterRunSchool.state == "applied",
        )
        .order_by(RosterRun.created_at.desc())
        .limit(1)
    )
    return newer


def _waiting(fingerprint: str) -> RosterRun | None:
    run: RosterRun | None = db.session.scalars(
        select(RosterRun)
        .where(
            RosterRun.fingerprint == fingerprint,
            RosterRun.status.in_(("checked", "applying")),
            RosterRun.created_at > clock.now() - RESUME_WITHIN,
        )
        .order_by(RosterRun.created_at.desc())
        .limit(1)
    ).one_or_none()
    return None if run is None or newer_import(run) else run


def _begin(wish: Wish, contents: Reading, fingerprint: str, actor: str) -> RosterRun:
    schools = [each.school_id for each in wish.schools]
    with transaction() as writes:
        run = RosterRun(
            format=contents.format,
            delta=contents.delta,
            fingerprint=fingerprint,
            district=contents.district,
            options={
                "link_same_people": wish.link_same_people,
                "username_pattern": wish.username_pattern,
            },
            actor=actor,
        )
        writes.add(run)
        writes.flush()
        writes.add_all(
            RosterRunSchool(run_id=run.id, school_id=each, org_sourced_id=contents.orgs.get(each))
            for each in schools
        )
        # To its school, and of several at once to the platform
        school_id = schools[0] if len(schools) == 1 else None
        events.record(
            "roster_begun", school_id=school_id, run=run.id, format=run.format, schools=schools
        )
    return run


def _fill(run: RosterRun, contents: Reading, wanted: list[orgs.Wanted]) -> None:
    writer = staging.StagingWriter(run.id)
    for each in wanted:
        called = contents.names.get(each.school_id)
        if called and comparable(called) != comparable(each.name):
            writer.notice("school_name", called[:60])
    writer.fill(contents)
    noticed = {
        code: {"count": count, "samples": writer.noticed[code]}
        for code, count in writer.notices.items()
    }
    result = {
        "rows": contents.rows,
        "ignored": contents.ignored,
        "rejected": dict(writer.rejected),
        "noticed": noticed,
        "mapping": contents.mapping,
        "accounting": contents.accounting.as_json(),
        **contents.facts,
    }
    update_all(RosterRun, RosterRun.id == run.id, status="checked", reading=result)
    db.session.refresh(run)


def _refuse(run: RosterRun) -> None:
    staging.clear(run.id)
    update_all(RosterRun, RosterRun.id == run.id, status="refused", finished_at=clock.now())
