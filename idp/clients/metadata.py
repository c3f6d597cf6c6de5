"""RFC 7591 client metadata: what may be registered, and what stands where nothing is said.

The values that fields may have are words of ``idp.clients.words``, which others take from here.
What fields ask of each other stands in ``idp.clients.joint_checks``.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from idp import settings
from idp.clients import (
    certificate_names,
    encrypted_answers,
    field_checks,
    profiles,
)
from idp.clients.field_checks import Check
from idp.clients.joint_checks import TOGETHER
from idp.clients.words import (
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    ACR_VALUES,
    ASSERTION_ALGORITHMS,
    ASSERTION_AUDIENCES,
    AUTH_METHODS,
    CHILD_FIELDS,
    CHILD_PROFILES,
    CONSENT_WITHDRAWN,
    DEFAULT_CHILD_FIELDS,
    DEVICE_CODE,
    EMAIL_CLAIMS,
    FRONT_CHANNEL_RESPONSE_TYPES,
    GRANT_TYPES,
    GUARDIANSHIP_ENDED,
    ID_TOKEN_ALGORITHMS,
    ID_TOKEN_CLAIMS,
    REQUEST_OBJECT_ALGORITHMS,
    SCOPES,
    SECURITY_EVENTS,
    SESSION_REVOKED,
    TOKEN_EXCHANGE,
)
from idp.errors import Invalid
from idp.people.models import NAME_LENGTH

__all__ = [
    "ACCOUNT_DISABLED",
    "ACCOUNT_ENABLED",
    "ACR_VALUES",
    "ASSERTION_ALGORITHMS",
    "ASSERTION_AUDIENCES",
    "AUTH_METHODS",
    "CHILD_FIELDS",
    "CHILD_PROFILES",
    "CONSENT_WITHDRAWN",
    "DEFAULT_CHILD_FIELDS",
    "DEVICE_CODE",
    "EMAIL_CLAIMS",
    "FIELDS",
    "FRONT_CHANNEL_RESPONSE_TYPES",
    "GRANT_TYPES",
    "GUARDIANSHIP_ENDED",
    "ID_TOKEN_ALGORITHMS",
    "ID_TOKEN_CLAIMS",
    "REQUEST_OBJECT_ALGORITHMS",
    "SCOPES",
    "SECURITY_EVENTS",
    "SESSION_REVOKED",
    "TOKEN_EXCHANGE",
    "accepts_endpoint_as_audience",
    "checked",
    "defaults",
    "has_made_up_email",
    "normal_response_type",
]


_READ_TOGETHER: Final = frozenset(
    {"profile", "redirect_uris", "response_types", "grant_types", "token_endpoint_auth_method"}
)
"""What the joint checks read, beside the fields that they are about."""


def checked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The complete metadata document: defaults filled in, every field checked.

    Unknown fields are ignored (RFC 7591 §2). Raises ``Invalid``, with all that is wrong.
    """
    document = {
        **defaults(),
        **profiles.defaults_of(raw.get("profile")),
        **{k: v for k, v in raw.items() if k in _CHECKS and v is not None},
    }
    problems = {k: Invalid(k, "control") for k in document if not _is_storable(document[k])}
    checks = [(name, check) for name, check in _CHECKS.items() if name in document]
    _run_checks(checks, document, problems)
    for name in problems.keys() & _READ_TOGETHER:
        if not _is_like(document[name], defaults()[name]):
            document[name] = defaults()[name]  # so that the others' problems are told as well
    profiles.switch_on(document)
    _run_checks(TOGETHER, document, problems)
    if problems:
        first, *others = problems.values()
        first.others = tuple(others)
        raise first
    return document


def _run_checks(
    checks: Iterable[tuple[str, Check]], document: dict[str, Any], problems: dict[str, Invalid]
) -> None:
    """Add what these checks find to what is wrong, one problem for a field."""
    for name, check in checks:
        try:
            if name not in problems:
                check(name, document)
        except Invalid as problem:
            problems[name] = problem


def _is_like(value: Any, default: Any) -> bool:
    """Whether it is a text, or a list of texts, as what stands where nothing is said."""
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, str)


