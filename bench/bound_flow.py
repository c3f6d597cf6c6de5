"""The code flow as FAPI 2.0 walks it: the request is pushed (RFC 9126), and the tokens hang on a
key of the application (RFC 9449).
"""

import base64
import hashlib
import json
import secrets
import time
from typing import cast
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey

from bench.exchange import Answer, Call, Plan, Unexpected, expect, get_request, post_request
from bench.plans import Proof, Target, Visitor, authorized, tokens_of


class Key:
    """A key, its proofs, and the nonce that the provider gave last.

    Signed without a library: the load generator shares the processor with the provider.
    """

    def __init__(self) -> None:
        key = ECKey.generate_key("P-256")
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
        self._header = _base64url(json.dumps(header).encode())
        self._key = cast(ec.EllipticCurvePrivateKey, key.private_key)
        self._nonce: str | None = None

    def proof(self, target: Target, method: str, path: str, token: str | None = None) -> str:
        """The header line with a proof for one request."""
        claims = {
            "htm": method,
            "htu": target.issuer + path,
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(12),
        }
        if self._nonce:
            claims["nonce"] = self._nonce
        if token:
            claims["ath"] = _base64url(hashlib.sha256(token.encode()).digest())
        text = f"{self._header}.{_base64url(json.dumps(claims).encode())}"
        pair = decode_dss_signature(self._key.sign(text.encode(), _ES256))
        signature = b"".join(each.to_bytes(32, "big") for each in pair)
        return f"DPoP: {text}.{_base64url(signature)}\r\n"

    def keep_nonce(self, answer: Answer) -> None:
        """The next proof holds what this answer brought."""
        self._nonce = answer.header(b"dpop-nonce") or self._nonce


_ES256 = ec.ECDSA(hashes.SHA256())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def pushed_and_bound(target: Target, visitor: Visitor, key: Key, scope: str) -> Plan:
    """Push, authorize with a living session, redeem the code and ask UserInfo with proofs."""
    proof, host = Proof(scope), target.host
    headers = target.authorization + key.proof(target, "POST", "/oauth2/par")
    answer = yield Call("push", post_request("/oauth2/par", host, proof.query(target), headers))
    expect(answer, 201, "push")
    key.keep_nonce(answer)
    query = {"client_id": target.client_id, "request_uri": json.loads(answer.body)["request_uri"]}
    path = f"/oauth2/authorize?{urlencode(query)}"
    location = yield from authorized(path, target, visitor)
    headers = target.authorization + key.proof(target, "POST", "/oauth2/token")
    answer = yield Call("token", proof.exchange(target, location, headers))
    key.keep_nonce(answer)
    tokens = tokens_of(answer, "token")
    if tokens["token_type"] != "DPoP":
        raise Unexpected("token: not bound to the key")
    token = tokens["access_token"]
    shown = key.proof(target, "GET", "/oauth2/userinfo", token)
    bearer = f"Authorization: DPoP {token}\r\n{shown}"
    answer = yield Call("userinfo", get_request("/oauth2/userinfo", host, bearer))
    expect(answer, 200, "userinfo")
