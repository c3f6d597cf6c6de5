"""What the desk calls a school's letters, and why it can't take something for a school."""

from typing import Final

from flask_babel import lazy_gettext as _

from idp.web.address_words import NO_ADDRESS

LETTERS: Final = {
    "invitation": _("Invitation to the first sign-in"),
    "fresh_token": _("A new connection token"),
    "password_reset": _("To choose a new password"),
}
"""The letters that take a school's own words."""

REFUSALS: Final = {
    "colour": _("Write the colour as # and six digits, such as #1d4f91."),
    "contact_email": NO_ADDRESS,
}
"""Why a field is refused, by its name."""

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
