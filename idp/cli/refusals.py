"""What the command line says of each code with which a service refuses something."""

from typing import Final

from idp.errors import Conflict, Invalid, NotFound, Throttled
from idp.oidc.registration_errors import REGISTRATIONS, filled, registration_sentence

INVALID: Final = {
    "already_guardian": "is guardian of this pupil already",
    "another_childs": "is another child's at this school",
    "control_character": "contains a control character",
    "disabled": "is disabled",
    "empty": "is an empty file",
    "has_left": "has left the school",
    "incomplete": "{problems}",
    "letter_instead": "is missing; print a letter instead",
    "missing": "is missing",
    "named_twice": "is named twice",
    "needed_by_managers": "is missing: a manager manages one school",
    "no_address": "is not an e-mail address that mail can reach",
    "no_answer": "is same or another",
    "no_days": "are not a whole number from 0 to {most}",
    "no_days_between": "are not a whole number from {least} to {most}",
    "no_colour": "is not written as {example}",
    "no_column": "« {name} » is none of {header}",
    "no_header_row": "is a line's number, such as 4, or 3-4 for a header of two lines",
    "no_json": "is no JSON object",
    "no_languages": "are none, or not all of {allowed}",
    "no_letter": "is no letter, or the language none of ours",
    "no_longer_invited": "is not invited any more",
    "no_name": "is missing, and family_name too",
    "no_pattern": "has {{given}}, {{family}}, {{g}} or {{f}}, else a-z, 0-9, dot and dashes",
    "no_png": "is not a PNG picture of at most {most} bytes",
    "no_report": "is not what « idp certify --json » wrote",
    "no_provider": "holds something that is no provider's key",
    "no_school": "{id} is unknown",
    "no_such_field": "is nothing that a school has",
    "no_target": "is pupil.<{of_pupil}> or guardian.<1-{most}>.<{of_guardian}>, or -",
    "no_user_name": "has {least} to {most} letters or digits, no spaces and no @",
    "nobodys_here": "is nobody's at this school",
    "none_of": "is none of {allowed}",
    "not_active": "is not active",
    "not_for_operators": "must be left out: an operator's role is for all schools",
    "not_invited": "is {status}, not invited",
    "not_waiting": "is {status}: read the file again",
    "nothing_to_undo": "has nothing to undo",
    "older": (
        "is older than what was imported at {school} since ({newer}):"
        " read the file again, or undo that import first"
    ),
    "one_of": "is one of {allowed}",
    "same": "is the same",
    "taken": "is taken",
    "too_large": "has more than {most} MiB",
    "too_long": "has more than {most} characters",
    "too_many_lines": "has more than {most} lines",
    "too_many_pixels": "has more than {most} million pixels",
    "too_many_sheets": "more than {most} sheets can't be read at once",
    "too_old": "is more than a day old: read the file again",
    "unknown": "is unknown",
    "unknown_or_disabled": "is unknown or disabled",
    "unreadable": "is not a PNG, JPEG, WebP or GIF picture, or is damaged",
    "vector": "is an SVG drawing, which may hold programs: save it as PNG",
    "wrong_encoding": "holds a character that its encoding does not have",
}
"""Each code of ``Invalid``, and what is wrong with the field."""

