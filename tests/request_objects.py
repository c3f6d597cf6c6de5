"""An application that sends its request in a request object (RFC 9101), by hand."""

import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from joserfc import jws
from werkzeug.test import TestResponse

from idp.database import base64url
from tests.protocol.assertions import ISSUER, Key, jwks, key_for
from tests.relying_party import World

TYPE = "oauth-authz-req+jwt"


@dataclass
class Signer:
    """Makes request objects: right unless the test says otherwise; None leaves a member out."""

    there: World
    key: Key
    alg: str = "ES256"
    header: dict[str, Any] = field(default_factory=dict)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """The parameters of a request that the portal would send, and what speaks of the object."""
        now = int(time.time())
        right = {
            **self.there.portal.request(state="inside", nonce="n-1"),
            "iss": self.there.portal.client_id,
            "aud": ISSUER,
            "iat": now,
            "nbf": now,
            "exp": now + 120,
        }
        return {name: value for name, value in {**right, **changes}.items() if value is not None}

    def text(self, **changes: Any) -> str:
        """A signed object."""
        return self.signed(json.dumps(self.claims(**changes)).encode())

    def signed(self, payload: bytes) -> str:
        """Anything at all, signed as an object."""
        header = {"alg": self.alg, "kid": self.key.kid, "typ": TYPE, **self.header}
        header = {name: value for name, value in header.items() if value is not None}
        return jws.serialize_compact(header, payload, self.key, algorithms=[self.alg])

    def path(self, request: str, **outside: str) -> str:
        """The address of a request: the least that stands outside, and the object."""
        plain = {"client_id": self.there.portal.client_id, "response_type": "code", **outside}
        return f"/oauth2/authorize?{urlencode({**plain, 'request': request})}"

    def ask(self, request: str, **outside: str) -> TestResponse:
        """Send the browser with it."""
        return self.there.browser.open(self.path(request, **outside))


def unsigned(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """An object that nobody has signed (RFC 7519 §6)."""
    parts = (header or {"alg": "none"}, claims)
    return ".".join([*(base64url(json.dumps(part).encode()) for part in parts), ""])


def signing(alg: str = "ES256", **metadata: Any) -> tuple[Key, dict[str, Any]]:
    """A new key, and the registration of an application that signs its requests with it."""
    key = key_for(alg)
    return key, {"jwks": jwks(key), **metadata}
