"""An OpenID provider (OpenID Connect Core, code flow with PKCE), such as Google or Keycloak."""

import base64
import hashlib
import hmac
from time import time
from typing import Any

from flask import Flask, jsonify, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug import Response

from examples.providers import choosing
from examples.providers.config import ProviderConfig
from examples.providers.people import Agreed, Store

ID_TOKEN_SECONDS = 300
Refusal = tuple[Response, int]


def create_app(config: ProviderConfig, store: Store) -> Flask:
    """The provider as a Flask application."""
    app = Flask(__name__)
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256", "kid": "demo"})
    base = config.path

    @app.get(f"{base}/.well-known/openid-configuration")
    def discovery() -> Response:
        answer = jsonify(_metadata(config))
        answer.headers["Cache-Control"] = "public, max-age=3600"
        return answer

    @app.get(f"{base}/certs")
    def keys() -> Response:
        return jsonify(keys=[key.as_dict(private=False)])

    @app.route(f"{base}/auth", methods=["GET", "POST"])
    def authorize() -> Response:
        return choosing.authorize(config, store, issuer=config.url)

    @app.post(f"{base}/token")
    def token() -> Response | Refusal:
        return _token(config, store, key)

    @app.get(f"{base}/userinfo")
    def userinfo() -> Response | Refusal:
        return _userinfo(store)

    @app.get(f"{base}/health")
    def health() -> str:
        return "ok"

    return app


def _token(config: ProviderConfig, store: Store, key: RSAKey) -> Response | Refusal:
    if not _is_client(config):
        return jsonify(error="invalid_client"), 401
    agreed = store.redeem(request.form.get("code", ""))
    if agreed is None or request.form.get("redirect_uri") != agreed.redirect_uri:
        return jsonify(error="invalid_grant"), 400
    if not is_verifier(agreed.challenge, request.form.get("code_verifier", "")):
        return jsonify(error="invalid_grant", error_description="PKCE"), 400
    access_token = store.give_token(agreed)
    return jsonify(
        access_token=access_token,
        token_type="Bearer",  # noqa: S106 - a kind of token
        expires_in=ID_TOKEN_SECONDS,
        id_token=_id_token(config, key, agreed, access_token),
    )


def _userinfo(store: Store) -> Response | Refusal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    agreed = store.tokens.get(token) if scheme == "Bearer" else None
    if agreed is None:
        return jsonify(error="invalid_token"), 401
    return jsonify(_about(agreed))


def _metadata(config: ProviderConfig) -> dict[str, Any]:
    return {
        "issuer": config.url,
        "authorization_endpoint": f"{config.url}/auth",
        "token_endpoint": f"{config.url}/token",
        "userinfo_endpoint": f"{config.url}/userinfo",
        "jwks_uri": f"{config.url}/certs",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "email", "profile"],
        "claims_parameter_supported": True,
        "authorization_response_iss_parameter_supported": True,
    }


def _is_client(config: ProviderConfig) -> bool:
    basic = request.authorization
    given_id = (basic.username if basic else request.form.get("client_id")) or ""
    secret = (basic.password if basic else request.form.get("client_secret")) or ""
    same = hmac.compare_digest(secret.encode(), config.client_secret.encode())
    return given_id == config.client_id and same


def is_verifier(challenge: str | None, verifier: str) -> bool:
    """Whether the verifier belongs to the challenge (RFC 7636 §4.6, S256)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    ours = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return challenge is not None and hmac.compare_digest(ours, challenge)


def _id_token(config: ProviderConfig, key: RSAKey, agreed: Agreed, access_token: str) -> str:
    now = int(time())
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    claims = {
        "iss": config.url,
        "aud": config.client_id,
        "azp": config.client_id,
        "iat": now,
        "exp": now + ID_TOKEN_SECONDS,
        # Whoever is picked proves it by that, a moment ago.
        "auth_time": agreed.at,
        "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        **_about(agreed),
    }
    if agreed.nonce:
        claims["nonce"] = agreed.nonce
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def _about(agreed: Agreed) -> dict[str, Any]:
    about: dict[str, Any] = {"sub": agreed.person.subject}
    if "profile" in agreed.scope.split():
        about["name"] = agreed.person.name
    if "email" in agreed.scope.split() and agreed.person.email:
        about |= {"email": agreed.person.email, "email_verified": True}
    return about
