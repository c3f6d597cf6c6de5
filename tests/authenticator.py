"""An authenticator in software, and the browser around it: answers WebAuthn challenges over HTTP.

Independent of the provider's own code: it builds client data, authenticator data, COSE keys
and signatures by hand. Every part can be bent, for the answers that must be refused.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from werkzeug.test import TestResponse

from tests.relying_party import Browser, forms_of

ORIGIN = "http://localhost:8000"
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40

Bend = Callable[[dict[str, Any]], None]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "==")


@dataclass
class Key:
    """One discoverable credential."""

    alg: int = -7
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user_handle: bytes = b""
    counter: int = 0
    private: Any = None

    def __post_init__(self) -> None:
        made = {
            -7: lambda: ec.generate_private_key(ec.SECP256R1()),
            -8: ed25519.Ed25519PrivateKey.generate,
            -257: lambda: rsa.generate_private_key(65537, 2048),
            -35: lambda: ec.generate_private_key(ec.SECP384R1()),
        }
        self.private = self.private or made[self.alg]()

    def cose(self) -> bytes:
        public = self.private.public_key()
        if self.alg == -8:
            return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()})
        numbers = public.public_numbers()
        if self.alg == -257:
            n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
            return cbor2.dumps({1: 3, 3: -257, -1: n, -2: numbers.e.to_bytes(3, "big")})
        size, curve = (32, 1) if self.alg == -7 else (48, 2)
        x, y = (part.to_bytes(size, "big") for part in (numbers.x, numbers.y))
        return cbor2.dumps({1: 2, 3: self.alg, -1: curve, -2: x, -3: y})

    def sign(self, data: bytes) -> bytes:
        if self.alg == -8:
            return bytes(self.private.sign(data))
        if self.alg == -257:
            return bytes(self.private.sign(data, padding.PKCS1v15(), hashes.SHA256()))
        return bytes(self.private.sign(data, ec.ECDSA(hashes.SHA256())))


@dataclass
class Authenticator:
    """Makes and uses passkeys for one site. ``synchronised``: they can be copied to a cloud."""

    origin: str = ORIGIN
    rp_id: str = "localhost"
    counts: bool = True
    synchronised: bool = False
    keys: list[Key] = field(default_factory=list)

    def create(self, options: dict[str, Any], alg: int = -7, **bent: Any) -> str:
        """The answer of ``navigator.credentials.create``, as the page's script sends it."""
        key = Key(alg, user_handle=unb64(options["user"]["id"]))
        self.keys.append(key)
        data = self._client_data("webauthn.create", options, bent)
        attested = bytes(16) + len(key.credential_id).to_bytes(2, "big") + key.credential_id
        auth_data = self._auth_data(bent, UP | UV | AT, key) + attested + key.cose()
        statement = bent.get("attestation", {"fmt": "none", "attStmt": {}})
        return self._credential(
            key,
            clientDataJSON=data,
            attestationObject=cbor2.dumps({**statement, "authData": auth_data}),
        )

    def get(self, options: dict[str, Any], key: Key | None = None, **bent: Any) -> str:
        """The answer of ``navigator.credentials.get``."""
        key = key or self.keys[-1]
        if self.counts:
            key.counter += 1
        data = self._client_data("webauthn.get", options, bent)
        auth_data = self._auth_data(bent, UP | UV, key)
        signed = key.sign(auth_data + hashlib.sha256(data).digest())
        return self._credential(
            key,
            clientDataJSON=data,
            authenticatorData=auth_data,
            signature=bent.get("signature", signed),
            userHandle=bent.get("user_handle", key.user_handle),
        )

    def _client_data(self, kind: str, options: dict[str, Any], bent: dict[str, Any]) -> bytes:
        document = {
            "type": bent.get("type", kind),
            "challenge": bent.get("challenge", options["challenge"]),
            "origin": bent.get("origin", self.origin),
            "crossOrigin": bent.get("cross_origin", False),
        }
        return json.dumps(document).encode()

    def _auth_data(self, bent: dict[str, Any], flags: int, key: Key) -> bytes:
        if self.synchronised:
            flags |= BE | BS
        flags = bent.get("flags", flags)
        rp_id_hash = hashlib.sha256(bent.get("rp_id", self.rp_id).encode()).digest()
        counter = bent.get("counter", key.counter)
        return rp_id_hash + bytes([flags]) + counter.to_bytes(4, "big")

    def _credential(self, key: Key, **response: bytes | None) -> str:
        id_ = b64(key.credential_id)
        parts = {name: b64(value) for name, value in response.items() if value is not None}
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": parts})


def options_of(browser: Browser, form_id: str) -> tuple[dict[str, Any], Any]:
    """What the form's script would fetch: the options, and the form itself."""
    assert browser.page is not None
    form = next(form for form in forms_of(browser.page.text) if form.id == form_id)
    token = {"csrf_token": form.hidden["csrf_token"]}
    response = browser.client.post(form.data["data-options"], data=token)
    assert response.status_code == 200, response.text[:2000]
    return dict(response.json or {}), form


def use(browser: Browser, form_id: str, authenticator: Authenticator, **bent: Any) -> TestResponse:
    """Press the form's button: fetch a challenge, answer it, send the form."""
    options, _form = options_of(browser, form_id)
    answer = authenticator.get(options, **bent)
    return browser.submit(form_id, credential=answer)


def make(
    browser: Browser, form_id: str, authenticator: Authenticator, alg: int = -7, **bent: Any
) -> TestResponse:
    """Press the form's button: make a passkey and send it."""
    fields = bent.pop("fields", {})
    options, _form = options_of(browser, form_id)
    return browser.submit(form_id, credential=authenticator.create(options, alg, **bent), **fields)
