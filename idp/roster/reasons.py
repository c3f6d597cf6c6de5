"""Rows that were not taken over, as a file for the school's secretary: line, reason, cells.

The reason is a whole sentence in the reader's language. Cells that a spreadsheet would take for
a formula begin with an apostrophe (security rule A6).
"""

import csv
import re
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Final

from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select

from idp.database import db
from idp.roster.models import RosterRejection, RosterRun
from idp.spreadsheet_cells import quoted

SENTENCES: Final = {
    "id_missing": _("The person's number is missing or can't be one."),
    "id_twice": _("This number is in the file twice; the first row counts."),
    "name_missing": _("A given name or a family name is missing."),
    "name_wrong": _("A name is too long or holds characters that no name has."),
    "letters_wrong": _(
        "A name holds letters that no name has. Was the file read in another encoding than it was"
        " saved in?"
    ),
    "nobody": _("What stands where a name should be is nobody's name, such as #N/A, 0 or Total."),
    "class_nobody": _("What stands where the class should be is none, such as #N/A or 0."),
    "name_in_one": _(
        "Given name and family name are in one cell, and it is not certain which is which."
        " Write the family name in capitals, or use two columns."
    ),
    "email_wrong": _("The e-mail address is not one. The guardian was taken over without it."),
    "date_wrong": _("The date is not written as 31/08/2026. It was left out."),
    "class_too_long": _("The class has more than 40 characters. It was left out."),
    "number_wrong": _("The number is too long or holds characters that no number has."),
    "number_of_two_pupils": _("This number is already that of another pupil in the file."),
    "number_of_two_guardians": _("This number is already that of another guardian in the file."),
    "too_many_guardians": _("The row names more guardians than a pupil can have."),
}

_ABOUT: Final = {
    "pupil": _("Pupil"),
    "class": _("Class"),
    "givenname": _("Given name"),
    "familyname": _("Family name"),
}
_MOST_REASONS: Final = 20


def sentence(code: str) -> str:
    """Why a row was not taken over, in the language of the page, or of ``force_locale``."""
    return str(SENTENCES[code])


def about(text: str) -> str:
    """What a reason is about, in words: « guardian.1 » is the first guardian."""
    if found := re.fullmatch(r"guardian\.(\d)", text):
        return str(gettext("Guardian %(number)d", number=int(found[1])))
    return str(_ABOUT.get(text.lower(), text))


def write(run_id: str, stream: IO[str], locale: str) -> int:
    """Write the run's rejected rows as CSV, ``;`` between cells; returns how many.

    Of a list: under its own header, to be corrected and imported again as changes.
    """
    run = db.session.get(RosterRun, run_id)
    header = list(run.reading.get("shown", ())) if run else []
    out = csv.writer(stream, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    with force_locale(locale):
        told = [gettext("Line"), gettext("Reason"), gettext("About")]
        whole = (
            (*header, *told, gettext("File"))
            if header
            else (gettext("File"), *told, gettext("Row"))
        )
        out.writerow([quoted(cell) for cell in whole])
        count = 0
        for rows in _by_line(run_id):
            count += len(rows)
            out.writerow(_as_cells(rows, len(header)))
    return count


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
    told = [str(first.line), why, whom]
    cells = [*first.cells, *[""] * (width - len(first.cells))]
    whole = [*cells[:width], *told, first.file] if width else [first.file, *told, *cells]
    return [quoted(cell) for cell in whole]
