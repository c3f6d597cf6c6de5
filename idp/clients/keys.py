"""Public keys of an application: a JSON Web Key Set, one JWK, or a public key in PEM."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

from idp.errors import Invalid

LONGEST: Final = 40_000  # characters; ten RSA keys with certificates fit
SMALLEST_RSA: Final = 2048  # bits (NIST SP 800-131A)
_PEM: Final = re.compile(
    r"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----", re.ASCII
)
UNREADABLE: Final = (
    *(JoseError, UnsupportedAlgorithm),
    *(ValueError, TypeError, KeyError, AttributeError),
)
"""What libraries raise at keys that they can't read."""
_KINDS: Final[tuple[type[RSAKey] | type[ECKey] | type[OKPKey], ...]] = (RSAKey, ECKey, OKPKey)


def public_key_set(text: str) -> dict[str, Any]:
    """The key set that somebody pasted or sent as a file, with a ``kid`` for each key.

    Raises ``Invalid``, which quotes no key: one of them may be private, and is kept nowhere.
    """
    if "PRIVATE KEY" in text:
        raise Invalid("jwks", "private_key")
    if len(text) > LONGEST:
        raise Invalid("jwks", "no_keys")
    stripped = text.strip()
    document = _from_json(stripped) if stripped.startswith("{") else _from_pem(stripped)
    check_public(document)
    return {"keys": [_named(key) for key in KeySet.import_key_set(document).keys]}  # type: ignore[arg-type]


def check_public(document: Any) -> None:
    """Whether a JSON Web Key Set holds public keys only, none of them too short.

    Raises ``Invalid``.
    """
    try:
        keys = KeySet.import_key_set(document).keys
    except UNREADABLE:
        raise Invalid("jwks", "no_keys") from None
    if any(key.key_type == "oct" or key.is_private for key in keys):
        raise Invalid("jwks", "private_key")
    if not keys:
        raise Invalid("jwks", "no_keys")
    for key in keys:
        if isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA:
            raise Invalid("jwks", "weak_key", least=SMALLEST_RSA)


def may_sign(document: Mapping[str, Any]) -> bool:
    """Whether a key of a set that was checked may sign: not if each is for encryption (RFC 7517
    §4.2).
    """
    keys = KeySet.import_key_set(document).keys  # type: ignore[arg-type]
    return any(key.get("use") in (None, "sig") for key in keys)


def _from_json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("jwks", "no_keys") from None
    return document if "keys" in document else {"keys": [document]}


def _from_pem(text: str) -> dict[str, Any]:
    blocks = _PEM.findall(text)
    if not blocks or _PEM.sub("", text).strip():
        raise Invalid("jwks", "no_keys")
    return {"keys": [_key_of(block).as_dict(private=False) for block in blocks]}


def _key_of(block: str) -> Key:
    for kind in _KINDS:
        try:
            return kind.import_key(block)
        except UNREADABLE:
            continue
    raise Invalid("jwks", "no_keys")


def _named(key: Key) -> dict[str, Any]:
    public = dict(key.as_dict(private=False))
    public.setdefault("kid", key.thumbprint())  # RFC 7638: the application names the same
    return public
