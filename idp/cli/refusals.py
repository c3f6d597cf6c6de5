"""What the command line says of each code with which a service refuses something."""

from collections.abc import Collection
from typing import Any, Final

from idp.errors import Invalid, NotFound

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
    "no_colour": "is not written as {example}",
    "no_column": "« {name} » is none of {header}",
    "no_header_row": "is a line's number, such as 4, or 3-4 for a header of two lines",
    "no_languages": "are none, or not all of {allowed}",
    "no_letter": "is no letter, or the language none of ours",
    "no_longer_invited": "is not invited any more",
    "no_name": "is missing, and family_name too",
    "no_pattern": "has {{given}}, {{family}}, {{g}} or {{f}}, else a-z, 0-9, dot and dashes",
    "no_png": "is not a PNG picture of at most {most} bytes",
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


def sentence(refused: Invalid | NotFound) -> str:
    """What is not there, or the field and what is wrong with it."""
    if isinstance(refused, NotFound):
        return f"there is no {refused}"
    return f"{refused.field}: {_filled(INVALID[refused.code], refused.values)}"


def _filled(words: str, values: dict[str, Any]) -> str:
    shown = {
        name: ", ".join(map(str, value))
        if isinstance(value, Collection) and not isinstance(value, str)
        else value
        for name, value in values.items()
    }
    return words.format(**shown)
