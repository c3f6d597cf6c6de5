"""OAuth 2.0 and a Graph API, as Facebook has them: no ID token, ``debug_token``, proofs.

Also plays Facebook's servers: « remove this app » on its start page posts a signed request to
the relying party.
"""

import base64
import hashlib
import hmac
import json
from time import time
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from flask import Flask, jsonify, make_response, render_template, request
from werkzeug import Response

from examples.providers import choosing
from examples.providers.config import ProviderConfig
from examples.providers.openid import is_verifier
from examples.providers.people import Agreed, Store

TOKEN_SECONDS = 5_000_000
Refusal = tuple[Response, int]


def create_app(config: ProviderConfig, store: Store) -> Flask:
    """The provider as a Flask application."""
    app = Flask(__name__)

    @app.route("/<version>/dialog/oauth", methods=["GET", "POST"])
    def dialog(**_version: str) -> Response:
        return choosing.authorize(config, store, issuer=None)

    @app.route("/<version>/oauth/access_token", methods=["GET", "POST"])
    def token(**_version: str) -> Response | Refusal:
        return _token(config, store)

    @app.get("/debug_token")
    def debug_token() -> Response | Refusal:
        return _debug_token(config, store)

    @app.get("/<version>/me")
    def me(**_version: str) -> Response | Refusal:
        return _me(config, store)

    @app.route("/", methods=["GET", "POST"])
    def home() -> Response:
        outcome = _remove(config, request.form) if request.method == "POST" else None
        return make_response(
            render_template("home.html", name=config.name, people=store.people, outcome=outcome)
        )

    @app.get("/health")
    def health() -> str:
        return "ok"

    return app


def _token(config: ProviderConfig, store: Store) -> Response | Refusal:
    params = request.values
    secret = params.get("client_secret", "")
    same = hmac.compare_digest(secret.encode(), config.client_secret.encode())
    if params.get("client_id") != config.client_id or not same:
        return _error("Error validating client secret.", 400)
    agreed = store.redeem(params.get("code", ""))
    if agreed is None or params.get("redirect_uri") != agreed.redirect_uri:
        return _error("This authorization code has been used.", 400)
    if agreed.challenge and not is_verifier(agreed.challenge, params.get("code_verifier", "")):
        return _error("Invalid code verifier.", 400)
    return jsonify(
        access_token=store.give_token(agreed),
        token_type="bearer",  # noqa: S106 - a kind of token
        expires_in=TOKEN_SECONDS,
    )


def _debug_token(config: ProviderConfig, store: Store) -> Response | Refusal:
    if request.args.get("access_token") != f"{config.client_id}|{config.client_secret}":
        return _error("You must provide an app access token", 400)
    agreed = store.tokens.get(request.args.get("input_token", ""))
    if agreed is None:
        return jsonify(data={"is_valid": False, "error": {"code": 190}})
    return jsonify(data=_debug(config, agreed))


def _me(config: ProviderConfig, store: Store) -> Response | Refusal:
    token = request.args.get("access_token", "")
    agreed = store.tokens.get(token)
    if agreed is None:
        return _error("Invalid OAuth access token.", 400)
    if request.args.get("appsecret_proof") != _proof(config, token):
        return _error("API calls from the server require an appsecret_proof argument", 400)
    return jsonify(_profile(agreed, request.args.get("fields", "id,name")))


def _debug(config: ProviderConfig, agreed: Agreed) -> dict[str, Any]:
    return {
        "app_id": config.client_id,
        "type": "USER",
        "application": "School",
        "is_valid": True,
        "issued_at": agreed.at,
        "expires_at": agreed.at + TOKEN_SECONDS,
        "scopes": agreed.scope.replace(",", " ").split(),
        "user_id": agreed.person.subject,
    }


def _profile(agreed: Agreed, fields: str) -> dict[str, str]:
    person = agreed.person
    known = {"id": person.subject, "name": person.name, "email": person.email}
    wanted = {name: known.get(name) for name in ("id", *fields.split(","))}
    return {name: value for name, value in wanted.items() if value}


def _proof(config: ProviderConfig, token: str) -> str:
    return hmac.new(config.client_secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def _remove(config: ProviderConfig, form: Any) -> str:
    """Tell the relying party that a person wants their data deleted; what it answered."""
    document = {
        "algorithm": "HMAC-SHA256",
        "issued_at": int(time()),
        "user_id": form.get("person", ""),
    }
    payload = base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")
    signature = hmac.new(config.client_secret.encode(), payload, hashlib.sha256).digest()
    signed = f"{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}.{payload.decode()}"
    address = config.redirect_uri.replace("/callback", "/deletion")
    deletion = Request(address, urlencode({"signed_request": signed}).encode())  # noqa: S310
    try:
        with urlopen(deletion, timeout=10) as answer:  # noqa: S310 - our own address
            return str(json.loads(answer.read())["url"])
    except (URLError, ValueError, KeyError) as error:
        return f"? {error}"


def _error(message: str, status: int) -> Refusal:
    return jsonify(error={"message": message, "type": "OAuthException", "code": 100}), status
