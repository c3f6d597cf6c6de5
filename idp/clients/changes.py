"""What a change of a registration does to what was given and asked before: a table, field → fate.

Each field of a registration has its row, so that a new one has to say which it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from idp.clients.metadata import has_made_up_email
from idp.errors import Invalid


class Fate(Enum):
    """What becomes of something from before the change."""

    COUNTS = "goes on; what is answered from now on is answered by the registration of now"
    NARROWED = "is cut down to what is registered now"
    REFUSED = "is refused where it is not registered any more, or comes otherwise than demanded"
    ENDED = "ends where nobody has allowed it; an open page asks for that"
    STAYS = "nothing, for the field can't change"


@dataclass(frozen=True)
class Effect:
    """What a change of one field does. ``grants``: to grants and tokens; ``waiting``: to requests
    that wait for an answer, and to codes.
    """

    grants: Fate = Fate.COUNTS
    waiting: Fate = Fate.COUNTS


_NARROWED: Final = Effect(Fate.NARROWED, Fate.NARROWED)
_ASKED_AGAIN: Final = Effect(waiting=Fate.REFUSED)
_ENDED: Final = Effect(Fate.ENDED, Fate.ENDED)
_STAYS: Final = Effect(Fate.STAYS, Fate.STAYS)
_OTHERS: Final = {
    "scope": _NARROWED,
    "child_fields": _NARROWED,
    "id_token_claims": _NARROWED,
    "schools": _NARROWED,
    "redirect_uris": _ASKED_AGAIN,
    "response_types": _ASKED_AGAIN,
    "require_pkce": _ASKED_AGAIN,
    "require_pushed_authorization_requests": _ASKED_AGAIN,
    "require_signed_request_object": _ASKED_AGAIN,
    # It switches the demands on
    "profile": Effect(Fate.COUNTS, Fate.REFUSED),
    # Of refresh tokens, too: the grant type of a token request has to be registered
    "grant_types": Effect(Fate.REFUSED, Fate.REFUSED),
    "resources": Effect(Fate.REFUSED, Fate.REFUSED),
    "token_endpoint_auth_method": Effect(Fate.REFUSED, Fate.REFUSED),
    "dpop_bound_access_tokens": Effect(Fate.REFUSED, Fate.REFUSED),
    "tls_client_certificate_bound_access_tokens": Effect(Fate.REFUSED, Fate.REFUSED),
    "first_party": _ENDED,
    "email_claim": _ENDED,
    "sector_identifier_uri": _STAYS,
    "subject_type": _STAYS,
}
_MATTERS_NOT: Final = (
    *("client_name", "application_type", "post_logout_redirect_uris", "client_uri", "contacts"),
    *("initiate_login_uri", "logo_uri", "policy_uri", "tos_uri", "origins", "jwks", "jwks_uri"),
    *("token_endpoint_auth_signing_alg", "token_endpoint_auth_audience"),
    *("request_object_signing_alg", "request_object_encryption_alg"),
    *("request_object_encryption_enc", "parameters_beside_request_object", "request_uris"),
    *("authorization_signed_response_alg", "id_token_signed_response_alg"),
    *("userinfo_signed_response_alg", "introspection_signed_response_alg"),
    *("id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    *("userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    *("authorization_encrypted_response_alg", "authorization_encrypted_response_enc"),
    *("tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri"),
    *("tls_client_auth_san_ip", "tls_client_auth_san_email"),
    *("default_max_age", "default_acr_values", "child_claim_profile", "allow_popups", "omit_iss"),
    *("backchannel_logout_uri", "backchannel_logout_session_required"),
    *("frontchannel_logout_uri", "frontchannel_logout_session_required"),
    *("security_events_uri", "security_events"),
)
"""How it is called, shown and told, how it proves itself, and what its next requests will be."""
EFFECTS: Final[Mapping[str, Effect]] = {**dict.fromkeys(_MATTERS_NOT, Effect()), **_OTHERS}
"""By the name of a field of the metadata, or ``schools``."""


def check_staying(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Refuse a change of what stays as it was registered: people's subjects hang on it.

    Core §5.3.2, §12.2: under tokens that live, the ``sub`` is the one of their ID token. Raises
    ``Invalid``.
    """
    for name, effect in EFFECTS.items():
        if effect.grants is Fate.STAYS and after.get(name) != before.get(name):
            raise Invalid(name, "sector_stays")


def shows_addresses(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a third party gets real addresses from now on: nobody has allowed it their own."""
    made_up = has_made_up_email(before) and not has_made_up_email(after)
    return made_up and not after["first_party"]


def is_ours_no_more(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether it was the schools' own, for which nobody was asked, and is a third party now."""
    return bool(before["first_party"] and not after["first_party"])
