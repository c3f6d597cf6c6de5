"""XLSX, row by row: the first sheet, values only; formulas are read as their last results.

openpyxl in read-only mode holds one row at a time. Its XML comes from a part that
``archives.check_workbook`` has read before: no entities, no bomb (security rule A6).
"""

import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from idp.roster.archives import Progress, check_workbook
from idp.roster.records import Hostile, Row, Unusable
from idp.roster.tables import LONGEST_CELL, MOST_COLUMNS

MOST_ROWS: Final = 200_000
MOST_EMPTY: Final = 1_000
"""Empty rows in a row after which the sheet is over, whatever it says of its size."""


def rows(path: Path, progress: Progress = lambda _: None) -> Iterator[Row]:
    """Each row of the first sheet under the header's words; raises ``Unusable``, ``Hostile``."""
    lines = _lines(path)
    header: list[str] | None = None
    for line, cells in lines:
        if header is None:
            header = _header(path.name, cells)
            continue
        if any(cells):
            named = zip(header, cells, strict=False)
            yield Row(path.name, line, {name: cell for name, cell in named if name})
    if header is None:
        raise Unusable(f"{path.name} is empty", "empty")
    progress(path.stat().st_size)


def header_of(path: Path) -> list[str]:
    """The words of the header: the first row that is not empty."""
    for _, cells in _lines(path):
        return _header(path.name, cells)
    raise Unusable(f"{path.name} is empty", "empty")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    check_workbook(path)
    try:
        book = load_workbook(path, read_only=True, data_only=True, keep_links=False)
        try:
            yield from _of_sheet(path.name, book.worksheets[0])
        finally:
            book.close()
    except Unusable:
        raise
    except (InvalidFileException, zipfile.BadZipFile, OSError) as error:
        raise Unusable(f"{path.name} is damaged", "damaged") from error
    except Exception as error:
        raise Unusable(f"{path.name} can't be read as a workbook", "damaged") from error


def _of_sheet(name: str, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    sheet.reset_dimensions()  # what a sheet claims of its size is not believed
    empty = 0
    found = sheet.iter_rows(max_col=MOST_COLUMNS + 1, values_only=True)
    for line, values in enumerate(found, 1):
        cells = [_text(value) for value in values]
        if len(cells) > MOST_COLUMNS and cells[MOST_COLUMNS]:
            raise Hostile(f"{name} has more than {MOST_COLUMNS} columns")
        if any(len(cell) > LONGEST_CELL for cell in cells):
            raise Hostile(f"{name} has an endless cell in line {line}")
        empty = 0 if any(cells) else empty + 1
        if empty > MOST_EMPTY:
            return
        if line > MOST_ROWS:
            raise Hostile(f"{name} has more than {MOST_ROWS} rows")
        if any(cells):
            yield line, cells


def _header(name: str, cells: list[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    named = [cell for cell in header if cell]
    if len(set(named)) < len(named):
        twice = next(cell for cell in named if named.count(cell) > 1)
        raise Unusable(
            f"{name} has two columns called « {twice[:40]} »", "column_twice", column=twice[:40]
        )
    return header


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
