"""Which answers an application wants encrypted, and with which of its keys (RFC 7516, RFC 7518)."""

from collections.abc import Mapping
from typing import Any, Final

from joserfc.jwk import Key, KeySet

from idp.clients.keys import UNREADABLE
from idp.errors import Invalid

KEY_ALGORITHMS: Final = ("RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW")
CONTENT_ALGORITHMS: Final = ("A128CBC-HS256", "A256GCM")
ANSWERS: Final = ("id_token", "userinfo", "authorization")
DEFAULT_CONTENT_ALGORITHM: Final = "A128CBC-HS256"
"""OpenID Connect Registration 1.0 §2."""
FIELDS: Final = tuple(
    (f"{answer}_encrypted_response_{part}", allowed)
    for answer in ANSWERS
    for part, allowed in (("alg", KEY_ALGORITHMS), ("enc", CONTENT_ALGORITHMS))
)


def fits(key: Key, alg: str) -> bool:
    """Whether one may encrypt for this key by this algorithm."""
    if key.get("use") not in (None, "enc") or key.alg not in (None, alg):
        return False
    if alg == "RSA-OAEP-256":
        return key.key_type == "RSA"
    # RFC 8037 §3.2: of the OKP curves, X25519 and X448 agree on keys; Ed25519 signs
    return key.key_type == "EC" or str(key.get("crv")).startswith("X")


def check(name: str, document: dict[str, Any]) -> None:
    """What the fields of one answer have to do with each other. ``name``: that of its ``alg``.

    Fills in ``enc`` where it is left out. Raises ``Invalid``.
    """
    enc = f"{name.removesuffix('alg')}enc"
    alg = document.get(name)
    if alg is None:
        if enc in document:
            raise Invalid(name, "alg_needed")  # Registration 1.0 §2
        return
    document.setdefault(enc, DEFAULT_CONTENT_ALGORITHM)
    if "jwks" in document:
        _check_keys(name, alg, document["jwks"])
    elif "jwks_uri" not in document:
        raise Invalid(name, "no_encryption_key")
    elif name.startswith("authorization") or (name.startswith("id_token") and _in_front(document)):
        # Made within a transaction, or once its code is given: nobody's server is asked then
        raise Invalid(name, "keys_by_value")


def check_requests(name: str, document: dict[str, Any]) -> None:
    """What an application says of the request objects that it encrypts for us; ``enc`` is filled in
    where it is left out. Raises ``Invalid``.
    """
    enc = f"{name.removesuffix('alg')}enc"
    if name in document:
        document.setdefault(enc, DEFAULT_CONTENT_ALGORITHM)
    elif enc in document:
        raise Invalid(name, "alg_needed")  # Registration 1.0 §2


def _check_keys(name: str, alg: str, jwks: Mapping[str, Any]) -> None:
    try:
        keys = KeySet.import_key_set(jwks).keys  # type: ignore[arg-type]
    except UNREADABLE:
        return  # refused at its own field
    if not any(fits(key, alg) for key in keys):
        raise Invalid(name, "no_encryption_key")


def _in_front(document: Mapping[str, Any]) -> bool:
    return any("id_token" in each.split() for each in document["response_types"])