def _is_storable(value: Any) -> bool:
    """Whether a database can keep this and give it back: PostgreSQL reads no field of a document
    that holds a NUL or half a character anywhere, in a member that nobody knows too.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return "\\u0000" not in text


def defaults() -> dict[str, Any]:
    """What stands where nothing is said."""
    return {
        "profile": "default",
        "redirect_uris": [],
        "post_logout_redirect_uris": [],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid",
        "token_endpoint_auth_method": "client_secret_basic",
        "token_endpoint_auth_audience": "issuer",
        "dpop_bound_access_tokens": False,
        "tls_client_certificate_bound_access_tokens": False,
        "application_type": "web",
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "RS256",
        "first_party": False,
        "require_pkce": True,
        "child_fields": list(DEFAULT_CHILD_FIELDS),
        "child_claim_profile": "object",
        "id_token_claims": [],
        "email_claim": "real",
        "origins": [],
        "allow_popups": False,
        "omit_iss": False,
        "resources": [],
    }


def normal_response_type(text: str | None) -> str:
    """The words of a response type in one order: theirs says nothing (RFC 6749 §3.1.1)."""
    return " ".join(sorted((text or "").split()))


def _scope(name: str, document: dict[str, Any]) -> None:
    value = document[name]
    words = value.split() if isinstance(value, str) else []
    if "openid" not in words or not set(words) <= set(SCOPES):
        raise Invalid(name, "no_scope", allowed=SCOPES[1:])
    document[name] = " ".join(scope for scope in SCOPES if scope in words)


def _response_types(name: str, document: dict[str, Any]) -> None:
    allowed: tuple[str, ...] = ("code", *FRONT_CHANNEL_RESPONSE_TYPES)
    value = document[name]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        document[name] = value = list(dict.fromkeys(map(normal_response_type, value)))
    if value != ["code"] and not settings.current().front_channel_id_tokens:
        allowed = ("code",)
    field_checks.some_of(*allowed, least=0)(name, document)


_CHECKS: Final[dict[str, Check]] = {
    "profile": field_checks.one_of(*profiles.PROFILES),
    "client_name": field_checks.text(NAME_LENGTH),
    "application_type": field_checks.one_of("web", "native"),
    "redirect_uris": field_checks.redirects,
    "post_logout_redirect_uris": field_checks.redirects,
    "client_uri": field_checks.page,
    "contacts": field_checks.contacts,
    "initiate_login_uri": field_checks.page,
    "response_types": _response_types,
    "grant_types": field_checks.some_of(*GRANT_TYPES),
    "logo_uri": field_checks.called_by_us,
    "policy_uri": field_checks.page,
    "tos_uri": field_checks.page,
    "scope": _scope,
    "token_endpoint_auth_method": field_checks.one_of(*AUTH_METHODS),
    "token_endpoint_auth_signing_alg": field_checks.one_of(*ASSERTION_ALGORITHMS),
    "token_endpoint_auth_audience": field_checks.one_of(*ASSERTION_AUDIENCES),
    "dpop_bound_access_tokens": field_checks.boolean,
    "tls_client_certificate_bound_access_tokens": field_checks.boolean,
    **dict.fromkeys(certificate_names.FIELDS, certificate_names.check),
    "jwks": field_checks.jwks,
    "request_object_signing_alg": field_checks.one_of(*REQUEST_OBJECT_ALGORITHMS),
    "request_object_encryption_alg": field_checks.one_of(*encrypted_answers.KEY_ALGORITHMS),
    "request_object_encryption_enc": field_checks.one_of(*encrypted_answers.CONTENT_ALGORITHMS),
    "require_signed_request_object": field_checks.boolean,
    "parameters_beside_request_object": field_checks.boolean,
    "request_uris": field_checks.request_uris,
    "authorization_signed_response_alg": field_checks.one_of(*ID_TOKEN_ALGORITHMS),
    "jwks_uri": field_checks.called_by_us,
    "require_pushed_authorization_requests": field_checks.boolean,
    "sector_identifier_uri": field_checks.called_by_us,
    "subject_type": field_checks.one_of("pairwise", "public"),
    "id_token_signed_response_alg": field_checks.one_of(*ID_TOKEN_ALGORITHMS),
    "userinfo_signed_response_alg": field_checks.one_of(*ID_TOKEN_ALGORITHMS),
    **{name: field_checks.one_of(*allowed) for name, allowed in encrypted_answers.FIELDS},
    "introspection_signed_response_alg": field_checks.one_of(*ID_TOKEN_ALGORITHMS),
    "default_max_age": field_checks.positive,
    "default_acr_values": field_checks.some_of(*ACR_VALUES),
    "first_party": field_checks.boolean,
    "require_pkce": field_checks.boolean,
    "child_fields": field_checks.some_of(*CHILD_FIELDS),
    "child_claim_profile": field_checks.one_of(*CHILD_PROFILES),
    "id_token_claims": field_checks.some_of(*ID_TOKEN_CLAIMS, least=0),
    "email_claim": field_checks.one_of(*EMAIL_CLAIMS),
    "allow_popups": field_checks.boolean,
    "omit_iss": field_checks.boolean,
    "origins": field_checks.origins,
    "backchannel_logout_uri": field_checks.page,
    "backchannel_logout_session_required": field_checks.boolean,
    "frontchannel_logout_uri": field_checks.page,
    "frontchannel_logout_session_required": field_checks.boolean,
    "security_events_uri": field_checks.page,
    "security_events": field_checks.some_of(*SECURITY_EVENTS),
    "resources": field_checks.resources,
}
FIELDS: Final = tuple(_CHECKS)
"""Every field that may be registered."""


def has_made_up_email(document: Mapping[str, Any]) -> bool:
    """Whether this application gets addresses that are made up; registrations from before this
    field get the real ones.
    """
    return document.get("email_claim") == "unique"


def accepts_endpoint_as_audience(document: Mapping[str, Any]) -> bool:
    """Whether its assertions may name an endpoint of ours; in registrations from before this
    field they may not.
    """
    return document.get("token_endpoint_auth_audience") == "issuer_or_endpoint"
