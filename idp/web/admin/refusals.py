"""Why the desk can't do something: one table, by code, in the words of a school's office."""

from typing import Final

from flask_babel import lazy_gettext as _

from idp.errors import Conflict, Invalid
from idp.web.forms import NO_ADDRESS, NO_NAME


def refusal(refused: Invalid) -> str:
    """Why something about people could not be done, for whoever asked."""
    words = BY_CODE.get((refused.field, refused.code)) or _FIELDS.get(refused.field)
    return str(words or _("This can't be done as it was typed. Check it, then try again."))


def of_school(refused: Invalid) -> str:
    """Why a school can't be kept as it was typed."""
    words = BAD_LOGOS.get(refused.code) if refused.field == "logo" else None
    return str(words or _SCHOOL_FIELDS.get(refused.field, OTHERWISE))


def of_role(refused: Invalid) -> str:
    """Why a role can't be given so."""
    return str(_STAFF_FIELDS.get(refused.field, _NO_SUCH_ROLE))


def conflict(refused: Conflict) -> str:
    """What stands against it."""
    return str(CONFLICTS[refused.code])


BY_CODE: Final = {
    ("email", "letter_instead"): _(
        "There is no e-mail address to send a token to. Add one first, or print a letter."
    ),
    ("given_name", "no_name"): NO_NAME,
    ("account", "same"): _("These are one and the same account. Choose another one."),
    ("username", "taken"): _("Somebody else has this user name. Choose another one."),
    ("username", "nobodys_here"): _("Nobody with this user name is known at your school."),
    ("username", "already_guardian"): _("This person is a guardian of the pupil already."),
    ("child", "has_left"): _("This pupil has left the school."),
    ("sourced_id", "another_childs"): _("Another pupil of the school has this number."),
}
_FIELDS: Final = {
    "email": NO_ADDRESS,
    "account": _("This account is disabled."),
    "username": _("A user name has 3 to 64 letters or digits, no spaces and no @."),
    "given_name": _("Type the first name, with letters only."),
    "family_name": _("Type the family name, with letters only."),
    "class_name": _("Type the class as it is called at school: at most 40 characters."),
    "relationship": _("Choose what the person is to the pupil."),
    "reason": _("Choose a reason."),
    "text": _("Write at most 200 characters."),
    "locale": _("Choose a language."),
    "sourced_id": _("Type the number as it is in the school's list."),
}
NO_COLOUR: Final = _("Write the colour as # and six digits, such as #1d4f91.")
_SCHOOL_FIELDS: Final = {
    "colour": NO_COLOUR,
    "contact_email": NO_ADDRESS,
    "keep_leavers_days": _("Type a number of days, from 30 to 1095, or leave it empty."),
    "stay_signed_in_days": _("Type a number of days, from 0 to 365, or leave it empty."),
}
OTHERWISE: Final = _("This holds characters that can't be typed. Please type it again.")
"""Why any other is: what is too long, or missing, was told before."""

BAD_LOGOS: Final = {
    "empty": _("Choose a picture first."),
    "too_large": _("This file has more than 5 MB. Save the picture smaller, then send it again."),
    "vector": _(
        "This is an SVG drawing, which may hold programs, so we do not take it."
        " Save it as PNG, then send that."
    ),
    "too_many_pixels": _(
        "This picture is far larger than a logo. Save it smaller, then send it again."
    ),
    "unreadable": _(
        "We can't read this as a picture. PNG, JPEG, WebP and GIF work; a file that is"
        " damaged, or that was only renamed, does not."
    ),
}
"""Why a file is no logo, by its code."""

_STAFF_FIELDS: Final = {
    "email": NO_ADDRESS,
    "given_name": _("This name can't be stored as it is typed."),
    "family_name": _("This name can't be stored as it is typed."),
}
_NO_SUCH_ROLE: Final = _("This role can't be given so. Please look at the school.")
NOBODY: Final = _(
    "Nobody at your schools has this user name or address alone."
    " Is it somebody new? Use the form below."
)
"""The same words for nobody, and for somebody of other schools (rule C3)."""

CONFLICTS: Final = {
    "changed_meanwhile": _(
        "Somebody else changed this while you had it open. What you typed is below:"
        " compare it with what is stored now, then save again."
    ),
    "guardianship_over": _("Nothing was saved: this guardianship has ended meanwhile."),
    "invitation_waits": _("An invitation to this parent waits already."),
    "last_operator": _("This is the last operator who can sign in. Name another one first."),
    "no_room": _(
        "There is no room for files at the moment. Please tell the platform; nothing of"
        " yours is lost."
    ),
    "nobody_left": _("Nobody is left to print for. Look at what you chose below."),
    "not_now": _("Something has changed meanwhile. Please look at the import again."),
    "nothing_to_reset": _("There is nothing to reset: no second step is set up."),
    "operator_only": _("Only whoever runs the platform can change this account."),
    "printed_meanwhile": _(
        "Nothing was printed now: the letters were printed after this page was shown, by you or"
        " by somebody else. If you have that file, use it. Printing again makes the letters in"
        " it worthless."
    ),
    "reset_not_theirs": _("This needs somebody else: see below who may do it."),
    "role_not_theirs": _("You may not give this role, or this right."),
    "role_too_new": _(
        "Your role is not 72 hours old yet: until then somebody else requests or confirms this."
    ),
    "second_step_too_new": _(
        "Your own second step was set up less than 72 hours ago: until then somebody else requests"
        " or confirms this."
    ),
    "terminal_only": _("An operator's account is changed at the command line alone."),
    "too_many_imports": _("Some of your files wait already. Please finish those imports first."),
    "too_many_resets": _(
        "You asked for many today. Wait until tomorrow, or ask whoever runs the platform."
    ),
    "too_many_tests": _("You had enough tests sent for now. Wait an hour, then try again."),
    "yourself": _("You can't do this to yourself. Somebody else does it."),
}
"""What stands against an act of the desk. Of applications their forms tell: each in another way."""
