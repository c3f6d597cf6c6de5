"""A DPoP key and its proofs (RFC 9449), by hand."""

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import TestResponse

from tests.protocol.assertions import ISSUER, Key
from tests.relying_party import RelyingParty


@dataclass
class Prover:
    """Who holds a key. Its proofs are right unless the test says otherwise; None leaves a
    member out.
    """

    key: Key = field(default_factory=lambda: ECKey.generate_key("P-256"))
    alg: str = "ES256"

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    def proof(
        self,
        method: str = "POST",
        path: str = "/oauth2/token",
        *,
        token: str | None = None,
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        right = {
            "htm": method,
            "htu": ISSUER + path,
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(12),
            "ath": token and hash_of(token),
        }
        claims = {name: value for name, value in {**right, **changes}.items() if value is not None}
        head = {
            "typ": "dpop+jwt",
            "alg": self.alg,
            "jwk": self.key.as_dict(private=False),
            **(header or {}),
        }
        return jwt.encode(
            {name: value for name, value in head.items() if value is not None},
            claims,
            self.key,
            algorithms=[self.alg],
        )

    def redeem(
        self, there: RelyingParty, http: FlaskClient, code: str, proof: str | None = None
    ) -> TestResponse:
        return post(there, http, proof or self.proof(), code=code)

    def refresh(self, there: RelyingParty, http: FlaskClient, token: str) -> TestResponse:
        return post(there, http, self.proof(), refresh_token=token)

    def userinfo(
        self, http: FlaskClient, token: str, proof: str | None = None, scheme: str = "DPoP"
    ) -> TestResponse:
        """Ask UserInfo with a proof about the token."""
        shown = proof or self.proof("GET", "/oauth2/userinfo", token=token)
        headers = {"Authorization": f"{scheme} {token}", "DPoP": shown}
        return http.application.test_client(use_cookies=False).get(
            "/oauth2/userinfo", headers=headers
        )


def post(there: RelyingParty, http: FlaskClient, proof: str | None, **data: str) -> TestResponse:
    """Ask the token endpoint, with a proof or without one."""
    grant = "refresh_token" if "refresh_token" in data else "authorization_code"
    form = {"grant_type": grant, **data}
    if grant == "authorization_code":
        form |= {"redirect_uri": there.redirect_uri}
    secret = there.registered.secret
    if secret is None:
        form |= {"client_id": there.client_id, "code_verifier": there.verifier}
    if grant == "refresh_token":
        form.pop("code_verifier", None)
    return http.application.test_client(use_cookies=False).post(
        "/oauth2/token",
        data=form,
        auth=(there.client_id, secret) if secret else None,
        headers={"DPoP": proof} if proof is not None else {},
    )


def hash_of(token: str) -> str:
    """The ``ath`` of an access token."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
