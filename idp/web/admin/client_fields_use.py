"""Folded parts of an application's form: its pages, sign-ins and sign-outs, how it knows people."""

from typing import Final

from flask_babel import lazy_gettext as _

from idp.web.admin import client_choices
from idp.web.admin.client_controls import Control, Field, Group, address, switch

PAGES: Final = Group(
    _("Its pages, logo and contacts"),
    (
        address(
            "initiate_login_uri",
            _("Start page"),
            _("Where a parent starts it. Offered on the parents' own page."),
        ),
        address(
            "client_uri",
            _("Home page"),
            _("Shown where guardians are asked for their consent."),
        ),
        address(
            "logo_uri",
            _("Address of its logo"),
            _(
                "A PNG or JPEG of at most 64 KiB. We fetch it when you save, and show our own copy"
                " where guardians are asked for their consent."
            ),
        ),
        address(
            "policy_uri",
            _("Its privacy policy"),
            _("Linked where guardians are asked for their consent."),
        ),
        address(
            "tos_uri",
            _("Its terms of use"),
            _("Linked where guardians are asked for their consent."),
        ),
        Field(
            "contacts",
            Control.LINES,
            _("Contacts"),
            _(
                "Whom to write to about this application, one e-mail address on each line. Only"
                " operators see them."
            ),
        ),
    ),
    key="pages",
)
SIGNING_IN: Final = Group(
    _("How guardians sign in to it"),
    (
        Field(
            "acr",
            Control.ONE,
            _("How should guardians sign in?"),
            choices=client_choices.factors,
        ),
        Field(
            "default_max_age",
            Control.NUMBER,
            _("Longest age of a sign-in, in seconds"),
            _("Who signed in longer ago is asked again: 3600 is one hour. Empty: no limit."),
        ),
        Field(
            "grant_types",
            Control.SEVERAL,
            _("What else may it do?"),
            _("Without a redirect URI above, a screen is all that it is."),
            client_choices.grant_types,
        ),
        switch(
            "require_pkce",
            _("Require PKCE"),
            _(
                "Protects the code on its way. Take the tick away only if the software can't do it,"
                " as some versions of Moodle."
            ),
        ),
        switch(
            "allow_popups",
            _("It opens sign-in in a window of its own"),
            _(
                "For an application in the browser that signs in by a popup. The pages of its"
                " sign-ins let the window that opened them know when they are done."
            ),
        ),
        switch(
            "omit_iss",
            _("Leave “iss” out of its answers"),
            _(
                "Only for software that takes it for something else, such as mod_auth_openidc."
                " “iss” protects applications that know several providers."
            ),
        ),
        Field(
            "origins",
            Control.LINES,
            _("Origins"),
            _(
                "For an application in the browser, such as https://app.example. If you leave this"
                " empty, they are taken from the redirect URIs."
            ),
        ),
        Field(
            "response_types",
            Control.SEVERAL,
            _("What comes back on the browser's way?"),
            _("Only for older software that asks for an ID token there. A code alone is safer."),
            client_choices.response_types,
        ),
    ),
    key="signing-in",
)
SIGNING_OUT: Final = Group(
    _("Signing out, and what it is told"),
    (
        address(
            "backchannel_logout_uri",
            _("Address for sign-outs, called by our server"),
            _(
                "We tell it there that a session has ended, within seconds (back-channel logout)."
                " The application's manual names it."
            ),
        ),
        address(
            "frontchannel_logout_uri",
            _("Address for sign-outs, opened by the browser"),
            _(
                "For software that knows only this (front-channel logout). Many browsers send no"
                " cookie to it: prefer the one above."
            ),
        ),
        address(
            "security_events_uri",
            _("Address for events"),
            _("We tell it there what you tick below, within seconds (RFC 8935)."),
        ),
        Field(
            "security_events",
            Control.SEVERAL,
            _("Of what is it told there?"),
            _("If nothing is ticked: of guardians who may no longer see a child."),
            client_choices.security_events,
        ),
    ),
    key="signing-out",
)
IDENTITY: Final = Group(
    _("By which numbers and names it knows people"),
    (
        Field(
            "id_token_claims",
            Control.SEVERAL,
            _("What else does the ID token carry?"),
            _(
                "Only for software that does not ask UserInfo; the settings to paste say which. It"
                " signs out by a form or by its client ID alone: with an ID token in the address,"
                " names would get into logs."
            ),
            client_choices.id_token_claims,
            is_long=True,
        ),
        Field(
            "subject_type",
            Control.ONE,
            _("By which numbers does it know people?"),
            _("Choose well: it stays so, because its accounts hang on these numbers."),
            client_choices.subject_types,
        ),
        address(
            "sector_identifier_uri",
            _("Address of a list of redirect URIs"),
            _(
                "For several applications that must know people by the same numbers"
                " (sector_identifier_uri). It stays for ever."
            ),
        ),
    ),
    key="identity",
)
