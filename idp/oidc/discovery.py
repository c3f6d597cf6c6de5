"""The provider's metadata (OpenID Connect Discovery 1.0 §3, RFC 8414)."""

from typing import Any, Final

from authlib.oidc.discovery import OpenIDProviderMetadata

from idp import settings
from idp.clients import algorithms, encrypted_answers
from idp.clients.metadata import (
    ASSERTION_ALGORITHMS,
    CHILD_FIELDS,
    GRANT_TYPES,
    ID_TOKEN_ALGORITHMS,
    REQUEST_OBJECT_ALGORITHMS,
    SCOPES,
    SECURITY_EVENTS,
)
from idp.oidc import child_claim, client_certificate, dpop, protected_resource, response_types
from idp.oidc.claims import SUPPORTED
from idp.oidc.client_authentication import offered_methods
from idp.oidc.keyring import keyring
from idp.oidc.keys import NEEDED
from idp.sessions.assurance import ACRS
from idp.settings import LOCALES

_CALLED_BY_SERVERS: Final = (
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "userinfo_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
)


def metadata() -> dict[str, Any]:
    """The discovery document. Every address starts with the configured issuer (rule O23)."""
    issuer = settings.current().issuer
    methods = offered_methods()
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{issuer}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/oauth2/userinfo",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "device_authorization_endpoint": f"{issuer}/oauth2/device_authorization",
        "end_session_endpoint": f"{issuer}/oauth2/logout",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth2/par",
        "require_pushed_authorization_requests": (
            settings.current().require_pushed_authorization_requests
        ),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "scopes_supported": list(SCOPES),
        "response_types_supported": list(response_types.supported()),
        "response_modes_supported": list(response_types.modes()),
        "authorization_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "grant_types_supported": _grant_types(),
        "subject_types_supported": ["pairwise", "public"],
        "id_token_signing_alg_values_supported": signing_algorithms(),
        "userinfo_signing_alg_values_supported": signing_algorithms(),
        **{
            f"{answer}_encryption_{part}_values_supported": list(allowed)
            for answer in encrypted_answers.ANSWERS
            for part, allowed in (
                ("alg", encrypted_answers.KEY_ALGORITHMS),
                ("enc", encrypted_answers.CONTENT_ALGORITHMS),
            )
        },
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": [m for m in methods if m != "none"],
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_signing_alg_values_supported": signing_algorithms(),
        "code_challenge_methods_supported": ["S256"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "claims_supported": list(SUPPORTED),
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_object_signing_alg_values_supported": _request_object_algorithms(),
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "authorization_response_iss_parameter_supported": True,
        "protected_resources": [protected_resource.userinfo()],  # RFC 9728 §4
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": list(ACRS),
        "display_values_supported": ["page", "touch"],
        "ui_locales_supported": list(LOCALES),
        "child_claim_version": child_claim.VERSION,
        "child_fields_supported": list(CHILD_FIELDS),
        "child_hint_parameter_supported": True,
        "security_events_supported": list(SECURITY_EVENTS),
    }
    document |= _of_encrypted_requests()
    if settings.current().dynamic_registration != "off":
        document["registration_endpoint"] = f"{issuer}/oauth2/register"
    document |= _of_mutual_tls(document)
    _validate(document)
    return document


def called_by_servers() -> list[str]:
    """The paths that applications' servers call, where a client certificate may count."""
    issuer, document = settings.current().issuer, metadata()
    return [document[name].removeprefix(issuer) for name in _CALLED_BY_SERVERS]


def _grant_types() -> list[str]:
    implicit = settings.current().front_channel_id_tokens
    return [each for each in GRANT_TYPES if implicit or each != "implicit"]


def _of_mutual_tls(document: dict[str, Any]) -> dict[str, Any]:
    """RFC 8705 §3.3, §5: what can be bound to a certificate, and where one is asked for."""
    config = settings.current()
    if not client_certificate.is_asked_for():
        return {}
    more: dict[str, Any] = {"tls_client_certificate_bound_access_tokens": True}
    if config.mtls_address:
        more["mtls_endpoint_aliases"] = {
            name: document[name].replace(config.issuer, config.mtls_address, 1)
            for name in _CALLED_BY_SERVERS
            if name in document
        }
    return more


def _of_encrypted_requests() -> dict[str, Any]:
    """With what an application may encrypt for us, where this installation has keys for it."""
    keys = keyring().encryption_algorithms()
    usable = [alg for alg in encrypted_answers.KEY_ALGORITHMS if algorithms.key_for(alg) in keys]
    if not usable:
        return {}
    return {
        "request_object_encryption_alg_values_supported": usable,
        "request_object_encryption_enc_values_supported": list(
            encrypted_answers.CONTENT_ALGORITHMS
        ),
    }


def _request_object_algorithms() -> list[str]:
    unsigned = settings.current().unsigned_request_objects
    return [each for each in REQUEST_OBJECT_ALGORITHMS if unsigned or each != "none"]


def signing_algorithms() -> list[str]:
    """What we can sign with: an application may be registered for each."""
    return [alg for alg in ID_TOKEN_ALGORITHMS if alg in NEEDED or keyring().signs(alg)]


def _validate(document: dict[str, Any]) -> None:
    """Authlib's checks of the document; those that demand https are the settings' to decide."""
    checks = OpenIDProviderMetadata(document)
    for name in ("subject_types_supported", "id_token_signing_alg_values_supported"):
        getattr(checks, f"validate_{name}")()
