"""What can be chosen about an application: each value, what it is called, and what it means."""

from collections.abc import Sequence

from flask_babel import gettext as _
from flask_babel import pgettext

from idp import settings
from idp.clients.metadata import (
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    ASSERTION_ALGORITHMS,
    CONSENT_WITHDRAWN,
    DEVICE_CODE,
    GUARDIANSHIP_ENDED,
    REQUEST_OBJECT_ALGORITHMS,
    SESSION_REVOKED,
    TOKEN_EXCHANGE,
)

Choice = tuple[str, str, str]
"""A value, what it is called, and what it means."""


def kinds() -> list[Choice]:
    """Where the application runs."""
    return [
        ("web", _("On a web server"), _("The usual case, such as Moodle or WordPress.")),
        ("browser", _("In the browser"), _("JavaScript only. It can keep no secret.")),
        ("native", _("On a phone or computer"), _("An app that is installed. No secret either.")),
    ]


def methods() -> list[Choice]:
    """How an application on a server proves itself."""
    return [
        ("client_secret_basic", _("Secret in a header"), _("The usual case. Moodle can, too.")),
        ("client_secret_post", _("Secret in the form"), _("Nextcloud, WordPress and Laravel.")),
        ("private_key_jwt", _("A key of its own"), _("It signs, and no secret travels.")),
        (
            "self_signed_tls_client_auth",
            _("A certificate of its own"),
            _("Mutual TLS: paste the key with its certificate (x5c) below."),
        ),
        (
            "tls_client_auth",
            _("A certificate of an authority"),
            _("Mutual TLS: its name is typed among the keys below."),
        ),
    ]


def client_profiles() -> list[Choice]:
    """How strict the provider is with an application."""
    return [
        ("default", pgettext("strictness", "Usual"), _("What most libraries can do.")),
        (
            "fapi2",
            _("FAPI 2.0, the strictest"),
            _(
                "It pushes its requests, signs with a key of its own, and proves one with each"
                " token."
            ),
        ),
        ("legacy", _("Older software"), _("Begins without PKCE. Nothing is refused for it.")),
    ]


def audiences() -> list[Choice]:
    """To whom an application with a key of its own may address what it signs."""
    return [
        ("issuer", _("Our issuer address only"), _("The usual case, and the safest.")),
        (
            "issuer_or_endpoint",
            _("The token endpoint, too"),
            _("For Authlib, Spring and other software that names it."),
        ),
    ]


def scopes() -> list[Choice]:
    """What may be asked for, beside knowing the guardian again."""
    return [
        ("child", _("The child"), _("Which child it is about. Choose the details below.")),
        ("profile", _("Name of the guardian"), _("Names, user name and language.")),
        ("email", _("E-mail of the guardian"), _("The address, and whether it is proved.")),
        ("offline_access", _("While away"), _("Goes on reading until the guardian ends it.")),
    ]


def child_fields() -> list[Choice]:
    """What may be known of the child, beside a number that means nothing elsewhere."""
    return [
        ("given_name", _("First name"), ""),
        ("family_name", _("Family name"), ""),
        ("school.id", _("Number of the school"), ""),
        ("school.name", _("Name of the school"), ""),
        ("class", _("Class"), ""),
        ("relationship", _("What the guardian is to the child"), ""),
        ("selection", _("How the child was chosen"), ""),
        ("selected_at", _("When the child was chosen"), ""),
        ("switchable", _("Whether another child could be chosen"), ""),
        ("sourced_id", _("Number of the pupil at the school"), _("Only where it is needed.")),
    ]


def profiles() -> list[Choice]:
    """In which form the child is named."""
    return [
        ("object", _("One object, “child”"), _("The usual case for programs.")),
        ("uri", _("One object under our address"), _("For rules that want claims in a namespace.")),
        ("flat", _("Flat texts"), _("For Moodle, Nextcloud and others that map texts only.")),
    ]


def addresses() -> list[Choice]:
    """Whose address the application gets."""
    return [
        ("real", _("The guardian's own"), _("The usual case. Some guardians have none.")),
        (
            "unique",
            _("One made up for it"),
            _(
                "For software that takes people of one address for one person, or refuses who has"
                " none, such as Moodle and WordPress. Mail to it reaches nobody."
            ),
        ),
    ]


def id_token_claims() -> list[Choice]:
    """What of the guardian may stand in the ID token."""
    return [
        ("name", pgettext("of a guardian", "Full name"), ""),
        ("given_name", _("First name"), ""),
        ("family_name", _("Family name"), ""),
        ("preferred_username", _("User name"), ""),
        ("locale", _("Language"), ""),
        ("email", _("E-mail address"), ""),
        ("email_verified", _("Whether the address was proved"), ""),
    ]


def grant_types() -> list[Choice]:
    """What an application may do beside the usual way."""
    return [
        (
            DEVICE_CODE,
            _("It runs on a screen without a keyboard"),
            _("A kiosk or a tablet at school: it shows a code, which guardians type on a phone."),
        ),
        (
            TOKEN_EXCHANGE,
            _("It may exchange its tokens for narrower ones"),
            _("For what it hands on to another server. It has to prove itself."),
        ),
    ]


def security_events() -> list[Choice]:
    """Of what an application may be told at its address for events."""
    return [
        (GUARDIANSHIP_ENDED, _("A guardian may no longer see a child"), ""),
        (CONSENT_WITHDRAWN, _("A guardian has withdrawn what they allowed it"), ""),
        (SESSION_REVOKED, _("A session has ended"), _("For software that knows CAEP.")),
        (ACCOUNT_DISABLED, _("An account was closed"), _("For software that knows RISC.")),
        (ACCOUNT_ENABLED, _("An account was opened again"), _("For software that knows RISC.")),
    ]


def response_types() -> list[Choice]:
    """What an authorization request may ask for."""
    return [
        ("code", _("A code"), _("The usual case.")),
        ("code id_token", _("A code and an ID token"), ""),
        ("id_token", _("An ID token alone"), ""),
    ]


def subject_types() -> list[Choice]:
    """By which numbers people are known."""
    return [
        ("pairwise", _("By its own"), _("The usual case. They mean nothing elsewhere.")),
        (
            "public",
            _("By those of all who choose this"),
            _("These applications can compare whom they know."),
        ),
    ]


def factors() -> list[Choice]:
    """How surely a guardian has to sign in."""
    return [
        ("", _("As usual"), ""),
        ("urn:school-idp:acr:two-factor", _("In two steps"), _("A password and a code.")),
        ("phr", _("With a passkey"), _("The safest. Guardians need one.")),
    ]


def request_signatures() -> list[Choice]:
    """With which algorithm requests are signed; unsigned ones where the operator allows them."""
    unsigned = settings.current().unsigned_request_objects
    names = REQUEST_OBJECT_ALGORITHMS if unsigned else ASSERTION_ALGORITHMS
    return [("", _("Any of these"), ""), *((each, each, "") for each in names)]


def called(choices: Sequence[Choice], value: str) -> str:
    """What a value is called."""
    return next((name for key, name, _hint in choices if key == value), value)
