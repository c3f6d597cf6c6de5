"""Finds a person who is erased in what is kept of files: rows that wait, remarks, rejected rows.

Such rows carry no id of ours: the person is found by name, address and number. A namesake's row
leaves as well: it is worth little and is gone within days anyhow.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, or_, select, tuple_

from idp.audit.redaction import texts
from idp.database import db, in_parts, transaction
from idp.people.names import email_key, unaccented
from idp.roster import cells, runs
from idp.roster.models import (
    RosterGuardian,
    RosterLink,
    RosterMatch,
    RosterPreview,
    RosterPupil,
    RosterRejection,
    RosterRun,
    RosterRunSchool,
)
from idp.roster.question_models import RosterRemark

_AT_ONCE: Final = 1_000
_LEAST: Final = 4
"""A number or a user name with fewer characters is a part of too many other words."""


@dataclass
class Written:
    """By what a person is called in a file."""

    name_keys: set[str] = field(default_factory=set)
    email_keys: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    """Whole names, as they stand in sentences."""
    pairs: set[tuple[str, str]] = field(default_factory=set)
    """Given and family name, which stand in cells of their own."""

    def add_name(self, given_name: str | None, family_name: str | None) -> None:
        given_name, family_name = given_name or "", family_name or ""
        if not given_name and not family_name:
            return
        self.name_keys.add(cells.name_key(given_name, family_name))
        self.pairs.add((_plain(given_name), _plain(family_name)))
        self.words |= {
            _plain(f"{given_name} {family_name}"),
            _plain(f"{family_name} {given_name}"),
        }

    def add_relatives_name(self, given_name: str, family_name: str) -> None:
        """A row of a list may name a child by its given name, beside its mother's family name."""
        self.pairs.add((_plain(given_name), _plain(family_name)))

    def add_email(self, address: str | None) -> None:
        if address:
            self.email_keys |= {email_key(address), address.lower()} - {""}

    def add_number(self, number: str | None) -> None:
        if number and not number.startswith("~"):
            self.numbers.add(_plain(number))

    def stands_in_text(self, text: str) -> bool:
        """Whether a sentence names the person."""
        long_numbers = {each for each in self.numbers if len(each) >= _LEAST}
        return _has_any(_plain(text), self.words | self.email_keys | long_numbers)

    def stands_in_note(self, text: str) -> bool:
        """Whether what was written about the person's family may name them: by one name, too."""
        alone = {each for pair in self.pairs for each in pair if each}
        return self.stands_in_text(text) or _has_any(_plain(text), alone)

    def stands_in_cells(self, row: Iterable[str]) -> bool:
        """Whether a row of a file is the person's."""
        plain = {_plain(str(each)) for each in row}
        both = any(plain >= {*pair} for pair in self.pairs if all(pair))
        return (
            both
            or bool(plain & (self.numbers | self.email_keys | self.words))
            or any(self.stands_in_text(each) for each in plain)
        )


def forget(written: Written, schools: Collection[str]) -> None:
    """Delete what names the person, in the caller's transaction.

    ``schools``: theirs; where none is known, every school's imports are searched. A run that waits
    and names them is over: its file would make them anew.
    """
    with transaction() as session:
        for run_id in _waiting_with(written):
            runs.refuse(runs.get_run(run_id))
        for condition in _staged(written):  # of a run that is at work, or was cut short
            _forget_links(condition)
            session.execute(delete(condition.class_).where(condition.clause))
        for model, is_theirs in _SEARCHED:
            of_schools = select(model).where(*_of_schools(model, schools))
            for some in in_parts(_matching(of_schools, is_theirs, written), _AT_ONCE):
                session.execute(delete(model).where(tuple_(*_key(model)).in_(some)))


@dataclass(frozen=True)
class _Condition:
    class_: Any
    clause: Any


def _staged(written: Written) -> list[_Condition]:
    guardian = or_(
        RosterGuardian.name_key.in_(written.name_keys),
        RosterGuardian.email_key.in_(written.email_keys),
    )
    pupil = or_(
        RosterPupil.name_key.in_(written.name_keys), RosterPupil.pupil_number.in_(written.numbers)
    )
    return [_Condition(RosterGuardian, guardian), _Condition(RosterPupil, pupil)]


def _forget_links(of: _Condition) -> None:
    rows = select(of.class_.run_id, of.class_.sourced_id).where(of.clause)
    ids = [tuple(row) for row in db.session.execute(rows)]
    is_guardian = of.class_ is RosterGuardian
    number = RosterLink.guardian_sourced_id if is_guardian else RosterLink.pupil_sourced_id
    for some in in_parts(ids, _AT_ONCE):
        linked = tuple_(RosterLink.run_id, number).in_(some)
        db.session.execute(delete(RosterLink).where(linked))
        if is_guardian:
            matched = tuple_(RosterMatch.run_id, RosterMatch.sourced_id).in_(some)
            db.session.execute(delete(RosterMatch).where(matched))


def _waiting_with(written: Written) -> list[str]:
    waiting = select(RosterRun.id).where(RosterRun.status == "checked")
    named: set[str] = set()
    for each in _staged(written):
        run_id = each.class_.run_id
        named |= {*db.session.scalars(select(run_id).where(run_id.in_(waiting), each.clause))}
    return sorted(named)


def _key(model: Any) -> list[Any]:
    return list(model.__table__.primary_key)


def _of_schools(model: Any, schools: Collection[str]) -> list[ColumnElement[bool]]:
    if not schools:
        return []
    if model is RosterRejection:
        runs_of = select(RosterRunSchool.run_id).where(RosterRunSchool.school_id.in_(schools))
        return [model.run_id.in_(runs_of)]
    return [model.school_id.in_([*schools, ""])]  # "": of the file as a whole


def _matching(query: Any, is_theirs: Any, written: Written) -> Iterator[tuple[Any, ...]]:
    rows = db.session.scalars(query.execution_options(yield_per=_AT_ONCE))
    theirs = [row for row in rows if is_theirs(row, written)]
    for row in theirs:
        yield tuple(getattr(row, column.name) for column in _key(type(row)))


def _remark(row: RosterRemark, written: Written) -> bool:
    return written.stands_in_text(f"{row.who}\n{row.old}\n{row.new}")


def _rejection(row: RosterRejection, written: Written) -> bool:
    return written.stands_in_cells([*row.cells, row.about])


def _preview(row: RosterPreview, written: Written) -> bool:
    return any(written.stands_in_text(each) for each in texts(row.report))


_SEARCHED: Final = (
    (RosterRemark, _remark),
    (RosterRejection, _rejection),
    (RosterPreview, _preview),
)


def _has_any(text: str, words: Iterable[str]) -> bool:
    """Whether one of these stands there as a whole word."""
    return any(
        each in text and re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text) for each in words
    )


def _plain(text: str) -> str:
    return " ".join(unaccented(text).casefold().split())
