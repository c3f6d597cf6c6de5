"""A school's own list, CSV or XLSX, by a mapping: a row for a pupil, or for pupil and guardian.

A list without numbers identifies people by what it has: a pupil by name (and class, where two
share a name), a guardian by name and address, and without an address as this pupil's alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Final

from idp.people.addresses import can_be_mailed
from idp.people.names import email_key
from idp.roster import cells, lists, namesakes, odd_names, row_numbers, validity
from idp.roster.archives import Progress, Source
from idp.roster.layout import Layout
from idp.roster.list_rows import Named, Reader, get_cell, name_of
from idp.roster.mapping import Mapping
from idp.roster.models import SOURCED_ID_LENGTH
from idp.roster.namesakes import Namesakes, Reads
from idp.roster.oneroster_terms import CLASS_LENGTH
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
from idp.roster.tables import Again
from idp.roster.validity import When

_CLASS_NAMES: Final = ("Class", "Class (sheet)", "Class (name of the sheet)")
"""What the column of the sheets' names is called, unless the list has one of that name."""


class Left:
    """A row of a pupil whose last day has passed."""


def read(
    source: Source,
    school_id: str,
    mapping: Mapping,
    layout: Layout,
    progress: Progress = lambda _: None,
    *,
    delta: bool = False,
) -> Reading:
    """The records of one school. Raises ``Unusable`` where the mapping does not fit the file.

    ``delta``: the list holds some pupils; a row of it ends nothing, for it may be one of several.
    """
    look = lists.read_header(source, layout)
    must_have(set(mapping.columns), look.header)
    if problems := mapping.problems():
        raise Unusable("incomplete", problems="; ".join(problems))
    counting: list[str] = []
    if not layout.own_numbers:
        mapping, counting = row_numbers.without(mapping, lists.rows_of(source, layout))

    kept = mapping
    by_sheet = ""
    if look.several and "pupil.class" not in mapping.columns.values():
        # No column says the class: each sheet is one, by its name
        by_sheet = next(name for name in _CLASS_NAMES if name not in look.header)
        mapping = replace(mapping, columns={**mapping.columns, by_sheet: "pupil.class"})

    def rows(report: Progress = lambda _: None, again: Again = lambda _: None) -> Iterator[Row]:
        for row in lists.rows_of(source, layout, report, again):
            yield replace(row, cells={**row.cells, by_sheet: row.sheet}) if by_sheet else row

    unread = [name for name in look.header if name and name not in mapping.columns]
    shown = [name for name in (*look.header, by_sheet) if name in mapping.columns]
    reading = Reading(
        format="csv" if look.encoding else "xlsx",
        records=iter(()),
        mapping=kept.as_json(),
        shown=frozenset(mapping.columns),
        facts={**look.facts(), "unread": unread, "shown": shown},
    )
    for sheet in look.sheets:
        if not sheet.read:
            reading.accounting.leave(sheet.name, sheet.why_not)
    for name in source.names - {lists.file_of(source)}:
        reading.accounting.leave(name, "unknown")
    reader = Reader(
        school_id,
        mapping,
        reading,
        single_names=layout.single_names,
        lists_agents=not delta,
    )
    noticed = [Noticed("row_numbers", name[:60]) for name in counting]
    reading.records = chain(noticed, _records(reader, rows, progress))
    return reading


def must_have(columns: set[str], header: list[str]) -> None:
    """Raise ``Unusable`` where a column is not in the list."""
    if missing := columns - set(header):
        raise Unusable("column_missing", column=min(missing)[:60])


def _records(
    reader: Reader, rows: Callable[..., Iterator[Row]], progress: Progress
) -> Iterator[Record]:
    reader.namesakes = _namesakes(reader, rows)
    account = reader.reading.accounting
    for row in rows(progress, reader.reading.header_again):
        reader.reading.rows += 1
        part = row.sheet or row.file
        account.row(part)
        # SipHash of all cells: for a row to be passed over wrongly, two in 2⁶⁴ would have to meet
        whole = hash((row.sheet, *row.cells.values()))
        if whole in reader.seen:
            account.passes(part, "twice")
            continue
        reader.seen.add(whole)
        taken, why = False, "rejected"
        for record in _row(reader, row):
            taken |= isinstance(record, Pupil) and record.given_name != ""
            if isinstance(record, Left):
                why = "left"
                continue
            yield record
        if not taken:
            account.passes(part, why)
    reader.ids.renew()


def _namesakes(reader: Reader, rows: Callable[..., Iterator[Row]]) -> Namesakes:
    """None where the list has numbers: they say who is who."""
    if "pupil.number" in reader.mapping.columns.values():
        return Namesakes()

    def pupil(row: Row) -> str | None:
        named = name_of(reader, row, "pupil")
        return named.key if isinstance(named, Named) else None

    reads = Reads(
        pupil,
        lambda row: _class(reader, row),
        lambda row: _guardians_of(reader, row),
        per_pupil=len(reader.mapping.guardians) > 1,
    )
    return namesakes.find_namesakes(rows, reads)


def _guardians_of(reader: Reader, row: Row) -> tuple[tuple[str, str], ...]:
    """Names of the row's guardians, and whether each is the mother or the father."""
    guardians = []
    for which in reader.mapping.guardians:
        named = name_of(reader, row, f"guardian.{which}")
        if isinstance(named, Named):
            word = cells.relationship(get_cell(reader, row, f"guardian.{which}.relationship")) or ""
            guardians.append((named.key, word if word in {"mother", "father"} else ""))
    return tuple(sorted(guardians))


