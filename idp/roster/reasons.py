"""Says why rows were not taken over: whole sentences in the reader's language."""

import re
from typing import Final

from flask_babel import gettext
from flask_babel import lazy_gettext as _

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
    "no_answer": _(
        "Where a name should be stands an answer such as “NC”, “idem” or “deceased”. Leave the"
        " cells empty where there is nobody."
    ),
    "role_for_name": _(
        "Who somebody is stands where a name should be, such as “parent 1”. Write the name, or"
        " leave the cells empty."
    ),
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


def sentence(code: str) -> str:
    """Why a row was not taken over, in the language of the page, or of ``force_locale``."""
    return str(SENTENCES[code])


def about(text: str) -> str:
    """What a reason is about, in words: « guardian.1 » is the first guardian."""
    if match := re.fullmatch(r"guardian\.(\d)", text):
        return str(gettext("Guardian %(number)d", number=int(match[1])))
    return str(_ABOUT.get(text.lower(), text))
