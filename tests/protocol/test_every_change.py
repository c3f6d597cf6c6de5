"""Each field of a registration: what its change does to what was given and asked before it."""

from typing import Any, Final

import pytest
from flask.testing import FlaskClient

from idp.clients.changes import EFFECTS, Effect, Fate
from idp.clients.metadata import DEVICE_CODE, FIELDS
from idp.errors import Invalid
from tests.protocol.assertions import jwks, key_for
from tests.protocol.test_changed_registration import SCOPE, change
from tests.relying_party import CALLBACK, Browser, World, claims_of, leads_to, world

pytestmark = pytest.mark.quick_on("sqlite")

TWO = "https://portal.example/two"
SITE = "https://portal.example/page"
FIRST: Final[dict[str, Any]] = {
    "redirect_uris": [CALLBACK, TWO],
    "require_pkce": False,
    "id_token_claims": ["name"],
    "jwks": jwks(key_for("ES256"), key_for("RS256", "k2")),
}
OTHERWISE: Final[dict[str, dict[str, Any]]] = {
    "scope": {"scope": "openid child offline_access", "id_token_claims": []},
    "child_fields": {"child_fields": ["sub"]},
    "id_token_claims": {"id_token_claims": []},
    "redirect_uris": {"redirect_uris": [TWO]},
    "response_types": {"grant_types": [DEVICE_CODE, "refresh_token"], "response_types": []},
    "grant_types": {"grant_types": [DEVICE_CODE], "response_types": []},
    "require_pkce": {"require_pkce": True},
    "require_pushed_authorization_requests": {"require_pushed_authorization_requests": True},
    "require_signed_request_object": {"require_signed_request_object": True},
    "first_party": {"first_party": False},
    "subject_type": {"subject_type": "public"},
    "sector_identifier_uri": {"sector_identifier_uri": SITE},
    "client_name": {"client_name": "Autrement"},
    "post_logout_redirect_uris": {"post_logout_redirect_uris": [TWO]},
    "client_uri": {"client_uri": SITE},
    "contacts": {"contacts": ["help@portal.example"]},
    "initiate_login_uri": {"initiate_login_uri": SITE},
    "policy_uri": {"policy_uri": SITE},
    "tos_uri": {"tos_uri": SITE},
    "origins": {"origins": ["https://portal.example"]},
    "jwks": {"jwks": jwks(key_for("ES256", "k3"))},
    "token_endpoint_auth_audience": {"token_endpoint_auth_audience": "issuer_or_endpoint"},
    "request_object_signing_alg": {"request_object_signing_alg": "ES256"},
    "request_uris": {"request_uris": [SITE]},
    "introspection_signed_response_alg": {"introspection_signed_response_alg": "RS256"},
    "default_max_age": {"default_max_age": 60},
    "default_acr_values": {"default_acr_values": ["phr"]},
    "child_claim_profile": {"child_claim_profile": "uri"},
    "allow_popups": {"allow_popups": True},
    "omit_iss": {"omit_iss": True},
    "backchannel_logout_session_required": {"backchannel_logout_session_required": True},
    "frontchannel_logout_session_required": {"frontchannel_logout_session_required": True},
}
"""A change of each field that is tried here."""
ELSEWHERE: Final = {
    "schools": "security/test_children.py",
    "resources": "test_changed_registration.py",
    "email_claim": "test_consent.py",
    "profile": "it switches on what is tried by itself",
    "token_endpoint_auth_method": "test_client_authentication.py",
    "dpop_bound_access_tokens": "conformance/test_dpop.py",
    "tls_client_certificate_bound_access_tokens": "conformance/test_mutual_tls.py",
}


def seen(there: World, tokens: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The claims that UserInfo tells for a token from before, and those of the ID token of a
    refresh; none where it is worth nothing.
    """
    told = there.portal.userinfo(there.http, tokens["access_token"])
    refreshed = there.portal.refresh(there.http, tokens["refresh_token"])
    id_token = (refreshed.json or {}).get("id_token")
    tokens |= refreshed.json or {}
    claims = [told.json or {}, claims_of(there.http, id_token) if id_token else {}]
    return names(claims[0] if told.status_code == 200 else {}), names(claims[1])


def names(claims: dict[str, Any]) -> list[str]:
    child = claims.get("child", {})
    return sorted([*claims, *(f"child.{name}" for name in child)])


def becomes(before: tuple[list[str], list[str]], after: tuple[list[str], list[str]]) -> Fate:
    """What became of tokens, as far as it shows: what counts still may be told otherwise."""
    if not any(after):
        return Fate.ENDED
    if not after[1]:
        return Fate.REFUSED
    fewer = [set(now) < set(then) for then, now in zip(before, after, strict=True)]
    return Fate.NARROWED if any(fewer) else Fate.COUNTS


def test_every_field_says_what_its_change_does() -> None:
    assert set(EFFECTS) == {*FIELDS, "schools"}
    untried = set(EFFECTS) - set(OTHERWISE) - set(ELSEWHERE)
    # Nothing is said of these but that they matter to nothing from before
    assert {name for name in untried if EFFECTS[name] != Effect()} == set()


@pytest.mark.parametrize("field", sorted(OTHERWISE))
def test_what_a_change_does_is_what_the_table_says(client: FlaskClient, field: str) -> None:
    there = world(client, "Lina", **FIRST)
    tokens = there.redeem(scope=SCOPE)
    before = seen(there, tokens)
    elsewhere = Browser(client.application.test_client())
    elsewhere.open(there.portal.authorize_path(scope=SCOPE))
    effect = EFFECTS[field]

    if effect.grants is Fate.STAYS:
        with pytest.raises(Invalid):
            change(there, **OTHERWISE[field])
        return
    change(there, **OTHERWISE[field])

    assert becomes(before, seen(there, tokens)) is effect.grants
    page = elsewhere.sign_in("claire")
    gets_code = "code=" in leads_to(page)
    assert gets_code is (effect.waiting in {Fate.COUNTS, Fate.NARROWED}), page.text[:500]
