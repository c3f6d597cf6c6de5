"""What is wrong with a registration, in English: for terminals, and for the protocol's errors."""

from collections.abc import Collection
from typing import Any, Final

from idp.errors import Invalid

REGISTRATIONS: Final = {
    "alg_needed": "is needed beside its enc",
    "control": "holds a control character",
    "keys_by_value": "of what the authorization endpoint answers needs jwks, not jwks_uri",
    "keys_encrypt": "holds no key that may sign: each says that it is for encryption (use: enc)",
    "keys_needed": "is needed for private_key_jwt and for signed request objects",
    "keys_twice": "can't stand beside jwks: register the keys or their address",
    "must_be_one_of": "must be one of {allowed}",
    "must_be_some_of": "must be a list of {allowed}",
    "bound_twice": "can't be true beside dpop_bound_access_tokens",
    "no_certificate_name": "is no name of a certificate",
    "one_certificate_name": "needs exactly one of the tls_client_auth_… fields",
    "no_signing_key": "{algorithm} has no key here yet: run idp keys ensure",
    "profile_needs": "must be one of {allowed} under this profile",
    "no_boolean": "must be true or false",
    "no_encryption_key": "needs a key of the application to encrypt for",
    "no_keys": "is not a JSON Web Key Set",
    "no_origin": "is not an https origin",
    "no_scope": "must hold openid and may hold {allowed}",
    "no_seconds": "must be a number of seconds",
    "no_secret": "has no secret to rotate",
    "no_text": "must be a text",
    "no_texts": "must be a list of texts",
    "no_uri": "is not an address",
    "number_between": "is not between {least} and {most}",
    "private_key": "must hold public keys only",
    "sector_stays": "can't change: people keep their subjects",
    "sector_without": "does not list this redirect URI",
    "public_exchange": "holds the exchange of tokens, for which an application proves itself",
    "text_length": "must be a text of 1 to {most} characters",
    "too_many_resources": "must be a list of at most {most} resource servers",
    "too_many_uris": "must be a list of at most {most} addresses",
    "unknown_school": "names an unknown school {school!r}",
    "unnamed": "is missing",
    "uri_character": "holds a character that an address must not hold",
    "uri_fragment": "must not have a fragment",
    "uri_length": "must have 1 to {most} characters",
    "uri_not_called": (
        "is on this computer or in a private network: IDP_OUTGOING_PRIVATE_HOSTS may allow it"
    ),
    "uri_not_https": "must be https, or http on loopback",
    "uri_of_another_origin": "is not at the scheme, host and port of a redirect URI",
    "uri_not_public": "is on this computer or in a private network, where no redirect URI is",
    "uri_unreadable": "can't be read: {reason}",
    "uri_relative": "must be absolute",
    "uri_user": "must not name a user",
    "uri_without_host": "has no host",
    "weak_key": "holds an RSA key below {least} bits",
    "without_address": "must name at least one address",
    "without_school": "must name at least one school",
}
"""The codes of a registration's fields, with words that follow the field and its address."""


def registration_sentence(refused: Invalid) -> str:
    """What is wrong with a field of a registration."""
    words = REGISTRATIONS[refused.code]
    address = refused.values.get("address")
    shown = f"{address[:80]!r} " if address else ""
    return f"{refused.field} {shown}{filled(words, refused.values)}"


def filled(words: str, values: dict[str, Any]) -> str:
    """Words with the values that they name."""
    return words.format(**{name: _shown(value) for name, value in values.items()})


def _shown(value: Any) -> Any:
    if isinstance(value, Collection) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return "none" if value == "" else value
