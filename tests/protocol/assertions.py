"""An application that authenticates with ``private_key_jwt`` (RFC 7523), by hand."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from tests.relying_party import CALLBACK

ISSUER = "http://127.0.0.1:8000"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Key = RSAKey | ECKey | OKPKey


def key_for(alg: str, kid: str = "k1") -> Key:
    """A new private key for this algorithm."""
    parameters: Any = {"kid": kid}
    if alg in {"RS256", "PS256"}:
        return RSAKey.generate_key(2048, parameters)
    if alg == "ES256":
        return ECKey.generate_key("P-256", parameters)
    return OKPKey.generate_key("Ed25519", parameters)


def jwks(*keys: Key) -> dict[str, Any]:
    """The public halves, as a registration holds them."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


@dataclass
class Assertion:
    """A client assertion: right unless the test says otherwise; None leaves a member out."""

    client_id: str
    key: Key
    alg: str = "RS256"
    header: dict[str, Any] = field(default_factory=dict)

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        right = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(12),
        }
        return {name: value for name, value in {**right, **changes}.items() if value is not None}

    def text(self, **changes: Any) -> str:
        header = {"alg": self.alg, "kid": self.key.kid, **self.header}
        return jwt.encode(header, self.claims(**changes), self.key, algorithms=[self.alg])

    def post(self, http: FlaskClient, code: str, text: str, **more: str) -> TestResponse:
        """Redeem a code with this assertion."""
        server = http.application.test_client(use_cookies=False)
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_assertion_type": TYPE,
            "client_assertion": text,
            **more,
        }
        return server.post("/oauth2/token", data=data)
