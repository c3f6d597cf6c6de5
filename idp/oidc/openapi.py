"""``/openapi.json``: every address that programs call, described for them (OpenAPI 3.1).

What may be said at each stands in the tables of the code that answers; what a specification says
of a parameter is not said again here.
"""

from collections.abc import Mapping
from typing import Any, Final

from idp import settings
from idp.clients.metadata import FIELDS
from idp.oidc import discovery, token_endpoint

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_AUTHENTICATED: Final = ("client_id", "client_secret", "client_assertion", "client_assertion_type")
_ASKS: Final = (
    *("scope", "state", "nonce", "prompt", "max_age", "claims", "acr_values", "login_hint"),
    *("child_hint", "ui_locales", "id_token_hint", "resource", "code_challenge"),
    *("code_challenge_method", "response_mode", "dpop_jkt", "request", "request_uri"),
)
_AUTHORIZE: Final = ("response_type", "client_id", "redirect_uri", *_ASKS)
_OF_TOKENS: Final = (
    *("grant_type", "redirect_uri", "code_verifier", "scope", "resource", "audience"),
    *("subject_token_type", "requested_token_type", "actor_token", "actor_token_type"),
)
_LOGOUT: Final = (
    *("id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint"),
    "ui_locales",
)
# What any of them may answer: too large, too many, another form of body, a database that is away
_ANYWHERE: Final = (404, 405, 408, 413, 414, 415, 429, 431, 503)


def document() -> dict[str, Any]:
    """The description, with this provider's own address."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "School identity provider",
            "version": "1",
            "description": "OAuth 2.0 and OpenID Connect. Discovery says what is supported.",
        },
        "servers": [{"url": settings.current().issuer}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "client": {"type": "http", "scheme": "basic"},
                "access_token": {"type": "http", "scheme": "bearer"},
            }
        },
    }


def _paths() -> dict[str, Any]:
    parameters = [each.parameter for each in token_endpoint.GRANT_TYPES.values()]
    tokens = (*_OF_TOKENS, *parameters, *_AUTHENTICATED)
    token_parameters = ("token", "token_type_hint", *_AUTHENTICATED)
    pages = {200: "text/html", 302: None, 303: None, 400: "text/html", 403: "text/html"}
    json = {200: _JSON, 400: _JSON, 401: _JSON}
    metadata = {200: _JSON, 404: None}
    documents = (
        *("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
        *("/.well-known/oauth-protected-resource", "/oauth2/jwks", "/openapi.json"),
        "/.well-known/oauth-protected-resource/oauth2/userinfo",
    )
    return {
        **{path: {"get": _operation(f"read {path}", metadata)} for path in documents},
        "/health/live": {"get": _operation("alive", {200: _JSON})},
        "/health/ready": {"get": _operation("ready", {200: _JSON})},
        "/oauth2/authorize": {
            "get": _operation("authorize", pages, query=_AUTHORIZE),
            "post": _operation("authorize by a form", pages, form=_AUTHORIZE),
        },
        "/oauth2/logout": {
            "get": _operation("sign out", pages, query=_LOGOUT),
            "post": _operation("sign out by a form", pages, form=_LOGOUT),
        },
        "/oauth2/token": {"post": _operation("tokens", json, form=tokens)},
        "/oauth2/par": {
            "post": _operation(
                "push a request",
                {201: _JSON, 400: _JSON, 401: _JSON},
                form=(*dict.fromkeys((*_AUTHORIZE, *_AUTHENTICATED)),),
            )
        },
        "/oauth2/device_authorization": {
            "post": _operation("ask from a screen", json, form=(*_ASKS, *_AUTHENTICATED))
        },
        "/oauth2/revoke": {"post": _operation("revoke", json, form=token_parameters)},
        "/oauth2/introspect": {"post": _operation("introspect", json, form=token_parameters)},
        "/oauth2/userinfo": {
            "get": _operation("claims", {**json, 403: _JSON}),
            "post": _operation("claims by a form", {**json, 403: _JSON}, form=("access_token",)),
        },
        **_of_registration(),
    }


def _of_registration() -> dict[str, Any]:
    if "registration_endpoint" not in discovery.metadata():
        return {}
    refused = {400: _JSON, 401: _JSON, 403: _JSON}
    schema = {"type": "object", "properties": {field: {} for field in FIELDS}}
    body = {"content": {_JSON: {"schema": schema}}}
    name = {"name": "client_id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/oauth2/register": {
            "post": {**_operation("register", {201: _JSON, **refused}), "requestBody": body}
        },
        "/oauth2/register/{client_id}": {
            "parameters": [name],
            "get": _operation("read a registration", {200: _JSON, **refused}),
            "put": {
                **_operation("change a registration", {200: _JSON, **refused}),
                "requestBody": body,
            },
            "delete": _operation("end a registration", {204: None, **refused}),
        },
    }


def _operation(
    summary: str,
    answers: Mapping[int, str | None],
    *,
    query: tuple[str, ...] = (),
    form: tuple[str, ...] = (),
) -> dict[str, Any]:
    """``answers``: the content type of each status; ``_ANYWHERE`` comes with them."""
    text = {"type": "string"}
    operation: dict[str, Any] = {
        "operationId": summary.replace(" ", "_").replace("/", "_"),
        "summary": summary,
        "responses": {
            str(status): {
                "description": f"HTTP {status}",
                **({"content": {kind: {}}} if kind else {}),
            }
            for status, kind in sorted({**dict.fromkeys(_ANYWHERE), **answers}.items())
        },
    }
    if query:
        operation["parameters"] = [{"name": n, "in": "query", "schema": text} for n in query]
    if form:
        schema = {"type": "object", "properties": dict.fromkeys(form, text)}
        operation["requestBody"] = {"content": {_FORM: {"schema": schema}}}
    return operation
