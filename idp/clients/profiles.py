"""Registration profiles: what each one switches on, and what it refuses.

``default`` is what OpenID Connect and RFC 9700 ask. ``fapi2`` is the FAPI 2.0 Security Profile:
all of it on, everything weaker off. ``legacy`` begins with what older software can do, and refuses
nothing. The endpoints ask the metadata that stand here, and ``is_fapi2`` for what no field says.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from idp.errors import Invalid

PROFILES: Final = ("default", "fapi2", "legacy")
STRONG_METHODS: Final = ("private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth")
STRONG_ALGORITHMS: Final = ("PS256", "ES256", "EdDSA")
_SIGNATURES: Final = (
    "token_endpoint_auth_signing_alg",
    "request_object_signing_alg",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
    "authorization_signed_response_alg",
)

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "default": {},
    "fapi2": {
        "token_endpoint_auth_method": "private_key_jwt",
        "id_token_signed_response_alg": "ES256",
    },
    "legacy": {"token_endpoint_auth_audience": "issuer_or_endpoint", "require_pkce": False},
}
"""What stands where nothing is said, other than usual."""

SWITCHED_ON: Final[dict[str, tuple[str, ...]]] = {
    # FAPI 2.0 §5.3.2.2: PAR and PKCE
    "fapi2": ("require_pushed_authorization_requests", "require_pkce"),
}
"""What is on, whatever is said."""

DEMANDS: Final[dict[str, dict[str, tuple[Any, ...]]]] = {
    "fapi2": {
        "token_endpoint_auth_method": STRONG_METHODS,  # §5.3.2.1
        "token_endpoint_auth_audience": ("issuer",),  # §5.3.2.1
        **dict.fromkeys(_SIGNATURES, STRONG_ALGORITHMS),  # §5.4.1
        "response_types": (["code"], []),  # §5.3.2.2
        "omit_iss": (False,),  # §5.3.2.2
    },
}
"""The values that a field may have; what is not there is not asked."""


def is_fapi2(document: Mapping[str, Any]) -> bool:
    """Whether this is a registration of FAPI 2.0; those from before this field are not."""
    return document.get("profile") == "fapi2"


def defaults_of(profile: Any) -> dict[str, Any]:
    """What stands in a registration of this profile where nothing is said."""
    return DEFAULTS.get(profile, {}) if isinstance(profile, str) else {}


def switch_on(document: dict[str, Any]) -> None:
    """Switch on what the profile has on."""
    profile = str(document.get("profile"))
    document.update(dict.fromkeys(SWITCHED_ON.get(profile, ()), True))
    bound = document.get("tls_client_certificate_bound_access_tokens")
    if is_fapi2(document) and bound is not True:
        document["dpop_bound_access_tokens"] = True  # §5.3.2.1: sender-constrained, by either


def _demanded(name: str, document: dict[str, Any]) -> None:
    allowed = DEMANDS.get(document["profile"], {}).get(name)
    if allowed is not None and name in document and document[name] not in allowed:
        raise Invalid(name, "profile_needs", allowed=allowed)


def _https_alone(name: str, document: dict[str, Any]) -> None:
    # §5.3.2.2; not plain HTTP on loopback either
    if is_fapi2(document) and not all(uri.startswith("https://") for uri in document[name]):
        raise Invalid(name, "profile_needs", allowed=("https://…",))


CHECKS: Final[tuple[tuple[str, Callable[[str, dict[str, Any]], None]], ...]] = (
    *((name, _demanded) for name in DEMANDS["fapi2"]),
    ("redirect_uris", _https_alone),
)
"""Asked of a document whose fields are right by themselves."""
