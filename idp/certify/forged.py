"""Tokens that no provider may issue, made of one that ours did. Only the robot asks for them."""

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.oidc.keys import Keyring, SigningKey

Forger = Callable[[str, Keyring], str]
"""Makes another token of one – an ID token, a logout token, a security event – with the keys of the
test provider where it likes."""

HOUR: Final = 3600
_TO_COME: Final = "not-of-the-key-set"
_OTHER_EVENT: Final = "https://another-provider.example/something-else"


def with_claims(**changes: Any) -> Forger:
    """The same token with other claims, signed as ever; ``None`` takes a claim away."""

    def forge(token: str, keyring: Keyring) -> str:
        header, claims = _parts(token)
        changed = {**claims, **changes}
        left = {name: value for name, value in changed.items() if value is not None}
        return _signed(header, left, keyring.signing_key(header["alg"]))

    return forge


def of_another_event(token: str, keyring: Keyring) -> str:
    """What a security event or a logout token says, as an event of another type."""
    _header, claims = _parts(token)
    (content,) = claims["events"].values()
    return with_claims(events={_OTHER_EVENT: content})(token, keyring)


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
    header, claims = _parts(token)
    unsigned = {name: value for name, value in header.items() if name != "kid"} | {"alg": "none"}
    return f"{_encoded(unsigned)}.{_encoded(claims)}."


def _signed(header: dict[str, Any], claims: dict[str, Any], key: SigningKey) -> str:
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


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
