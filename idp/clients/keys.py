"""Public keys of an application: a JSON Web Key Set, one JWK, or a public key in PEM."""

import json
import re
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

LONGEST: Final = 40_000  # characters; ten RSA keys with certificates fit
SMALLEST_RSA: Final = 2048  # bits (NIST SP 800-131A)
_PEM: Final = re.compile(
    r"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----", re.ASCII
)
_UNREADABLE: Final = (
    *(JoseError, UnsupportedAlgorithm),
    *(ValueError, TypeError, KeyError, AttributeError),
)
_KINDS: Final[tuple[type[RSAKey] | type[ECKey] | type[OKPKey], ...]] = (RSAKey, ECKey, OKPKey)


class UnusableKeys(Exception):
    """These keys are not taken. ``code``: ``private_key``, ``weak_key`` or ``no_keys``.

    Neither the message nor the cause quotes a key: one of them may be private.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def public_key_set(text: str) -> dict[str, Any]:
    """The key set that somebody pasted or sent as a file, with a ``kid`` for each key.

    Raises ``UnusableKeys``; a private key is kept nowhere.
    """
    if "PRIVATE KEY" in text:
        raise _private()
    if len(text) > LONGEST:
        raise _unreadable()
    stripped = text.strip()
    document = _from_json(stripped) if stripped.startswith("{") else _from_pem(stripped)
    check_public(document)
    return {"keys": [_named(key) for key in KeySet.import_key_set(document).keys]}  # type: ignore[arg-type]


def check_public(document: Any) -> None:
    """Whether a JSON Web Key Set holds public keys only, none of them too short.

    Raises ``UnusableKeys``.
    """
    try:
        found = KeySet.import_key_set(document).keys
    except _UNREADABLE:
        raise _unreadable() from None
    if any(key.key_type == "oct" or key.is_private for key in found):
        raise _private()
    if not found:
        raise _unreadable()
    for key in found:
        if isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA:
            raise UnusableKeys("weak_key", f"holds an RSA key below {SMALLEST_RSA} bits")


def _from_json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable() from None
    return document if "keys" in document else {"keys": [document]}


def _from_pem(text: str) -> dict[str, Any]:
    blocks = _PEM.findall(text)
    if not blocks or _PEM.sub("", text).strip():
        raise _unreadable()
    return {"keys": [_key_of(block).as_dict(private=False) for block in blocks]}


def _key_of(block: str) -> Key:
    for kind in _KINDS:
        try:
            return kind.import_key(block)
        except _UNREADABLE:
            continue
    raise _unreadable()


def _named(key: Key) -> dict[str, Any]:
    public = dict(key.as_dict(private=False))
    public.setdefault("kid", key.thumbprint())  # RFC 7638: the application names the same
    return public


def _private() -> UnusableKeys:
    return UnusableKeys("private_key", "must hold public keys only")


def _unreadable() -> UnusableKeys:
    return UnusableKeys("no_keys", "is not a JSON Web Key Set")
