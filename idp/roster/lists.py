"""Reads a list from a CSV or XLSX file: which file, which sheets, its header, its rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from idp.roster import archives, guessing, oneroster, tables, workbooks
from idp.roster.archives import Progress, Source
from idp.roster.guessing import Completed
from idp.roster.layout import Layout
from idp.roster.mapping import Mapping, from_json
from idp.roster.records import Row, Unusable
from idp.roster.tables import Again
from idp.roster.workbooks import Sheet

WORKBOOKS: Final = (".xlsx", ".xlsm")
_SUFFIXES: Final = (".csv", ".txt", ".tsv", *WORKBOOKS)
_GUESSED_BY: Final = 40
"""Rows by whose cells columns are guessed."""
_SEARCHED: Final = 3_000
"""Rows among which names with accents are looked for, to show that they are read rightly."""
_MOST_NAMES: Final = 6


@dataclass(frozen=True)
class ListHeader:
    """What a list looks like before anybody says what its columns are."""

    header: list[str]
    lines: tuple[int, int]
    """First and last line of the header."""
    encoding: str = ""
    """Python's name of it; empty: a workbook, which has none."""
    sheets: list[Sheet] = field(default_factory=list)

    @property
    def several(self) -> bool:
        """Whether several sheets are read as one list."""
        return sum(each.read for each in self.sheets) > 1

    def facts(self) -> dict[str, Any]:
        """What a run keeps of it: no names of people."""
        return {
            "encoding": self.encoding,
            "header": list(self.lines),
            "sheets": [
                {"name": each.name[:60], "read": each.read, "why": each.why_not}
                for each in self.sheets
            ],
        }


@dataclass(frozen=True)
class ListPreview:
    """What somebody who names the columns is shown."""

    list_header: ListHeader
    guess: Completed
    rows: list[dict[str, str]]
    names: list[str]
    """Some with accents, as they were read."""
    counted: list[str]
    """Columns that are not read because they count the rows."""


def is_list(source: Source) -> bool:
    """Whether a source is a list and no OneRoster; raises ``Unusable`` where it is neither."""
    if oneroster.is_oneroster(source):
        return False
    file_of(source)
    return True


def file_of(source: Source) -> str:
    """The one file of a source that is a list; raises ``Unusable``."""
    names = [name for name in source.names if name.endswith(_SUFFIXES)]
    if len(names) > 1:
        listed = ", ".join(sorted(names))
        raise Unusable("several_lists", found=listed[:200])
    if not names:
        raise Unusable("no_roster")
    return names[0]


def read_header(source: Source, layout: Layout) -> ListHeader:
    """The list's header and how it is found; raises ``Unusable``, ``Hostile``."""
    name = file_of(source)
    if not name.endswith(WORKBOOKS):
        header = tables.header_of(source, name, layout)
        encoding = tables.encoding_of(source, name, layout)
        return ListHeader(header.words, (header.first, header.last), encoding)
    sheets = workbooks.sheets_of(source.seekable(name), name, layout)
    read = [each.header for each in sheets if each.read and each.header]
    words = dict.fromkeys(word for header in read for word in header.words)
    return ListHeader(list(words), (read[0].first, read[0].last), sheets=sheets)


def rows_of(
    source: Source,
    layout: Layout,
    progress: Progress = lambda _: None,
    again: Again = lambda _: None,
) -> Iterator[Row]:
    """The list's rows, whatever its format; ``again``: is told of the header once more."""
    name = file_of(source)
    if name.endswith(WORKBOOKS):
        return workbooks.rows(source.seekable(name), name, layout, progress, again)
    return tables.rows(source, name, progress, layout=layout, again=again)


def preview(path: Path, kept: dict[str, Any] | None, layout: Layout, most: int) -> ListPreview:
    """A list's columns and what they are, by what is kept for the school and by their words.

    ``most``: so many rows, without what is none of ours (rule C5).
    """
    with archives.opened(path) as source:
        header = read_header(source, layout)
        first = [row.cells for row in islice(rows_of(source, layout), _SEARCHED)]
    guess = guess_of(header, kept, first)
    rows = [
        {name: cell[:80] for name, cell in row.items() if not guessing.is_private(name)}
        for row in first[:most]
    ]
    columns = guess.mapping.columns
    counted = [
        name
        for name in filter(None, header.header)
        if name not in columns and guessing.is_counter(name, first[:_GUESSED_BY])
    ]
    return ListPreview(header, guess, rows, accented(first, guess.mapping), counted)


def bare(path: Path, layout: Layout) -> dict[str, Any]:
    """What can be said of a list whose header can't be read: its sheets, or its encoding."""
    with archives.opened(path) as source:
        name = file_of(source)
        if name.endswith(WORKBOOKS):
            sheets = workbooks.names_of(source.seekable(name), name)
            described = [
                {"name": each, "read": each in layout.sheets, "why": ""} for each in sheets
            ]
            return {"encoding": "", "header": None, "sheets": described}
        encoding = tables.encoding_of(source, name, layout)
    return {"encoding": encoding, "header": None, "sheets": []}


def guess_of(
    list_header: ListHeader, kept: dict[str, Any] | None, rows: list[dict[str, str]]
) -> Completed:
    """What the columns are: as kept, as far as that fits, and guessed beyond it."""
    if kept is None:
        return Completed(guessing.guess(list_header.header, rows[:_GUESSED_BY]))
    return guessing.completed(from_json(kept), list_header.header, rows[:_GUESSED_BY])


def first_rows(source: Source, layout: Layout) -> list[dict[str, str]]:
    """The rows by whose cells columns are guessed."""
    return [row.cells for row in islice(rows_of(source, layout), _GUESSED_BY)]


def accented(rows: Iterable[dict[str, str]], mapping: Mapping) -> list[str]:
    """A few names that hold more than ASCII: whether they are read rightly, a person sees."""
    columns = [
        name
        for name, target in mapping.columns.items()
        if target.rpartition(".")[2] in {"given", "family", "name"}
    ]
    names: dict[str, None] = {}
    for row in rows:
        for name in columns:
            cell = " ".join(row.get(name, "").split())
            if not cell.isascii():
                names[cell[:60]] = None
        if len(names) >= _MOST_NAMES:
            break
    return list(names)[:_MOST_NAMES]
