"""``/openapi.json``: every address that programs call, described for them (OpenAPI 3.1).

What may be said at each stands in the tables of the code that answers, and in
``openapi_parameters``; what a specification says of a parameter is not said again here.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from idp import settings
from idp.clients.metadata import FIELDS
from idp.oidc import discovery, token_endpoint
from idp.oidc.openapi_parameters import PROOF, schema_of, schema_of_field

_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"
_PAGE: Final = "text/html"
_KEYS: Final = "application/jwk-set+json"
_JWT: Final = "application/jwt"
_SIGNED: Final = "application/token-introspection+jwt"
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
            "description": (
                "OAuth 2.0 and OpenID Connect. Discovery says what is supported. Pages for people"
                " are described where a program sends somebody: to sign in, to sign out, to type"
                " the code of a screen. What people do from there is not."
            ),
        },
        "servers": [{"url": settings.current().issuer}],
        "paths": _paths(discovery.metadata()),
        "components": {
            "securitySchemes": {
                "client": {"type": "http", "scheme": "basic"},
                "access_token": {"type": "http", "scheme": "bearer"},
                "registration": {"type": "http", "scheme": "bearer"},
            }
        },
    }


def _paths(supported: Mapping[str, Any]) -> dict[str, Any]:
    operation = partial(_operation, supported)
    metadata = {200: _JSON, 404: None}
    documents = (
        *("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
        *("/.well-known/oauth-protected-resource", "/openapi.json"),
        "/.well-known/oauth-protected-resource/oauth2/userinfo",
    )
    return {
        **{path: {"get": operation(f"read {path}", metadata)} for path in documents},
        "/oauth2/jwks": {"get": operation("read /oauth2/jwks", {200: _KEYS})},
        "/health/live": {"get": operation("alive", {200: _JSON})},
        "/health/ready": {"get": operation("ready", {200: _JSON})},
        **_of_browsers(operation),
        **_of_servers(operation),
        **_of_facebook(operation),
        **(_of_registration(operation) if "registration_endpoint" in supported else {}),
    }


def _of_browsers(operation: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """To where a program sends a person."""
    pages = {200: _PAGE, 302: None, 303: None, 400: _PAGE, 403: _PAGE}
    asks = {"required": ("client_id",)}
    return {
        "/oauth2/authorize": {
            "get": operation("authorize", pages, query=_AUTHORIZE, **asks),
            "post": operation("authorize by a form", pages, form=_AUTHORIZE, **asks),
        },
        "/oauth2/logout": {
            "get": operation("sign out", pages, query=_LOGOUT),
            "post": operation("sign out by a form", pages, form=_LOGOUT),
        },
        # RFC 8628 §3.3: its form is for who has opened it
        "/device": {"get": operation("type the code of a screen", pages, query=("user_code",))},
    }


def _of_servers(operation: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    parameters = [each.parameter for each in token_endpoint.GRANT_TYPES.values()]
    tokens = (*_OF_TOKENS, *parameters, *_AUTHENTICATED)
    json = {200: _JSON, 400: _JSON, 401: _JSON}
    of_a_token = {"form": ("token", "token_type_hint", *_AUTHENTICATED), "required": ("token",)}
    pushed = tuple(dict.fromkeys((*_AUTHORIZE, *_AUTHENTICATED)))
    claims = {**json, 403: _JSON}
    return {
        "/oauth2/token": {
            "post": operation("tokens", json, form=tokens, required=("grant_type",), by="client")
        },
        "/oauth2/par": {
            "post": operation(
                "push a request", {201: _JSON, 400: _JSON, 401: _JSON}, form=pushed, by="client"
            )
        },
        "/oauth2/device_authorization": {
            "post": operation(
                "ask from a screen", json, form=(*_ASKS, *_AUTHENTICATED), by="client"
            )
        },
        "/oauth2/revoke": {"post": operation("revoke", json, by="client", **of_a_token)},
        "/oauth2/introspect": {
            "post": operation(
                "introspect", {**json, 200: (_JSON, _SIGNED)}, by="client", **of_a_token
            )
        },
        "/oauth2/userinfo": {
            "get": operation("claims", {**claims, 200: (_JSON, _JWT)}, by="access_token"),
            "post": operation(
                "claims by a form",
                {**claims, 200: (_JSON, _JWT)},
                form=("access_token",),
                by="access_token",
            ),
        },
    }


def _of_facebook(operation: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Its servers call them; 404 where an installation does without it."""
    signed = {"form": ("signed_request",), "required": ("signed_request",)}
    return {
        "/federation/facebook/deauthorize": {
            "post": operation("somebody removed the app", {204: None, 400: _PAGE}, **signed)
        },
        "/federation/facebook/deletion": {
            "post": operation("somebody wants data deleted", {200: _JSON, 400: _PAGE}, **signed)
        },
    }


def _of_registration(operation: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    refused = {400: _JSON, 401: _JSON, 403: _JSON}
    schema = {"type": "object", "properties": {each: schema_of_field(each) for each in FIELDS}}
    body = {"content": {_JSON: {"schema": schema}}}
    name = {"name": "client_id", "in": "path", "required": True, "schema": {"type": "string"}}
    read = operation("read a registration", {200: _JSON, **refused}, by="registration")
    change = operation("change a registration", {200: _JSON, **refused}, by="registration")
    end = operation("end a registration", {204: None, **refused}, by="registration")
    register = operation("register", {201: _JSON, **refused}, by="registration")
    return {
        "/oauth2/register": {"post": {**register, "requestBody": body}},
        "/oauth2/register/{client_id}": {
            "parameters": [name],
            "get": read,
            "put": {**change, "requestBody": body},
            "delete": end,
        },
    }


def _operation(
    supported: Mapping[str, Any],
    summary: str,
    answers: Mapping[int, str | tuple[str, ...] | None],
    *,
    query: tuple[str, ...] = (),
    form: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
    by: str = "",
) -> dict[str, Any]:
    """``answers``: the content types of each status; ``_ANYWHERE`` comes with them. ``by``: who
    calls says so by this scheme, or in the body.
    """
    operation: dict[str, Any] = {
        "operationId": summary.replace(" ", "_").replace("/", "_"),
        "summary": summary,
        "responses": _responses({**dict.fromkeys(_ANYWHERE), **answers}),
    }
    schemas = {name: schema_of(name, supported) for name in (*query, *form)}
    parameters: list[Mapping[str, Any]] = [
        {"name": name, "in": "query", "required": name in required, "schema": schemas[name]}
        for name in query
    ]
    parameters += [PROOF] if by in {"client", "access_token"} else []
    if parameters:
        operation["parameters"] = parameters
    if form:
        body = {"type": "object", "properties": schemas, "required": list(required)}
        operation["requestBody"] = {"content": {_FORM: {"schema": body}}}
    if by:
        operation["security"] = [{by: []}, {}]
    return operation


def _responses(answers: Mapping[int, str | tuple[str, ...] | None]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for status, kinds in sorted(answers.items()):
        made[str(status)] = {"description": f"HTTP {status}"}
        if kinds:
            each = [kinds] if isinstance(kinds, str) else kinds
            made[str(status)]["content"] = {kind: {} for kind in each}
    return made
