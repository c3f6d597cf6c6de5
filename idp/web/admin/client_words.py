"""What the desk says about applications: choices, problems and findings, as whole sentences."""

from collections.abc import Sequence
from typing import Final

from flask_babel import gettext as _
from flask_babel import lazy_gettext, pgettext

from idp.clients.metadata import DEVICE_CODE, TOKEN_EXCHANGE
from idp.clients.recipes import Note, Recipe
from idp.errors import Invalid
from idp.oidc.diagnosis import Difference

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
            _("Mutual TLS: its name is registered by command."),
        ),
    ]


def client_profiles() -> list[Choice]:
    """How strict the provider is with an application."""
    return [
        ("default", _("Usual"), _("What most libraries can do.")),
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


def factors(registered: str) -> list[Choice]:
    """How surely a guardian has to sign in; what is registered stays to be chosen."""
    known = [
        ("", _("As usual"), ""),
        ("urn:school-idp:acr:two-factor", _("In two steps"), _("A password and a code.")),
        ("phr", _("With a passkey"), _("The safest. Guardians need one.")),
    ]
    if registered not in {value for value, _name, _hint in known}:
        known.append((registered, registered, ""))
    return known


def problem(refused: Invalid, typed: str) -> str:
    """What is wrong with a field, in the reader's language. ``typed``: what stands in it."""
    address = (refused.values.get("address") or typed)[:200]
    words = PROBLEMS.get(refused.code)
    allowed = ", ".join(map(str, refused.values.get("allowed", ())))
    values = {"address": address, "allowed": allowed}
    return str(words) % values if words else str(OTHER_PROBLEM)


PROBLEMS: Final = {
    "unnamed": lazy_gettext("Type the name that parents will see."),
    "text_length": lazy_gettext("Type a name of 1 to 120 characters."),
    "without_address": lazy_gettext("Type at least one address for the way back."),
    "without_school": lazy_gettext("Choose at least one school."),
    "no_seconds": lazy_gettext("Type a whole number of seconds, or nothing."),
    "keys_needed": lazy_gettext("Paste the public key, or choose its file."),
    "keys_encrypt": lazy_gettext(
        "None of these keys may sign: each says that it is for encryption only (“use”: “enc”)."
    ),
    "keys_twice": lazy_gettext("Register the keys or their address, not both."),
    "private_key": lazy_gettext(
        "This is a private or a shared key. It was not stored. Make a new pair of keys,"
        " because this one has travelled, and send us only its public half."
    ),
    "weak_key": lazy_gettext("This RSA key is too short. Use at least 2048 bits."),
    "one_certificate_name": lazy_gettext(
        "A certificate of an authority is known by exactly one name, which is registered by"
        " command: idp client edit."
    ),
    "bound_twice": lazy_gettext("A token is bound to one key: by DPoP or by a certificate."),
    "profile_needs": lazy_gettext("The profile that was chosen needs one of these: %(allowed)s."),
    "no_signing_key": lazy_gettext(
        "This installation has no key for it yet. An operator makes it: idp keys ensure."
    ),
    "no_keys": lazy_gettext("This is neither a JWK Set nor a public key in PEM."),
    "uri_not_https": lazy_gettext(
        "%(address)s must begin with https://. Plain http:// is for one's own computer"
        " only, such as http://127.0.0.1."
    ),
    "uri_fragment": lazy_gettext("%(address)s must not have a part behind “#”."),
    "uri_user": lazy_gettext("%(address)s must not hold a user name or password."),
    "uri_relative": lazy_gettext("%(address)s is not whole: it begins with https:// and a host."),
    "uri_not_public": lazy_gettext(
        "%(address)s is on one's own computer or in a private network, where no redirect URI"
        " of this application is. Parents could not open it."
    ),
    "uri_not_called": lazy_gettext(
        "%(address)s is on one's own computer or in a private network, so we don't call it. An"
        " operator can allow it."
    ),
    "uri_unreadable": lazy_gettext(
        "%(address)s could not be read just now, or is not what it has to be."
    ),
    "sector_without": lazy_gettext("The list at this address lacks the redirect URI %(address)s."),
    "sector_stays": lazy_gettext(
        "This can't change any more: guardians and children would get other numbers."
    ),
    "uri_of_another_origin": lazy_gettext(
        "%(address)s is not where a redirect URI of this application is: scheme, host and port have"
        " to be the same."
    ),
    "uri_without_host": lazy_gettext("%(address)s names no host."),
    "uri_character": lazy_gettext(
        "%(address)s holds a space, an asterisk, an accent or another character that an"
        " address can't have."
    ),
    "no_origin": lazy_gettext("%(address)s must end after the host, without a path or slash."),
    "uri_length": lazy_gettext("This address is too long."),
    "no_uri": lazy_gettext("%(address)s is not an address."),
    "control": lazy_gettext("This holds characters that can't be typed. Please type it again."),
    "public_exchange": lazy_gettext(
        "Only an application that proves itself, on a web server, may exchange tokens."
    ),
    "too_many_resources": lazy_gettext("At most 10 resource servers, one on each line."),
    "too_many_uris": lazy_gettext("At most 50 addresses, one on each line."),
}
"""By code, what is wrong with what somebody typed."""
OTHER_PROBLEM: Final = lazy_gettext("This can't be used here. Choose or type something else.")
"""Of codes that a form can't lead to: whoever made it up has changed the page."""


def note(remark: Note) -> str:
    """What has to change in the registration for this software."""
    named = remark.value.split()
    called = ", ".join(name for key, name, _hint in methods() if key in named)
    claims_called = ", ".join(name for key, name, _hint in id_token_claims() if key in named)
    words: dict[str, str] = {
        "callback": _(
            "Register its redirect URI: the address of your site, followed by %(end)s.",
            end=remark.value,
        ),
        "method": _(
            "This software proves itself in another way. Change it to: %(method)s.", method=called
        ),
        "key": _("This application signs with a key; these settings are for a secret."),
        "pkce": _("This software may know no PKCE. If sign-ins fail, take the demand away."),
        "iss": _("This software stumbles over “iss” in an answer. Tick that it is left out."),
        "flat": _("Choose “Flat texts” as the form of the child's details."),
        "scopes": _("This software also needs: %(scopes)s.", scopes=remark.value),
        "claims": _(
            "This software reads the ID token only. Tick there: %(claims)s.", claims=claims_called
        ),
        "keyed": _(
            "This software takes guardians of one e-mail address for one person, and refuses who"
            " has none. Let it get an address made up for it, or see to it that each guardian has"
            " their own."
        ),
        "needed": _(
            "This software refuses guardians without an e-mail address. Let it get an address made"
            " up for it if there are any."
        ),
        "logout": _("Register as address after signing out: %(address)s", address=remark.value),
    }
    return words[remark.code]


def remarks(recipe: Recipe) -> list[str]:
    """What whoever pastes the settings should know: how far they were tried, and what stays."""
    software = recipe.run or recipe.read
    sentences = {
        "run": _(
            "Our tests run these settings with the software itself: %(software)s.",
            software=software,
        ),
        "read": _(
            "Compared with the source of %(software)s. Our tests send what it would send; the"
            " software itself was not run.",
            software=software,
        ),
        "ours": _(
            "By itself this software tells people apart by their e-mail address. These settings"
            " have it go by “sub” instead."
        ),
        "stays": _(
            "Signing out there does not sign out here. On a computer that others use, guardians"
            " sign out on their own page here, too."
        ),
    }
    there = {
        "run": bool(recipe.run),
        "read": bool(recipe.read),
        "ours": recipe.keyed == "ours",
        "stays": recipe.stays_signed_in,
    }
    return [sentences[code] for code, holds in there.items() if holds]


def difference(differs: Difference) -> str:
    """In what the address that failed differs from the registered one."""
    words: dict[str, str] = {
        "scheme": _("One begins with http://, the other with https://."),
        "host": _("The host differs."),
        "port": _("The port differs."),
        "slash": _("One ends with a slash, the other does not."),
        "case": _("Capitals and small letters differ."),
        "encoding": _("A character is written out in one and as a percent code in the other."),
        "path": _("The path differs."),
        "query": _("The part behind “?” differs."),
        "fragment": _("A part behind “#” was added; it is never sent."),
        "other": _("They are spelt differently."),
    }
    return words[differs.kind]


def parameters() -> dict[str, str]:
    """What each parameter of an authorization request is for."""
    return {
        "response_type": _("The application wants a code, which it redeems on its own."),
        "client_id": _("Which application asks."),
        "redirect_uri": _("Where the answer goes; registered to the letter."),
        "scope": _("What it asks for. What is not registered is left out."),
        "state": _("Ties the answer to the browser. New each time."),
        "nonce": _("Comes back in the ID token. New each time."),
        "code_challenge": _("PKCE: only who began can redeem the code. New each time."),
        "code_challenge_method": _("How PKCE is computed. Only S256 is accepted."),
    }


def claims() -> dict[str, str]:
    """What each claim of the two answers says."""
    return {
        "iss": _("Who says it: this provider."),
        "sub": _("The guardian, as this application knows them. The key for its database."),
        "aud": _("For whom it is meant. Here nobody; in a real token the client id."),
        "iat": _("When it was made, in seconds since 1970."),
        "exp": _("Until when it counts. This one has expired already."),
        "auth_time": _("When the guardian signed in."),
        "amr": _("By what the guardian signed in."),
        "acr": _("How surely the guardian signed in."),
        "sid": _("The session, for signing out."),
        "nonce": _("The nonce of the request."),
        "at_hash": _("Ties the access token to this token."),
        "child": _("The child that the guardian chose."),
        "name": _("The guardian's name."),
        "email": _("The guardian's e-mail address."),
        "email_verified": _("Whether the address was proved."),
        "preferred_username": _("The guardian's user name."),
        "locale": _("The guardian's language."),
    }


def called(choices: Sequence[Choice], value: str) -> str:
    """What a value is called."""
    return next((name for key, name, _hint in choices if key == value), value)
