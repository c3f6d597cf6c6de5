"""What a guardian is to a child, in words: OneRoster's vocabulary as parents read it."""

from typing import Final

from flask_babel import lazy_gettext as _

RELATIONS: Final = {
    "parent": _("You are a parent of"),
    "guardian": _("You are a guardian of"),
    "relative": _("You are a relative of"),
    "aunt": _("You are an aunt of"),
    "uncle": _("You are an uncle of"),
    "father": _("You are the father of"),
    "mother": _("You are the mother of"),
    "other": _("You are a contact person for"),
}