def _row(reader: Reader, row: Row) -> Iterator[Record | Left]:
    left = get_cell(reader, row, "pupil.left_on")
    day = validity.day(left) if left else None
    if left and day is None:
        yield Rejected(row, "date_wrong", left[:40])  # the pupil is taken over all the same
    if validity.when(None, day, reader.today) is When.OVER:
        reader.reading.ignore("of pupils who have left")
        yield Left()
        return
    number = cells.number(get_cell(reader, row, "pupil.number"))
    if problem := _number_problem(reader, row, number):
        yield problem
        return
    named = name_of(reader, row, "pupil")
    if not isinstance(named, Named):
        yield named or Rejected(row, "name_missing", "pupil")
        if not number:
            return
        named = Named("", "")  # whoever is known by this number stays as they are
    yield from _pupil(reader, row, number, named)


def _pupil(reader: Reader, row: Row, number: str, named: Named) -> Iterator[Record]:
    class_name: str | None = _class(reader, row)
    if "pupil.class" not in reader.mapping.columns.values():
        class_name = None  # the list does not say: known pupils keep theirs
    key = (named.key, class_name or "")
    pupil = number or reader.ids.of("pupil", *_who(reader, row, key))
    group = reader.ids.of("pupil", *key) if key in reader.namesakes.doubtful else None
    if key in reader.namesakes.joined and pupil in reader.pupils:
        yield Noticed("rows_joined", f"{named.given_name} {named.family_name}")
    if named.given_name and reader.pupils.setdefault(pupil, named.key) != named.key:
        yield Rejected(row, "number_of_two_pupils", number[:80])
        return
    if problem := _class_problem(row, class_name or ""):
        yield problem
        class_name = None
    if others := reader.other_classes(pupil, class_name or ""):
        who = f"{named.given_name} {named.family_name}".strip() or number
        yield Noticed("two_classes", f"{who}: {others}")
    yield Pupil(
        *(reader.school_id, pupil, row.line, named.given_name, named.family_name),
        class_name=class_name,
        pupil_number=number or None,
        lists_agents=reader.lists_agents,
        twin_of=group,
    )
    keeps = ((reader.school_id, pupil),)
    for which in reader.mapping.guardians:
        for record in _guardian(reader, row, pupil, which):
            yield replace(record, keeps=keeps) if isinstance(record, Rejected) else record


def _class(reader: Reader, row: Row) -> str:
    class_name = get_cell(reader, row, "pupil.class")
    return "" if odd_names.says_none(class_name) else class_name


def _class_problem(row: Row, class_name: str) -> Rejected | None:
    if odd_names.is_nothing(class_name):
        return Rejected(row, "class_nobody", class_name[:40])
    if len(class_name) > CLASS_LENGTH:
        return Rejected(row, "class_too_long", class_name[:40])
    if not class_name.isprintable() or "\ufffd" in class_name:
        return Rejected(row, "letters_wrong", "class")
    return None


def _number_problem(reader: Reader, row: Row, number: str) -> Rejected | None:
    if "pupil.number" in reader.mapping.columns.values() and (
        not number or odd_names.is_nothing(number)
    ):
        return Rejected(row, "id_missing", number[:40])
    if number.startswith("~") or len(number) > 64 or not number.isprintable():
        return Rejected(row, "number_wrong", number[:40])
    return None


def _guardian(reader: Reader, row: Row, pupil: str, which: int) -> Iterator[Record]:
    prefix = f"guardian.{which}"
    email = get_cell(reader, row, f"{prefix}.email")
    email = "" if odd_names.is_nothing(email) else email
    named = name_of(reader, row, prefix)
    if named is None and email:
        named = Rejected(row, "name_missing", prefix)
    if not isinstance(named, Named):
        if named:
            yield named
        return
    if email and not can_be_mailed(email):
        yield Rejected(row, "email_wrong", prefix)
        email = ""  # the person is taken over, the address is not
    number = cells.number(get_cell(reader, row, f"{prefix}.number"))
    number = "" if odd_names.is_nothing(number) else number
    if number.startswith("~") or len(number) > SOURCED_ID_LENGTH or not number.isprintable():
        yield Rejected(row, "number_wrong", number[:40])
        return
    whose = email_key(email) if email else None
    sourced_id = number or (
        reader.ids.of("guardian", named.key, whose)
        if whose is not None
        else reader.ids.of("guardian", named.key, pupil=pupil)
    )
    if reader.guardians.setdefault(sourced_id, named.key) != named.key:
        yield Rejected(row, "number_of_two_guardians", number[:80])
        return
    word = get_cell(reader, row, f"{prefix}.relationship")
    relationship = cells.relationship(word) if word else None
    if word and relationship is None:
        yield Noticed("unknown_relationship", word[:40])
    yield from reader.other_address(sourced_id, email, named)
    yield Guardian(
        sourced_id,
        row.line,
        named.given_name,
        named.family_name,
        email or None,
        relationship or None,
    )
    if (pupil, sourced_id) not in reader.links:
        reader.links.add((pupil, sourced_id))
        yield Link(pupil, sourced_id, relationship)


def _who(reader: Reader, row: Row, key: tuple[str, str]) -> tuple[str, ...]:
    """What stands for a pupil without a number: whatever the order of the rows, the same."""
    name, class_name = key
    who = (name, class_name if name in reader.namesakes.in_classes else "")
    if key in reader.namesakes.apart | reader.namesakes.doubtful:
        return (*who, *(each for each, _ in _guardians_of(reader, row)))
    return who
