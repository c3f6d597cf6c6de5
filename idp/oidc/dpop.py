"""DPoP (RFC 9449): a proof that whoever uses a token holds the key that it is bound to.

A proof is read in two steps. ``proof_of`` verifies all that it says; ``spend`` then lets it work
once, which leaves a row, so that only a client that has proved itself gets so far (rule N6).
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeGuard
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.jwk import Key, RSAKey, import_key
from joserfc.jws import JWSRegistry

from idp import clock, settings
from idp.clients import used
from idp.clients.keys import SMALLEST_RSA, UNREADABLE
from idp.database import base64url, hashes
from idp.oidc.errors import InvalidDpopProof, UseDpopNonce
from idp.oidc.requests import ProtocolRequest

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA", "Ed25519")
"""Those of FAPI 2.0 §5.4.1; « Ed25519 » is what RFC 9864 calls EdDSA with that curve."""
OLDEST: Final = 300  # seconds since a proof was made
LEEWAY: Final = 60
"""Seconds that a proof may lie ahead of our clock (FAPI 2.0 §5.3.2.1)."""
NONCE_WINDOW: Final = 300
"""Seconds after which there is a new nonce; the former one counts for as long again."""
KEYS: Final = 256
"""Keys that a worker has read, and may see again."""
LONGEST: Final = 8000  # characters; a proof with an RSA key of 4,096 bits has 1,600
_MEMBERS: Final = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("n", "e")}
_KEY_TYPES: Final = {"ES256": "EC", "PS256": "RSA", "EdDSA": "OKP", "Ed25519": "OKP"}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_ENCODED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class _Registry(JWSRegistry):
    """The header holds a key, which may be RSA: longer than what joserfc expects of a JWS."""

    max_header_length = 4000


_REGISTRY: Final = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@dataclass
class Proof:
    """A proof whose signature and claims are good. ``jkt``: its key's thumbprint (RFC 7638)."""

    jkt: str
    jti: str
    issued_at: float
    spent: bool = False
    """Whether this request has spent it; a statement that keeps its row with others says so."""

    def spend(self, client_id: str) -> None:
        """Let it work once (RFC 9449 §11.1). Raises ``InvalidDpopProof`` for a second time."""
        if not self.spent and not used.is_first(self.row(client_id)):
            raise self.was_used()
        self.spent = True

    def row(self, client_id: str) -> dict[str, Any]:
        """What is kept of it, for as long as its age would let it pass."""
        until = self.issued_at + OLDEST + 2 * LEEWAY
        return used.row("dpop", self.jkt, self.jti, client_id, until)

    def was_used(self) -> InvalidDpopProof:
        return InvalidDpopProof("The DPoP proof was used before")


def proof_of(request: ProtocolRequest, access_token: str | None = None) -> Proof | None:
    """The proof that came with a request, every claim checked (RFC 9449 §4.3); None without one.

    ``access_token``: the one that it must be about. Raises ``InvalidDpopProof`` or
    ``UseDpopNonce``.
    """
    text = request.headers.get("DPoP")
    if text is None:
        return None
    jkt, claims = _verified(text)
    if claims.get("htm") != request.method:
        raise InvalidDpopProof("Invalid claim: 'htm' is not the method of the request")
    if not _is_here(claims.get("htu"), request.uri):
        raise InvalidDpopProof("Invalid claim: 'htu' is not the address of the request")
    jti, issued_at = claims.get("jti"), claims.get("iat")
    if not isinstance(jti, str) or not 1 <= len(jti) <= 256 or not jti.isprintable():
        raise InvalidDpopProof("Invalid claim: 'jti' must be a text of 1 to 256 characters")
    _check_nonce(claims.get("nonce"))
    now = clock.timestamp()
    # A number between the two: not so for NaN, which Python's JSON reads
    if not _is_number(issued_at) or not now - OLDEST <= issued_at <= now + LEEWAY:
        raise InvalidDpopProof("Invalid claim: 'iat' is too old or lies ahead")
    if access_token is not None and claims.get("ath") != hash_of(access_token):
        raise InvalidDpopProof("Invalid claim: 'ath' is not the hash of the access token")
    return Proof(jkt, jti, issued_at)


def hash_of(access_token: str) -> str:
    """What ``ath`` must be (RFC 9449 §4.2)."""
    return base64url(hashlib.sha256(access_token.encode()).digest())


