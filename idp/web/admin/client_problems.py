"""What is wrong with the registration of an application, as whole sentences at its fields."""

from collections.abc import Iterable
from typing import Any, Final

from flask_babel import lazy_gettext

from idp.errors import Invalid
from idp.web.admin import client_choices


def problem(refused: Invalid, typed: str) -> str:
    """What is wrong with a field, in the reader's language. ``typed``: what stands in it."""
    address = (refused.values.get("address") or typed)[:200]
    words = PROBLEMS.get(refused.code)
    values = {"address": address, "allowed": _names(refused.values.get("allowed", ()))}
    if refused.code == "profile_needs" and not values["allowed"]:
        words = NOT_UNDER_THIS_PROFILE
    return str(words) % values if words else str(OTHER_PROBLEM)


def _names(allowed: Iterable[Any]) -> str:
    """What may be chosen, as the form calls it; nothing where a box may not be ticked."""
    methods = client_choices.methods()
    names = [each if isinstance(each, list) else [each] for each in allowed if each is not False]
    return ", ".join(client_choices.called(methods, str(each)) for name in names for each in name)


NOT_UNDER_THIS_PROFILE: Final = lazy_gettext(
    "The profile that was chosen does not go with this: take the tick away."
)
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
        "A certificate of an authority is known by exactly one name: type it among the keys and"
        " certificates."
    ),
    "bound_twice": lazy_gettext("A token is bound to one key: by DPoP or by a certificate."),
    "profile_needs": lazy_gettext("The profile that was chosen needs one of these: %(allowed)s."),
    "no_signing_key": lazy_gettext(
        "This installation has no key for it yet. An operator makes it: idp keys ensure."
    ),
    "no_encryption_key": lazy_gettext(
        "None of its public keys is meant for this. Add one to encrypt for, above."
    ),
    "keys_by_value": lazy_gettext(
        "For this we need the public keys themselves, and not their address."
    ),
    "alg_needed": lazy_gettext("Choose how it is encrypted, or take away what is in it."),
    "no_certificate_name": lazy_gettext("This is not written as a certificate has it."),
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
