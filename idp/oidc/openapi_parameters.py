"""What may be said in each parameter of the protocol, as ``/openapi.json`` describes it.

Where only certain words are understood they are listed, from where the code reads them. A
parameter that is not here is a text.
"""

from collections.abc import Mapping
from typing import Any, Final

from authlib.oauth2.rfc7523.client import ASSERTION_TYPE

from idp.clients.metadata import defaults
from idp.oidc import token_endpoint
from idp.oidc.grants.token_exchange import ACCESS_TOKEN_TYPE

TEXT: Final[Mapping[str, Any]] = {"type": "string"}
_ADDRESS: Final = {"type": "string", "format": "uri"}
_JWT: Final = {"type": "string", "contentMediaType": "application/jwt"}
_SPACED: Final = {"type": "string", "description": "words with a space between them"}
_SUPPORTED: Final = {
    "response_type": "response_types_supported",
    "response_mode": "response_modes_supported",
    "code_challenge_method": "code_challenge_methods_supported",
}
"""By the parameter, the member of discovery that lists its words."""
_FIXED: Final[Mapping[str, Mapping[str, Any]]] = {
    "grant_type": {"type": "string", "enum": list(token_endpoint.GRANT_TYPES)},
    "token_type_hint": {"type": "string", "enum": ["access_token", "refresh_token"]},
    "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
    "subject_token_type": {"type": "string", "enum": [ACCESS_TOKEN_TYPE]},
    "requested_token_type": {"type": "string", "enum": [ACCESS_TOKEN_TYPE]},
    "max_age": {"type": "integer", "minimum": 0},
    "claims": {"type": "string", "contentMediaType": "application/json"},
    **dict.fromkeys(("scope", "prompt", "acr_values", "ui_locales"), _SPACED),
    **dict.fromkeys(("client_assertion", "request", "id_token_hint", "signed_request"), _JWT),
    **dict.fromkeys(
        ("redirect_uri", "request_uri", "resource", "post_logout_redirect_uri"), _ADDRESS
    ),
    # RFC 7636 §4.1 and §4.2, RFC 9449 §10
    "code_verifier": {"type": "string", "minLength": 43, "maxLength": 128},
    "code_challenge": {"type": "string", "minLength": 43, "maxLength": 43},
    "dpop_jkt": {"type": "string", "minLength": 43, "maxLength": 43},
}
PROOF: Final = {
    "name": "DPoP",
    "in": "header",
    "required": False,
    "schema": _JWT,
    "description": "a proof of possession (RFC 9449), for tokens that are bound to a key",
}


def schema_of(name: str, supported: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a parameter of a query or a form. ``supported``: the discovery document."""
    if member := _SUPPORTED.get(name):
        return {"type": "string", "enum": supported[member]}
    return _FIXED.get(name, TEXT)


def schema_of_field(name: str) -> Mapping[str, Any]:
    """Of a field of a registration, by what it is where nobody says anything about it."""
    kinds = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
    kind = kinds.get(type(defaults().get(name)))
    return {"type": kind} if kind else {}