FILES: Final = {
    "column_missing": "the column « {column} » is missing: map the columns anew",
    "column_twice": "{file} has two columns called « {column} »",
    "damaged": "{file} is damaged",
    "empty": "{file} is empty",
    "encrypted": "the zip holds links or encrypted files",
    "endless": "{file} is larger than any roster",
    "endless_cell": "{file} has an endless cell in line {line}",
    "endless_line": "{file} has a line without end",
    "endless_quote": "{file} has an endless cell in line {line}: is a quote missing?",
    "folder_of_many": "the folder holds more than {most} files",
    "folder_too_large": "the folder holds a file larger than any roster",
    "forged_workbook": "the workbook is not what its directory says",
    "incomplete": "{problems}",
    "link": "{file} is a link; name the file itself",
    "link_in_folder": "the folder holds a link, {name}",
    "no_file": "there is no file {file}",
    "no_header": "line {line} of {file} is empty",
    "no_roster": "this is neither OneRoster nor one CSV or XLSX file",
    "no_sheet": "{file} has no sheet « {sheet} »",
    "no_users": "users.csv is missing",
    "no_workbook": "{file} is not a workbook (XLSX)",
    "no_zip": "{file} is damaged, or no zip that we can read",
    "one_school": "a list is one school's; several schools need OneRoster",
    "other_school": "the file knows no school {org}: is it another school's?",
    "other_version": "this is OneRoster {version}; we read 1.1 and 1.2",
    "path_out_of_zip": "the zip holds a path that leads out of it",
    "quote": "{file} can't be read after line {line}: is a quote missing?",
    "quote_in_header": "the header can't be read",
    "same_rows": "two schools would be read from the same rows",
    "several_lists": "there are several lists here, and none is OneRoster: {found}",
    "too_large": "the file is too large",
    "too_many_cells": "{file} has too many rows or columns (line {line})",
    "too_many_columns": "{file} has more than {most} columns",
    "too_many_rows": "{file} has more than {most} rows",
    "twice": "the zip holds {name} twice",
    "unread_workbook": "{file} can't be read as a workbook",
    "which_school": "which school of the file is « {school} »? It has: {found}",
    "xml_entities": "the workbook declares XML entities",
    "zip_bomb": "the zip unpacks to many times its size, as zip bombs do",
    "zip_of_many": "the zip holds more than {most} files",
    "zip_too_large": "the zip unpacks to more than any roster",
}
"""The codes of ``Unusable``: whole sentences about a file."""


CONFLICTS: Final = {
    "changed_meanwhile": "somebody else changed it meanwhile: look at it, then try again",
    "guardianship_over": "the guardianship has ended meanwhile",
    "invitation_waits": "an invitation to this guardian waits already",
    "last_factor": "staff need a second step: set up another one first",
    "last_operator": "this is the last operator who can sign in: name another one first",
    "last_way_in": "this is the only way to sign in to the account",
    "later_import": "a later import changed this school: undo {later} first",
    "no_room": "there is no room for files",
    "nobody_left": "nobody waits for a letter",
    "not_invited": "the account is {status}, not invited",
    "not_now": "something has changed meanwhile: look at the import again",
    "nothing_stands": "nothing of it stands",
    "nothing_to_reset": "no second step is set up",
    "operator_only": "only an operator can change this account",
    "outdated": "{client} was changed by somebody else meanwhile: look at it, then try again",
    "printed_meanwhile": "the letters were printed meanwhile",
    "reset_not_theirs": "this needs somebody else",
    "role_not_theirs": "this role may not be given or taken so",
    "role_too_new": "the role is too new for this",
    "second_step_too_new": "the second step is too new for this",
    "terminal_only": "an operator's account is changed here alone",
    "too_many_imports": "some files wait already: finish those imports first",
    "too_many_passkeys": "the account has as many passkeys as it may",
    "too_many_resets": "too many were asked for today",
    "too_many_tests": "too many tests were sent in the last hour",
    "undo_too_late": "more than {days} days have passed",
    "yourself": "nobody does this to themselves",
}
"""Each code of ``Conflict``; most of them only pages can meet."""


def sentence(refused: Invalid | NotFound | Conflict | Throttled) -> str:
    """What is not there, what stands against it, or the field and what is wrong with it."""
    match refused:
        case NotFound():
            return f"there is no {refused}"
        case Conflict(code=code, values=values):
            return filled(CONFLICTS[code], values)
        case Throttled():
            return str(refused)
        case Invalid():
            return _of_field(refused)


def _of_field(refused: Invalid) -> str:
    if refused.field == "file":
        return filled(FILES[refused.code], refused.values)
    if refused.code in REGISTRATIONS:
        return registration_sentence(refused)
    return f"{refused.field}: {filled(INVALID[refused.code], refused.values)}"
