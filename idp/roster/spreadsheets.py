"""A school's own list, CSV or XLSX, by a mapping: a row for a pupil, or for pupil and guardian.

A list without numbers identifies people by what it has: a pupil by name (and class, where two
share a name), a guardian by name and address, and without an address as this pupil's alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from idp import clock
from idp.database import keyed_hash
from idp.people.models import EMAIL_LENGTH, NAME_LENGTH
from idp.people.names import Refused, email_key
from idp.roster import cells, tables, workbooks
from idp.roster.archives import Progress, Source
from idp.roster.mapping import Mapping
from idp.roster.models import SOURCED_ID_LENGTH
from idp.roster.oneroster import CLASS_LENGTH
from idp.roster.records import (
    Guardian,
    Link,
    Noticed,
    Pupil,
    Reading,
    Record,
    Rejected,
    Row,
    Unusable,
)

_SUFFIXES: Final = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm")


@dataclass
class _Reader:
    school_id: str
    mapping: Mapping
    reading: Reading
    same_name: set[str]
    """Keys of names that stand in several classes: there the class is part of who it is."""
    pupils: dict[str, str] = field(default_factory=dict)
    """Pupil's id → key of its name: a number that stands for two pupils is an error."""
    guardians: dict[str, str] = field(default_factory=dict)
    links: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class _Named:
    given: str
    family: str

    @property
    def key(self) -> str:
        return cells.name_key(self.given, self.family)


def sheet_of(source: Source) -> str:
    """The one file of a source that is a list; raises ``Unusable``."""
    names = [name for name in source.names if name.endswith(_SUFFIXES)]
    if len(names) != 1:
        raise Unusable("this is neither OneRoster nor one CSV or XLSX file", "no_roster")
    return names[0]


def header_of(source: Source) -> list[str]:
    """The words of the list's header."""
    name = sheet_of(source)
    if name.endswith((".xlsx", ".xlsm")):
        return workbooks.header_of(source.path)
    return tables.header_of(source, name)


def rows_of(source: Source, progress: Progress = lambda _: None) -> Iterator[Row]:
    """The list's rows, whatever its format."""
    name = sheet_of(source)
    if name.endswith((".xlsx", ".xlsm")):
        return workbooks.rows(source.path, progress)
    return tables.rows(source, name, progress)


def read(
    source: Source, school_id: str, mapping: Mapping, progress: Progress = lambda _: None
) -> Reading:
    """The records of one school. Raises ``Unusable`` where the mapping does not fit the file."""
    name = sheet_of(source)
    if missing := set(mapping.columns) - set(header_of(source)):
        raise Unusable(
            f"the column « {min(missing)[:60]} » is missing: map the columns anew",
            "column_missing",
            column=min(missing)[:60],
        )
    if problems := mapping.problems():
        raise Unusable("; ".join(problems))

    def rows(report: Progress = lambda _: None) -> Iterator[Row]:
        return rows_of(source, report)

    reading = Reading(
        format="xlsx" if name.endswith((".xlsx", ".xlsm")) else "csv",
        records=iter(()),
        mapping=mapping.as_json(),
        shown=frozenset(mapping.columns),
    )
    reader = _Reader(school_id, mapping, reading, set())
    reading.records = _records(reader, rows, progress)
    return reading


def _records(
    reader: _Reader, rows: Callable[..., Iterator[Row]], progress: Progress
) -> Iterator[Record]:
    reader.same_name = _names_in_several_classes(reader, rows())
    for row in rows(progress):
        reader.reading.rows += 1
        yield from _row(reader, row)


def _names_in_several_classes(reader: _Reader, rows: Iterator[Row]) -> set[str]:
    classes: dict[str, str] = {}
    several: set[str] = set()
    if "pupil.number" in reader.mapping.columns.values():
        return several
    for row in rows:
        named = _name(reader, row, "pupil")
        if isinstance(named, _Named):
            class_name = _get(reader, row, "pupil.class")
            if classes.setdefault(named.key, class_name) != class_name:
                several.add(named.key)
    return several


def _row(reader: _Reader, row: Row) -> Iterator[Record]:
    left = _get(reader, row, "pupil.left_on")
    day = cells.day(left) if left else None
    if left and day is None:
        yield Rejected(row, "date_wrong", left[:40])  # the pupil is taken over all the same
    if day is not None and day <= clock.now().date():
        reader.reading.ignore("of pupils who have left")
        return
    number = cells.number(_get(reader, row, "pupil.number"))
    if problem := _number_problem(reader, row, number):
        yield problem
        return
    named = _name(reader, row, "pupil")
    if not isinstance(named, _Named):
        yield named or Rejected(row, "name_missing", "pupil")
        if not number:
            return
        named = _Named("", "")  # whoever is known by this number stays as they are
    yield from _pupil(reader, row, number, named)


