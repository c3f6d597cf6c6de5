"""Roles in words, and why one can't be given or taken."""

from typing import Final

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from idp.desk.roles import LastOperator, NotYours, Yourself
from idp.errors import Invalid, NotFound
from idp.web.address_words import NO_ADDRESS

ROLES: Final = {
    "helper": _("Helper"),
    "manager": _("Manager"),
    "operator": _("Operator"),
}
"""A helper looks up and sends tokens; a manager runs a school's desk; an operator all of it."""


def refusal(error: Exception) -> tuple[str, str]:
    """The field that it is about, and a sentence."""
    match error:
        case NotFound():
            # The same words for nobody, and for somebody of other schools (rule C3)
            return "who", gettext(
                "Nobody at your schools has this user name or address alone."
                " Is it somebody new? Use the form below."
            )
        case Yourself():
            return "who", gettext("You can't change your own roles. A colleague does it.")
        case LastOperator():
            return "role", gettext("This is the last operator. Name another one first.")
        case NotYours():
            return "role", gettext("You may not give this role, or this right.")
        case Invalid(field="email"):
            return "email", str(NO_ADDRESS)
        case Invalid(field="given_name" | "family_name" as field):
            return field, gettext("This name can't be stored as it is typed.")
    return "role", gettext("This role can't be given so. Please look at the school.")
