"""XLSX, row by row: values only; formulas are read as their last results.

openpyxl in read-only mode holds one row at a time. Its XML comes from a part that
``archives.check_workbook`` has read before: no entities, no bomb (security rule A6). Where a part
goes by a name that is not looked into there, defusedxml, by which openpyxl parses, refuses them.

Sheets of one header are one list, such as one a class. A hidden sheet, and one with another
header, is left out unless somebody chooses it; ``sheets_of`` tells which.
"""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from idp.roster import headers
from idp.roster.archives import Progress, Workbook, check_workbook
from idp.roster.headers import Header
from idp.roster.layout import Layout
from idp.roster.records import Hostile, Row, Unusable
from idp.roster.tables import LONGEST_CELL, MOST_COLUMNS, Again

MOST_ROWS: Final = 200_000
_PADDED: Final = re.compile(r'"?(0{2,})"?(;.*)?')
MOST_EMPTY: Final = 1_000
"""Empty rows in a row after which the sheet is over, whatever it says of its size."""


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook; ``header`` None: it is empty, or no table."""

    name: str
    hidden: bool
    header: Header | None
    read: bool = False
    trouble: Unusable | None = None
    """Why it has no header."""

    @property
    def why_not(self) -> str:
        """Why it is left out: a code."""
        if self.read or self.header is None:
            return "" if self.read else "empty"
        return "hidden" if self.hidden else "other"


def sheets_of(book: Workbook, name: str, layout: Layout) -> list[Sheet]:
    """The sheets of a workbook, and which of them are the list; raises ``Unusable``."""
    with _opened(book, name) as opened:
        return _chosen(name, [_sheet(name, each, layout) for each in opened.worksheets], layout)


def names_of(book: Workbook, name: str) -> list[str]:
    """The names of all sheets."""
    with _opened(book, name) as opened:
        return [each.title for each in opened.worksheets]


def rows(
    book: Workbook,
    name: str,
    layout: Layout,
    progress: Progress = lambda _: None,
    again: Again = lambda _: None,
) -> Iterator[Row]:
    """Each row of the list under the header's words; raises ``Unusable``, ``Hostile``."""
    sheets = {each.name: each for each in sheets_of(book, name, layout) if each.read}
    with _opened(book, name) as opened:
        for tab in opened.worksheets:
            sheet = sheets.get(tab.title)
            if sheet and sheet.header:
                called = tab.title if len(sheets) > 1 else ""
                yield from _rows_of(name, tab, sheet.header, called, again)
    progress(_size(book))


def _rows_of(name: str, tab: Any, header: Header, called: str, again: Again) -> Iterator[Row]:
    for line, cells in _of_sheet(name, tab):
        if line <= header.last:
            continue
        if header.repeats(cells):
            again(called or name)
        else:
            named = zip(header.words, cells, strict=False)
            yield Row(name, line, {word: cell for word, cell in named if word}, called)


def _size(book: Workbook) -> int:
    return book.stat().st_size if isinstance(book, Path) else book.seek(0, 2)


def _chosen(name: str, sheets: list[Sheet], layout: Layout) -> list[Sheet]:
    tables = [each for each in sheets if each.header]
    if not tables:
        troubles = [each.trouble for each in sheets if each.trouble]
        worse = [each for each in troubles if each.code != "empty"]
        raise next(iter(worse + troubles), Unusable("empty", file=name))
    if layout.sheets:
        if missing := set(layout.sheets) - {each.name for each in tables}:
            raise Unusable("no_sheet", file=name, sheet=min(missing)[:60])
        return [replace(each, read=each.name in layout.sheets) for each in sheets]
    seen = [each for each in tables if not each.hidden] or tables
    # The table whose header is known best; of equals, the first
    first = max(seen, key=lambda each: (each.header.known if each.header else 0) > 1)
    words = _words(first)
    return [replace(each, read=each in seen and _words(each) == words) for each in sheets]


def _words(sheet: Sheet) -> set[str]:
    return set(filter(None, sheet.header.words)) if sheet.header else set()


def _sheet(name: str, tab: Any, layout: Layout) -> Sheet:
    hidden = tab.sheet_state != "visible"
    lines = list(islice(_of_sheet(name, tab), headers.LOOKED_AT))
    wanted = layout.header if not layout.sheets or tab.title in layout.sheets else None
    try:
        return Sheet(tab.title, hidden, headers.find_header(name, lines, wanted))
    except Unusable as error:
        if tab.title in layout.sheets:
            raise
        return Sheet(tab.title, hidden, None, trouble=error)


@contextmanager
def _opened(book: Workbook, name: str) -> Iterator[Any]:
    from openpyxl import DEFUSEDXML, load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    if not DEFUSEDXML:
        raise RuntimeError("openpyxl reads XML without defusedxml (OPENPYXL_DEFUSEDXML)")
    check_workbook(book, name)
    try:
        opened = load_workbook(book, read_only=True, data_only=True, keep_links=False)
        try:
            yield opened
        finally:
            opened.close()
    except Unusable:
        raise
    except (InvalidFileException, zipfile.BadZipFile, OSError) as error:
        raise Unusable("damaged", file=name) from error
    except Exception as error:
        raise Unusable("unread_workbook", file=name) from error


def _of_sheet(name: str, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # what a sheet claims of its size is not believed
    empty = 0
    for line, cells in enumerate(_texts(sheet), 1):
        if len(cells) > MOST_COLUMNS and cells[MOST_COLUMNS]:
            raise Hostile("too_many_columns", file=name, most=MOST_COLUMNS)
        if any(len(cell) > LONGEST_CELL for cell in cells):
            raise Hostile("endless_cell", file=name, line=line)
        empty = 0 if any(cells) else empty + 1
        if empty > MOST_EMPTY:
            return
        if line > MOST_ROWS:
            raise Hostile("too_many_rows", file=name, most=MOST_ROWS)
        if any(cells):
            yield line, cells


def _texts(sheet: Any) -> Iterator[list[str]]:
    """The rows as text; with their formats only where one of the workbook's fills up with zeros."""
    padded = any(_PADDED.fullmatch(each) for each in sheet.parent._number_formats)
    if not padded:
        for values in sheet.iter_rows(max_col=MOST_COLUMNS + 1, values_only=True):
            yield [_text(value) for value in values]
        return
    for cells in sheet.iter_rows(max_col=MOST_COLUMNS + 1):
        yield [_as_shown(cell.value, cell.number_format) for cell in cells]


def _as_shown(value: Any, number_format: str | None) -> str:
    """7 that is shown as 00007 is 00007: that is what the school reads, and prints."""
    text = _text(value)
    padding = _PADDED.fullmatch(number_format or "")
    is_number = isinstance(value, int | float) and text.isdigit()
    return text.zfill(len(padding[1])) if padding and is_number else text


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case datetime() | date():
            return value.strftime("%d/%m/%Y")
    return str(value).strip()
