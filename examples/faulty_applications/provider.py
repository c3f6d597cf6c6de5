"""The protocol by hand, with the mistakes that an application can make in it."""

import base64
import hashlib
import json
import math
import time
from typing import Any
from urllib.parse import urlencode

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from examples.faulty_applications.settings import Settings

ALGORITHMS = ["RS256", "ES256", "EdDSA"]


class Refused(Exception):
    """The answer is not good."""


class Provider:
    """The identity provider as this application sees it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._discovered: dict[str, Any] = {}

    def authorization_address(self, pending: dict[str, str], **more: str) -> str:
        """Where the parent is sent."""
        parameters = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": f"{self.settings.app_url}/callback",
            "scope": "openid profile email child",
            "state": pending["state"],
            "nonce": pending["nonce"],
            **more,
        }
        if self.settings.fault != "pkce":
            digest = hashlib.sha256(pending["verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            parameters |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        return f"{self._metadata('authorization_endpoint')}?{urlencode(parameters)}"

    def end_session_address(self, id_token: str) -> str:
        """Where the parent signs out."""
        parameters = {
            "id_token_hint": id_token,
            "post_logout_redirect_uri": f"{self.settings.app_url}/",
        }
        return f"{self._metadata('end_session_endpoint')}?{urlencode(parameters)}"

    def redeem(
        self, code: str, pending: dict[str, str]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The ID token's claims, the tokens, and UserInfo. Raises ``Refused``."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": f"{self.settings.app_url}/callback",
        }
        if self.settings.fault != "pkce":
            form["code_verifier"] = pending["verifier"]
        credentials = (self.settings.client_id, self.settings.client_secret)
        endpoint = self._metadata("token_endpoint")
        answer = requests.post(endpoint, data=form, auth=credentials, timeout=10)
        if answer.status_code != 200:
            raise Refused(answer.json().get("error", "no answer"))
        tokens = answer.json()
        claims = self._verified(tokens["id_token"], pending["nonce"])
        person = self.userinfo(tokens["access_token"]) or {}
        if person.get("sub") != claims["sub"] and self.settings.fault != "userinfo":
            raise Refused("UserInfo is about somebody else")
        return claims, tokens, person

    def userinfo(self, access_token: str) -> dict[str, Any] | None:
        """UserInfo's answer; none where the token is worth nothing any more."""
        headers = {"Authorization": f"Bearer {access_token}"}
        answer = requests.get(self._metadata("userinfo_endpoint"), headers=headers, timeout=10)
        return answer.json() if answer.status_code == 200 else None

    def notice(self, token: str, kind: str, event: str) -> dict[str, Any]:
        """The claims of a ``logout`` token or of a security ``event`` of this type, for us."""
        fault = self.settings.fault
        if fault == {"logout": "logout_token", "event": "security_event"}[kind]:
            return self._parts(token)[1]
        claims = self._signed(token, "")
        wrong = {
            "issuer": claims.get("iss") != self.settings.issuer,
            "audience": claims.get("aud") != self.settings.client_id,
            "events": event not in claims.get("events", {}),
            "expired": claims.get("exp", math.inf) < time.time(),
        }
        for name, is_wrong in wrong.items():
            if is_wrong and fault != f"{kind}_{name}":
                raise Refused(name)
        return claims

    def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        fault = self.settings.fault
        claims = self._signed(token, fault)
        wrong = {
            "issuer": claims.get("iss") != self.settings.issuer,
            "audience": claims.get("aud") != self.settings.client_id,
            "expired": claims.get("exp", 0) < time.time(),
            "nonce": claims.get("nonce") != nonce,
        }
        for name, is_wrong in wrong.items():
            if is_wrong and fault != name:
                raise Refused(name)
        return claims

    def _signed(self, token: str, fault: str) -> dict[str, Any]:
        header, claims = self._parts(token)
        if fault == "signature":
            return claims
        keys = requests.get(self._metadata("jwks_uri"), timeout=10).json()
        known = {key["kid"] for key in keys["keys"]}
        if fault == "rotation" and header.get("kid") not in known | {None}:
            return claims
        try:
            verified = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)
        except (JoseError, ValueError) as error:
            raise Refused("signature") from error
        return dict(verified.claims)

    def _parts(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            header, claims = (_decoded(part) for part in token.split(".")[:2])
        except ValueError as error:
            raise Refused("no token") from error
        return header, claims

    def _metadata(self, name: str) -> str:
        if not self._discovered:
            address = f"{self.settings.issuer}/.well-known/openid-configuration"
            self._discovered = requests.get(address, timeout=10).json()
        return str(self._discovered[name])


def _decoded(part: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
