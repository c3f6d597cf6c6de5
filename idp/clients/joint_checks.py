"""What fields of client metadata ask of each other."""

from typing import Any, Final

from idp import settings
from idp.clients import certificate_names, encrypted_answers, field_checks, keys, profiles, uris
from idp.clients.field_checks import Check
from idp.clients.words import (
    ASSERTION_ALGORITHMS,
    FRONT_CHANNEL_RESPONSE_TYPES,
    GRANT_TYPES,
    GUARDIANSHIP_ENDED,
    TOKEN_EXCHANGE,
)
from idp.errors import Invalid


def _has_a_name(name: str, document: dict[str, Any]) -> None:
    if name not in document:
        raise Invalid(name, "unnamed")


def _has_an_address(name: str, document: dict[str, Any]) -> None:
    # RFC 8628: who is answered by polling has none
    if not document[name] and {"authorization_code", "implicit"} & set(document["grant_types"]):
        raise Invalid(name, "without_address")


def _near_the_application(name: str, document: dict[str, Any]) -> None:
    """Each address that parents are led to or shown, but for the redirect URIs themselves."""
    value = document.get(name) or []
    for uri in [value] if isinstance(value, str) else value:
        if not uris.is_reachable_beside(uri, document["redirect_uris"]):
            raise field_checks.of_address(name, uris.Problem.NOT_PUBLIC, uri)


def _has_keys(name: str, document: dict[str, Any]) -> None:
    method = document["token_endpoint_auth_method"]
    signs = document.get("request_object_signing_alg", "none") != "none"
    signs = signs or document.get("require_signed_request_object", False)
    signs = signs or "request_object_encryption_alg" in document  # what is encrypted was signed
    signs = signs or method == "private_key_jwt"
    needs = method == "self_signed_tls_client_auth" or signs
    if needs and not {name, "jwks_uri"} & document.keys():
        raise Invalid(name, "keys_needed")
    if signs and name in document and not keys.may_sign(document[name]):
        raise Invalid(name, "keys_encrypt")


def _signs_what_it_must(name: str, document: dict[str, Any]) -> None:
    if document.get(name) != "none":
        return
    # RFC 9101 §10.5: none is no signature
    signs = document.get("require_signed_request_object")
    signs = signs or "request_object_encryption_alg" in document
    if signs or not settings.current().unsigned_request_objects:
        raise Invalid(name, "must_be_one_of", allowed=ASSERTION_ALGORITHMS)


def _keys_in_one_place(name: str, document: dict[str, Any]) -> None:
    if name in document and "jwks" in document:
        raise Invalid(name, "keys_twice")  # RFC 7591 §2


def _bound_once(name: str, document: dict[str, Any]) -> None:
    if document[name] and document["dpop_bound_access_tokens"]:
        raise Invalid(name, "bound_twice")  # a token has one cnf (RFC 7800)


def _public_clients_use_pkce(name: str, document: dict[str, Any]) -> None:
    method = document["token_endpoint_auth_method"]
    if method == "none":
        document[name] = True  # RFC 9700 §2.1.1: public clients MUST use PKCE


def _exchanging_clients_prove_themselves(name: str, document: dict[str, Any]) -> None:
    """RFC 8693 §2.1: without that, whoever finds a token gets more of them."""
    method = document["token_endpoint_auth_method"]
    if method == "none" and TOKEN_EXCHANGE in document[name]:
        raise Invalid(name, "public_exchange")


def _agree_with_response_types(name: str, document: dict[str, Any]) -> None:
    """RFC 7591 §2.1: ID tokens on the browser's way are the grant type implicit, and a code that is
    never given is redeemed by nobody.
    """
    types = {word for each in document["response_types"] for word in each.split()}
    left_out = {"implicit"} | (set() if "code" in types else {"authorization_code"})
    kept = [each for each in document[name] if each not in left_out]
    document[name] = [*kept, "implicit"] if "id_token" in types else kept
    if not document[name]:
        raise Invalid(name, "must_be_some_of", allowed=GRANT_TYPES)


def _agree_with_grant_types(name: str, document: dict[str, Any]) -> None:
    """RFC 7591 §2.1: nobody is answered in a browser by a code that can't be redeemed."""
    if "authorization_code" not in document["grant_types"]:
        document[name] = [each for each in document[name] if "code" not in each.split()]
    elif not document[name]:
        raise Invalid(name, "must_be_some_of", allowed=("code", *FRONT_CHANNEL_RESPONSE_TYPES))


def _names_the_child(name: str, document: dict[str, Any]) -> None:
    if "sub" not in document[name]:
        document[name] = ["sub", *document[name]]


def _beside_a_redirect_uri(name: str, document: dict[str, Any]) -> None:
    """Front-Channel Logout 1.0 §2: scheme, host and port are those of a redirect URI."""
    if name in document and uris.origin(document[name]) not in {
        uris.origin(uri) for uri in document["redirect_uris"]
    }:
        raise Invalid(name, "uri_of_another_origin", address=document[name])


def _has_events(name: str, document: dict[str, Any]) -> None:
    """Where an application says nothing else, it hears of guardianships that end."""
    if "security_events_uri" in document:
        document.setdefault(name, [GUARDIANSHIP_ENDED])
    else:
        document.pop(name, None)


_LED_TO: Final = (
    *("post_logout_redirect_uris", "client_uri", "initiate_login_uri", "origins"),
    *("policy_uri", "tos_uri"),
)
_ASKED_BY_US: Final = ("backchannel_logout_uri", "security_events_uri")
TOGETHER: Final[tuple[tuple[str, Check], ...]] = (
    ("client_name", _has_a_name),
    ("redirect_uris", _has_an_address),
    *((name, _near_the_application) for name in (*_LED_TO, *_ASKED_BY_US)),
    ("response_types", _agree_with_grant_types),
    ("grant_types", _agree_with_response_types),
    ("grant_types", _exchanging_clients_prove_themselves),
    ("frontchannel_logout_uri", _beside_a_redirect_uri),
    ("security_events", _has_events),
    ("jwks", _has_keys),
    ("request_object_signing_alg", _signs_what_it_must),
    ("request_object_encryption_alg", encrypted_answers.check_requests),
    ("jwks_uri", _keys_in_one_place),
    *(
        (f"{answer}_encrypted_response_alg", encrypted_answers.check)
        for answer in encrypted_answers.ANSWERS
    ),
    ("require_pkce", _public_clients_use_pkce),
    ("tls_client_certificate_bound_access_tokens", _bound_once),
    ("token_endpoint_auth_method", certificate_names.check_one),
    ("child_fields", _names_the_child),
    *profiles.CHECKS,
)
"""What depends on several fields; the name is that of the field that is wrong."""
