"""Says why a file, or a run, is refused: whole sentences in the languages of schools."""

from typing import Any, Final

from flask_babel import lazy_gettext as _

from idp.roster.records import Hostile, Unusable

SENTENCES: Final = {
    "no_users": _("The file users.csv is missing. An export of OneRoster has one."),
    "other_version": _("This is OneRoster %(version)s. We read the versions 1.1 and 1.2."),
    "same_rows": _("Two of the schools would be read from the same rows of the file."),
    "other_school": _("The file does not know this school. Is it another school's file?"),
    "which_school": _(
        "The file holds several schools, and none is called %(school)s. It has: %(found)s."
    ),
    "damaged": _("The file is damaged, or is not what its name says. Export it once more."),
    "encrypted": _("The zip holds links or encrypted files. Export it without a password."),
    "twice": _("The zip holds the file %(name)s twice."),
    "quote": _("Something is wrong in line %(line)s of the file: a quotation mark is missing."),
    "empty": _("The file is empty."),
    "column_twice": _("Two columns of the file are called %(column)s. Rename one of them."),
    "no_roster": _("This is neither a OneRoster zip nor a list as CSV or XLSX."),
    "several_lists": _(
        "The zip holds several lists: %(found)s. Choose one of them, or put them into one workbook."
    ),
    "no_header": _("Line %(line)s of the file is empty: it can't be the header."),
    "no_sheet": _("The workbook has no sheet called %(sheet)s that holds a table."),
    "column_missing": _("The column %(column)s is missing in the file."),
    "one_school": _("A list is for one school. Several schools at once need a OneRoster zip."),
    "too_much": _(
        "The file is far larger inside than any school's list. Please export it once more."
    ),
    "unreadable": _("The file can't be read. Please export it once more."),
    "older": _(
        "Another file was imported at this school since. Read this one again if it is right,"
        " or undo the other import first."
    ),
    "too_late": _("What was read is more than a day old. Please choose the file again."),
    "gone": _("The file is not there any more. Please choose it again."),
    "gave_up": _("It was tried several times and did not work. Please tell the platform."),
    "changed": _("Something has changed meanwhile. Please look at the import again."),
}


def sentence(trouble: dict[str, Any]) -> str:
    """The sentence of a trouble as a job keeps it."""
    code = trouble.get("code", "")
    words = str(SENTENCES.get(code, SENTENCES["unreadable"]))
    about = {name: value or "–" for name, value in (trouble.get("about") or {}).items()}
    return words % about if about else words


_LIKE: Final = {
    **dict.fromkeys(("no_workbook", "no_zip", "unread_workbook"), "damaged"),
    **dict.fromkeys(("endless_quote", "quote_in_header"), "quote"),
}
"""Codes of which a school's office hears what it hears of another one."""


def of_file(error: Unusable) -> dict[str, Any]:
    """What a job keeps of a file that can't be taken over."""
    code = _LIKE.get(error.code, error.code)
    if code not in SENTENCES:
        code = "too_much" if isinstance(error, Hostile) else "unreadable"
    return {"code": code, "about": error.values}
