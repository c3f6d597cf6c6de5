"""The form of an application: its parts, and the fields of each with their words.

A field has the name of the metadata that it is about (docs/clients.md), but for those of
``FORM_NAMES``. New metadata need one line in a part; ``NOT_IN_THE_FORM`` says why some have none.
"""

from typing import Final

from flask_babel import lazy_gettext as _

from idp.web.admin import client_choices
from idp.web.admin import client_fields_keys as keys
from idp.web.admin import client_fields_use as use
from idp.web.admin.client_controls import Control, Field, Group, switch

FORM_NAMES: Final = {
    "application_type": "kind",
    "token_endpoint_auth_method": "method",
    "default_acr_values": "acr",
}
"""Metadata → the field of the form, where it has another name: these are chosen in other words."""
NOT_IN_THE_FORM: Final = {
    "backchannel_logout_session_required": "every logout token has a sid",
    "frontchannel_logout_session_required": "the address always gets iss and sid",
}
"""Metadata that have no field, and why."""

_WHO: Final = Group(
    "",
    (
        Field(
            "client_name",
            Control.LINE,
            _("Name of the application"),
            _("What parents see when they sign in."),
        ),
        Field(
            "schools",
            Control.SCHOOLS,
            _("Schools"),
            _("It sees the pupils of these schools and of no other."),
            is_long=True,
        ),
        Field(
            "redirect_uris",
            Control.LINES,
            _("Redirect URIs"),
            _(
                "Where a sign-in is sent back to, one address on each line. The application's"
                " manual names it; it has to be the same to the letter."
            ),
        ),
        Field(
            "post_logout_redirect_uris",
            Control.LINES,
            _("Addresses after signing out"),
            _("Where a sign-out may lead, one address on each line."),
        ),
    ),
    hint=_("That is enough for most applications. Everything below has a sensible value already."),
)
_WHAT_IT_IS: Final = Group(
    _("What it is"),
    (
        Field("kind", Control.ONE, _("Where does it run?"), choices=client_choices.kinds),
        Field(
            "method",
            Control.ONE,
            _("How does it prove itself, on a web server?"),
            _("The right one and no other is accepted. The settings to paste say which."),
            client_choices.methods,
        ),
        switch(
            "first_party",
            _("It is the schools' own"),
            _(
                "Guardians are not asked whether it may see their data. Never tick this for a"
                " company's application."
            ),
        ),
    ),
)
_WHAT_IT_SEES: Final = Group(
    _("What it may see"),
    (
        Field(
            "scope",
            Control.SEVERAL,
            _("What may it ask for?"),
            _("It always recognises a guardian who comes back."),
            client_choices.scopes,
        ),
        Field(
            "child_fields",
            Control.SEVERAL,
            _("What may it know of the child?"),
            _(
                "Tick only what it needs. It always gets a number that means nothing to other"
                " applications."
            ),
            client_choices.child_fields,
            is_long=True,
        ),
        Field(
            "child_claim_profile",
            Control.ONE,
            _("In which form?"),
            choices=client_choices.profiles,
        ),
        Field(
            "email_claim",
            Control.ONE,
            _("Which e-mail address does it get?"),
            _("If it may ask for one at all."),
            client_choices.addresses,
        ),
    ),
)
GROUPS: Final = (
    *(_WHO, _WHAT_IT_IS, _WHAT_IT_SEES),
    *(use.PAGES, use.SIGNING_IN, use.SIGNING_OUT, use.IDENTITY),
    *(keys.KEYS, keys.ANSWERS, keys.REQUESTS, keys.STRICTNESS),
)
"""In the order of the form: what nearly every application needs, then what is folded away."""
FIELDS: Final = {field.name: field for group in GROUPS for field in group.fields}
"""Every field by its name in the form."""


def names_with(*controls: Control) -> tuple[str, ...]:
    """The fields that are filled in so."""
    return tuple(field.name for field in FIELDS.values() if field.control in controls)
