"""RFC 7591 client metadata: what may be registered, and what stands where nothing is said."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from idp.clients import uris
from idp.people.models import NAME_LENGTH

SCOPES: Final = ("openid", "profile", "email", "child", "offline_access")
AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
ID_TOKEN_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
ASSERTION_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
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
DEFAULT_CHILD_FIELDS: Final = ("sub", "given_name", "school.id")
CHILD_PROFILES: Final = ("object", "uri", "flat")


class InvalidMetadata(Exception):
    """A field of the registration is refused: ``field`` and a plain ``reason``."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


def checked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The complete metadata document: defaults filled in, every field checked.

    Unknown fields are ignored (RFC 7591 §2). Raises ``InvalidMetadata``.
    """
    document = {
        **_defaults(),
        **{k: v for k, v in raw.items() if k in _CHECKS and v is not None},
    }
    for name, check in _CHECKS.items():
        if name in document:
            check(name, document)
    _check_together(document)
    return document


def _defaults() -> dict[str, Any]:
    return {
        "redirect_uris": [],
        "post_logout_redirect_uris": [],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid",
        "token_endpoint_auth_method": "client_secret_basic",
        "application_type": "web",
        "subject_type": "pairwise",
        "id_token_signed_response_alg": "RS256",
        "first_party": False,
        "require_pkce": True,
        "child_fields": list(DEFAULT_CHILD_FIELDS),
        "child_claim_profile": "object",
        "origins": [],
    }


Check = Callable[[str, dict[str, Any]], None]


def _text(most: int) -> Check:
    def check(name: str, document: dict[str, Any]) -> None:
        value = document[name]
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= most:
            raise InvalidMetadata(name, f"must be a text of 1 to {most} characters")
        if any(ord(character) < 32 or ord(character) == 127 for character in value):
            raise InvalidMetadata(name, "holds a control character")

    return check


def _one_of(*allowed: str) -> Check:
    def check(name: str, document: dict[str, Any]) -> None:
        if document[name] not in allowed:
            raise InvalidMetadata(name, f"must be one of {', '.join(allowed)}")

    return check


def _some_of(*allowed: str) -> Check:
    def check(name: str, document: dict[str, Any]) -> None:
        value = document[name]
        if not isinstance(value, list) or not value or not set(map(str, value)) <= set(allowed):
            raise InvalidMetadata(name, f"must be a list of {', '.join(allowed)}")

    return check


def _boolean(name: str, document: dict[str, Any]) -> None:
    if not isinstance(document[name], bool):
        raise InvalidMetadata(name, "must be true or false")


def _scope(name: str, document: dict[str, Any]) -> None:
    value = document[name]
    words = value.split() if isinstance(value, str) else []
    if "openid" not in words or not set(words) <= set(SCOPES):
        raise InvalidMetadata(name, f"must hold openid and may hold {', '.join(SCOPES[1:])}")
    document[name] = " ".join(scope for scope in SCOPES if scope in words)


def _page(name: str, document: dict[str, Any]) -> None:
    value = document[name]
    problem = uris.problem_of_page(value) if isinstance(value, str) else "must be a text"
    if problem:
        raise InvalidMetadata(name, problem)


def _redirects(name: str, document: dict[str, Any]) -> None:
    native = document.get("application_type") == "native"
    for uri in _list_of_text(name, document):
        if problem := uris.problem_of_redirect_uri(uri, native=native):
            raise InvalidMetadata(name, f"{uri[:80]!r} {problem}")


def _origins(name: str, document: dict[str, Any]) -> None:
    for value in _list_of_text(name, document):
        if uris.problem_of_page(value) or uris.origin(value) != value:
            raise InvalidMetadata(name, f"{value[:80]!r} is not an https origin")


def _jwks(name: str, document: dict[str, Any]) -> None:
    try:
        keys = KeySet.import_key_set(document[name]).keys
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidMetadata(name, "is not a JSON Web Key Set") from error
    if not keys or any(key.key_type == "oct" or key.is_private for key in keys):
        raise InvalidMetadata(name, "must hold public keys only")


def _list_of_text(name: str, document: dict[str, Any]) -> list[str]:
    value = document[name]
    if not isinstance(value, list) or len(value) > 50:
        raise InvalidMetadata(name, "must be a list of at most 50 addresses")
    if not all(isinstance(each, str) for each in value):
        raise InvalidMetadata(name, "must be a list of texts")
    return value


def _positive(name: str, document: dict[str, Any]) -> None:
    value = document[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidMetadata(name, "must be a number of seconds")


_CHECKS: Final[dict[str, Check]] = {
    "client_name": _text(NAME_LENGTH),
    "application_type": _one_of("web", "native"),
    "redirect_uris": _redirects,
    "post_logout_redirect_uris": _redirects,
    "client_uri": _page,
    "initiate_login_uri": _page,
    "response_types": _some_of("code"),
    "grant_types": _some_of("authorization_code", "refresh_token"),
    "scope": _scope,
    "token_endpoint_auth_method": _one_of(*AUTH_METHODS),
    "token_endpoint_auth_signing_alg": _one_of(*ASSERTION_ALGORITHMS),
    "jwks": _jwks,
    "subject_type": _one_of("pairwise", "public"),
    "id_token_signed_response_alg": _one_of(*ID_TOKEN_ALGORITHMS),
    "default_max_age": _positive,
    "default_acr_values": _some_of(*ACR_VALUES),
    "first_party": _boolean,
    "require_pkce": _boolean,
    "child_fields": _some_of(*CHILD_FIELDS),
    "child_claim_profile": _one_of(*CHILD_PROFILES),
    "origins": _origins,
}


def _check_together(document: dict[str, Any]) -> None:
    if "client_name" not in document:
        raise InvalidMetadata("client_name", "is missing")
    if not document["redirect_uris"]:
        raise InvalidMetadata("redirect_uris", "must name at least one address")
    method = document["token_endpoint_auth_method"]
    if method == "private_key_jwt" and "jwks" not in document:
        raise InvalidMetadata("jwks", "is needed for private_key_jwt")
    if method == "none":
        document["require_pkce"] = True  # RFC 9700 §2.1.1: public clients MUST use PKCE
    if "sub" not in document["child_fields"]:
        document["child_fields"] = ["sub", *document["child_fields"]]