def _pupil(reader: _Reader, row: Row, number: str, named: _Named) -> Iterator[Record]:
    class_name: str | None = _get(reader, row, "pupil.class")
    pupil = number or _derived(
        reader, "pupil", named.key, _class_part(reader, named, class_name or "")
    )
    if named.given and reader.pupils.setdefault(pupil, named.key) != named.key:
        yield Rejected(row, "number_of_two_pupils", number[:80])
        return
    if problem := _class_problem(row, class_name or ""):
        yield problem
        class_name = None
    yield Pupil(
        *(reader.school_id, pupil, row.line, named.given, named.family),
        class_name=class_name,
        pupil_number=number or None,
        lists_agents=True,
    )
    keeps = ((reader.school_id, pupil),)
    for which in reader.mapping.guardians:
        for record in _guardian(reader, row, pupil, which):
            yield replace(record, keeps=keeps) if isinstance(record, Rejected) else record


def _class_problem(row: Row, class_name: str) -> Rejected | None:
    if len(class_name) > CLASS_LENGTH:
        return Rejected(row, "class_too_long", class_name[:40])
    if not class_name.isprintable() or "\ufffd" in class_name:
        return Rejected(row, "name_wrong", "class")
    return None


def _number_problem(reader: _Reader, row: Row, number: str) -> Rejected | None:
    if "pupil.number" in reader.mapping.columns.values() and not number:
        return Rejected(row, "id_missing")
    if number.startswith("~") or len(number) > 64 or not number.isprintable():
        return Rejected(row, "number_wrong", number[:40])
    return None


def _guardian(reader: _Reader, row: Row, pupil: str, which: int) -> Iterator[Record]:
    prefix = f"guardian.{which}"
    email = _get(reader, row, f"{prefix}.email")
    named = _name(reader, row, prefix)
    if named is None:
        if email:
            yield Rejected(row, "name_missing", f"guardian {which}")
        return
    if isinstance(named, Rejected):
        yield named
        return
    if email and (not email_key(email) or len(email) > EMAIL_LENGTH):
        yield Rejected(row, "email_wrong", f"guardian {which}")
        email = ""  # the person is taken over, the address is not
    number = cells.number(_get(reader, row, f"{prefix}.number"))
    if number.startswith("~") or len(number) > SOURCED_ID_LENGTH or not number.isprintable():
        yield Rejected(row, "number_wrong", number[:40])
        return
    whose = email_key(email) if email else f"of {pupil}"
    sourced_id = number or _derived(reader, "guardian", named.key, whose)
    if reader.guardians.setdefault(sourced_id, named.key) != named.key:
        yield Rejected(row, "number_of_two_guardians", number[:80])
        return
    word = _get(reader, row, f"{prefix}.relationship")
    relationship = cells.relationship(word) if word else None
    if word and relationship is None:
        yield Noticed("unknown_relationship", word[:40])
    yield Guardian(
        sourced_id, row.line, named.given, named.family, email or None, relationship or None
    )
    if (pupil, sourced_id) not in reader.links:
        reader.links.add((pupil, sourced_id))
        yield Link(pupil, sourced_id, relationship)


def _name(reader: _Reader, row: Row, whose: str) -> _Named | Rejected | None:
    """The name as people's own rules store it; None where the cells are empty."""
    given, family = _get(reader, row, f"{whose}.given"), _get(reader, row, f"{whose}.family")
    whole = _get(reader, row, f"{whose}.name")
    if not given and not family and not whole:
        return None
    if whole and not (given and family):
        parts = cells.split_name(whole)
        if parts is None:
            return Rejected(row, "name_in_one", whose)
        given, family = parts
    if not given or not family:
        return Rejected(row, "name_missing", whose)
    try:
        return _Named(
            cells.cleaned(whose, given, NAME_LENGTH), cells.cleaned(whose, family, NAME_LENGTH)
        )
    except Refused:
        return Rejected(row, "name_wrong", whose)


def _class_part(reader: _Reader, named: _Named, class_name: str) -> str:
    return class_name if named.key in reader.same_name else ""


def _derived(reader: _Reader, kind: str, *parts: str) -> str:
    return "~" + keyed_hash(f"roster {kind}", "\0".join((reader.school_id, *parts)))


def _get(reader: _Reader, row: Row, target: str) -> str:
    for column, at in reader.mapping.columns.items():
        if at == target:
            return " ".join(row.cells.get(column, "").split()) or (
                reader.mapping.constants.get(target, "")
            )
    return reader.mapping.constants.get(target, "")
