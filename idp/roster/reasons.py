"""Rows that were not taken over, as a file for the school's secretary: line, reason, cells.

The reason is a whole sentence in the reader's language. Cells that a spreadsheet would take for
a formula begin with an apostrophe (security rule A6).
"""

import csv
from typing import IO, Final

from flask_babel import force_locale, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select

from idp.database import db
from idp.roster.models import RosterRejection

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

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def write(run_id: str, stream: IO[str], locale: str) -> int:
    """Write the run's rejected rows as CSV, ``;`` between cells; returns how many."""
    out = csv.writer(stream, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    count = 0
    with force_locale(locale):
        out.writerow(
            [gettext("File"), gettext("Line"), gettext("Reason"), gettext("About"), gettext("Row")]
        )
        rows = db.session.scalars(
            select(RosterRejection)
            .where(RosterRejection.run_id == run_id)
            .order_by(RosterRejection.number)
        )
        for row in rows:
            count += 1
            cells = [quoted(cell) for cell in (row.about, *row.cells)]
            out.writerow([quoted(row.file), row.line, str(SENTENCES[row.code]), *cells])
    return count


def quoted(cell: str) -> str:
    """The cell as text, whatever it begins with."""
    flat = " ".join(cell.split()) if "\n" in cell or "\r" in cell else cell
    return f"'{flat}" if cell.startswith(_FORMULA) or flat.lstrip().startswith(_FORMULA) else flat
