"""Rows that were not taken over, as a file for the school's secretary: line, reason, cells.

Cells that a spreadsheet would take for a formula begin with an apostrophe in a CSV file, and are
text in a workbook, where each cell says what it is (security rule A6).
"""

import csv
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Any, Final

from flask_babel import force_locale, gettext
from sqlalchemy import select

from idp.database import db
from idp.roster.models import RosterRejection, RosterRun
from idp.roster.reasons import about, sentence
from idp.roster.spreadsheet_cells import quoted

_MOST_REASONS: Final = 20
_WIDTH: Final = 22
_TEXT: Final = "@"
"""The number format « text »: what is typed over a cell stays as it was typed, 0417 too."""


def write_csv(run_id: str, stream: IO[str], locale: str) -> int:
    """Write the run's rejected rows as CSV, ``;`` between cells; returns how many.

    Of a list: under its own header, to be corrected and imported again as changes.
    """
    out = csv.writer(stream, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    count = 0
    for of_file, cells in _rows(run_id, locale):
        out.writerow([quoted(cell) for cell in cells])
        count += of_file
    return count


def write_xlsx(run_id: str, stream: IO[bytes], locale: str) -> int:
    """Write them as a workbook; returns how many."""
    from openpyxl import Workbook  # 10 MB, and a picture library: loaded where one is written
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    with force_locale(locale):
        sheet = book.create_sheet(gettext("Rows to correct")[:31])
    sheet.freeze_panes = "A2"
    count = 0
    for place, (of_file, cells) in enumerate(_rows(run_id, locale)):
        row = [_cell(sheet, text) for text in cells]
        if place == 0:
            for column, each in enumerate(row, 1):
                sheet.column_dimensions[get_column_letter(column)].width = _WIDTH
                each.font = Font(bold=True)
        sheet.append(row)
        count += of_file
    book.save(stream)
    return count


def _cell(sheet: Any, text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell = WriteOnlyCell(sheet)
    cell.value = ILLEGAL_CHARACTERS_RE.sub("\ufffd", " ".join(text.split("\n")))
    # Set apart: from a value alone the library makes a formula of « =1+1 »
    cell.data_type = "s"
    cell.number_format = _TEXT
    return cell


def _rows(run_id: str, locale: str) -> Iterator[tuple[int, list[str]]]:
    """The header, then each row: for how many rejections it stands, and its cells."""
    run = db.session.get(RosterRun, run_id)
    header = list(run.reading.get("shown", ())) if run else []
    with force_locale(locale):
        columns = [gettext("Line"), gettext("Reason"), gettext("About")]
        file, row = gettext("File"), gettext("Row")
        lines = [(0, [*header, *columns, file] if header else [file, *columns, row])]
        lines += [(len(rows), _as_cells(rows, len(header))) for rows in _by_line(run_id)]
    yield from lines


def _by_line(run_id: str) -> Iterator[list[RosterRejection]]:
    """A row's rejections together: it is written once, with all that is wrong with it."""
    rows = db.session.scalars(
        select(RosterRejection)
        .where(RosterRejection.run_id == run_id)
        .order_by(RosterRejection.number)
    )
    for _line, group in groupby(rows, key=lambda each: (each.file, each.line)):
        yield list(group)


def _as_cells(rows: list[RosterRejection], width: int) -> list[str]:
    first = rows[0]
    why = " ".join(dict.fromkeys(sentence(each.code) for each in rows[:_MOST_REASONS]))
    whom = ", ".join(dict.fromkeys(about(each.about) for each in rows if each.about))
    explained = [str(first.line), why, whom]
    cells = [*first.cells, *[""] * (width - len(first.cells))]
    return [*cells[:width], *explained, first.file] if width else [first.file, *explained, *cells]
