"""RFC 7591 client metadata: what may be registered, and what stands where nothing is said."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from idp import settings
from idp.clients import (
    certificate_names,
    encrypted_answers,
    field_checks,
    keys,
    profiles,
    uris,
)
from idp.clients.field_checks import Check
from idp.errors import Invalid
from idp.people.models import NAME_LENGTH

SCOPES: Final = ("openid", "profile", "email", "child", "offline_access")
AUTH_METHODS: Final = (
    *("client_secret_basic", "client_secret_post", "private_key_jwt"),
    *("tls_client_auth", "self_signed_tls_client_auth", "none"),
)
DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
GRANT_TYPES: Final = (
    *("authorization_code", "implicit", "refresh_token"),
    *(DEVICE_CODE, TOKEN_EXCHANGE),
)
ID_TOKEN_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
ASSERTION_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
REQUEST_OBJECT_ALGORITHMS: Final = (*ASSERTION_ALGORITHMS, "none")
ASSERTION_AUDIENCES: Final = ("issuer", "issuer_or_endpoint")
"""Which ``aud`` a client assertion may have: our issuer alone (RFC 7523bis), or the address of the
endpoint too, which OpenID Connect Core §9 recommended and older software sends."""
FRONT_CHANNEL_RESPONSE_TYPES: Final = ("code id_token", "id_token")
"""Those whose answer holds an ID token on the browser's way; never an access token."""
CHILD_FIELDS: Final = (
    "sub",
    "given_name",
    "family_name",
    "school.id",
    "school.name",
    "class",
    "relationship",
    "selection",
    "selected_at",
    "switchable",
    "sourced_id",
)
ACR_VALUES: Final = (
    "urn:school-idp:acr:single-factor",
    "urn:school-idp:acr:two-factor",
    "phr",
)
"""The context classes of ``idp.sessions.assurance``, which this layer does not import."""
ID_TOKEN_CLAIMS: Final = (
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "locale",
    "email",
    "email_verified",
)
"""What of the guardian may stand in ID tokens for software that does not ask UserInfo."""
EMAIL_CLAIMS: Final = ("real", "unique")
"""The guardian's address, or one made up for this application that nobody else has."""
GUARDIANSHIP_ENDED: Final = "urn:school-idp:event:guardianship-ended"
CONSENT_WITHDRAWN: Final = "urn:school-idp:event:consent-withdrawn"
SESSION_REVOKED: Final = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
ACCOUNT_DISABLED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
ACCOUNT_ENABLED: Final = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
SECURITY_EVENTS: Final = (
    *(GUARDIANSHIP_ENDED, CONSENT_WITHDRAWN, SESSION_REVOKED),
    *(ACCOUNT_DISABLED, ACCOUNT_ENABLED),
)
"""Security events (RFC 8417) that may be pushed to an application: CAEP and RISC where they have a
word for it, else our own."""
DEFAULT_CHILD_FIELDS: Final = ("sub", "given_name", "school.id")
CHILD_PROFILES: Final = ("object", "uri", "flat")


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
    _run_checks(_TOGETHER, document, problems)
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
_TOGETHER: Final[tuple[tuple[str, Check], ...]] = (
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
