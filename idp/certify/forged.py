"""ID tokens that no provider may issue, made of one that ours did. Only the robot asks for them."""

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.oidc.keys import Keyring, SigningKey

Forger = Callable[[str, Keyring], str]
"""Makes another ID token of one, with the keys of the test provider where it likes."""

HOUR: Final = 3600
_TO_COME: Final = "not-of-the-key-set"


def with_claims(**changes: Any) -> Forger:
    """The same token with other claims, signed as ever; ``None`` takes a claim away."""

    def forge(token: str, keyring: Keyring) -> str:
        header, claims = _parts(token)
        changed = {**claims, **changes}
        left = {name: value for name, value in changed.items() if value is not None}
        return _signed(header, left, keyring.signing_key(header["alg"]))

    return forge


def expired(token: str, keyring: Keyring) -> str:
    """A token that was good until an hour ago."""
    header, claims = _parts(token)
    old = {**claims, "iat": claims["iat"] - 2 * HOUR, "exp": claims["iat"] - HOUR}
    return _signed(header, old, keyring.signing_key(header["alg"]))


def by_a_stranger(token: str, _keyring: Keyring) -> str:
    """Signed by a key of nobody, under the name of the one that signs."""
    header, claims = _parts(token)
    return _signed(header, claims, _strangers(header["alg"]))


def by_an_unknown_key(token: str, _keyring: Keyring) -> str:
    """Signed by a key of nobody, whose name no key set holds."""
    header, claims = _parts(token)
    return _signed({**header, "kid": _TO_COME}, claims, _strangers(header["alg"]))


def by_nobody(token: str, _keyring: Keyring) -> str:
    """``alg: none`` (RFC 8725 §3.1): no signature at all."""
    _header, claims = _parts(token)
    return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."


def _signed(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> str:
    alg = header["alg"]
    return jwt.encode({"alg": alg, "kid": header["kid"]}, claims, key, algorithms=[alg])


@cache
def _strangers(alg: str) -> SigningKey:
    if alg == "ES256":
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519") if alg == "EdDSA" else RSAKey.generate_key(2048)


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _signature = token.split(".")
    return _decoded(header), _decoded(claims)


def _decoded(part: str) -> dict[str, Any]:
    text = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    return dict(json.loads(text))


def _encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