def nonce() -> str:
    """The nonce of now, which every answer to a request with a proof brings (RFC 9449 §8).

    It is derived from the time under our key: nothing is stored, and all machines know it.
    """
    return _nonces_of(clock.timestamp() // NONCE_WINDOW)[0]


def is_thumbprint(text: str) -> bool:
    """Whether this can be a ``dpop_jkt`` (RFC 9449 §10)."""
    return _THUMBPRINT.fullmatch(text) is not None


def _verified(text: str) -> tuple[str, dict[str, Any]]:
    """The thumbprint of the key inside, and what it signed."""
    if len(text) > LONGEST:
        raise InvalidDpopProof("The DPoP proof is too long")
    try:
        encoded = text.encode("ascii")  # two headers come joined by a comma: no JWT either
        proof = jws.extract_compact(encoded, registry=_REGISTRY)
        header = dict(proof.headers())
        alg = header.get("alg")
        if header.get("typ") != "dpop+jwt" or alg not in ALGORITHMS:
            raise InvalidDpopProof("The DPoP proof's type or algorithm is not accepted")
        key, thumbprint = _key_of(*_public_members(header.get("jwk"), alg).items())
        if isinstance(key, RSAKey) and key.raw_value.key_size < SMALLEST_RSA:
            raise InvalidDpopProof("The DPoP proof's key is too short")
        if not jws.validate_compact(proof, key, registry=_REGISTRY):
            raise ValueError("bad signature")
        claims = json.loads(proof.payload)
    except (*UNREADABLE, RecursionError) as error:
        raise InvalidDpopProof("The DPoP proof is malformed, or its signature is wrong") from error
    if not isinstance(claims, dict):
        raise InvalidDpopProof("The DPoP proof holds no claims")
    return thumbprint, claims


@lru_cache(maxsize=KEYS)
def _key_of(*members: tuple[str, str]) -> tuple[Key, str]:
    """The key of these members, which are all of it, and its thumbprint (RFC 7638). An application
    comes with one key again and again.
    """
    key = import_key(dict(members))
    return key, key.thumbprint()


def _public_members(jwk: Any, alg: str) -> dict[str, Any]:
    """The members that make the key, and no other: no private half, no ``x5u``, no ``kid``."""
    kind = _KEY_TYPES[alg]
    if not isinstance(jwk, dict) or jwk.get("kty") != kind or not _PRIVATE.isdisjoint(jwk):
        raise InvalidDpopProof("The DPoP proof holds no public key for its algorithm")
    members = {name: jwk.get(name) for name in _MEMBERS[kind]}
    if not all(isinstance(each, str) for each in members.values()):
        raise InvalidDpopProof("The DPoP proof holds no public key for its algorithm")
    return {"kty": kind, **members}


def _check_nonce(claim: Any) -> None:
    if claim is None and not settings.current().dpop_nonce:
        return
    window = clock.timestamp() // NONCE_WINDOW
    if not isinstance(claim, str) or not claim.isascii():
        raise UseDpopNonce
    known = (each for at in (window, window - 1) for each in _nonces_of(at))
    if not any(_same(claim, each) for each in known):
        raise UseDpopNonce


def _nonces_of(window: int) -> list[str]:
    """Those of a window under each of our keys, the newest first."""
    return [each[:22] for each in hashes.each_derived("dpop nonce", str(window))]


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_here(htu: Any, path: str) -> bool:
    """Whether ``htu`` is the address of this endpoint: that of the configured issuer, or its alias
    for who shows a certificate (RFC 8705 §5), whatever the Host header says (security rule O23).
    """
    config = settings.current()
    addresses = [base + path for base in (config.issuer, config.mtls_address) if base]
    if htu in addresses:  # to the letter, as nearly everybody writes it
        return True
    if not isinstance(htu, str) or (address := _normalised(htu)) is None:
        return False
    return any(address == _normalised(each) for each in addresses)


def _normalised(address: str) -> str | None:
    """An address without query and fragment, as RFC 9449 §4.3 compares it (RFC 3986 §6.2.2,
    §6.2.3); None for one that names a user or is none.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), parts.hostname
    if host is None or parts.username is not None or parts.password is not None:
        return None
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{host}:{port}"
    return f"{scheme}://{place}{_ENCODED.sub(_decoded, parts.path) or '/'}"


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    unreserved = character.isascii() and (character.isalnum() or character in "-._~")
    return character if unreserved else match[0].upper()
