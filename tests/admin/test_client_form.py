"""The form of an application: every field of its metadata, and none lost at saving."""

import json
import re
from typing import Any

import pytest
from flask import Flask
from joserfc.jwk import ECKey, KeySet

from idp.clients import metadata
from idp.clients.metadata import FIELDS as METADATA
from idp.clients.metadata import SECURITY_EVENTS
from idp.web.admin import client_fields
from idp.web.admin.client_controls import Control
from tests.admin.client_forms import LIST, controls, edit, register, send
from tests.admin.places import Desk
from tests.admin.test_clients import fresh, only_client
from tests.outgoing.conftest import change
from tests.relying_party import CALLBACK, RelyingParty

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HERE = CALLBACK.rpartition("/")[0]
KEYS = KeySet([ECKey.generate_key("P-256", {"use": use}) for use in ("enc", "sig")]).as_dict(
    private=False
)
CERTIFIED = {"token_endpoint_auth_method": "tls_client_auth"}
REGISTRATIONS: tuple[dict[str, Any], ...] = (
    {
        "client_name": "Portail",
        "redirect_uris": [CALLBACK, f"{HERE}/other"],
        "post_logout_redirect_uris": [f"{HERE}/bye"],
        "initiate_login_uri": f"{HERE}/start",
        "client_uri": f"{HERE}/home",
        "policy_uri": f"{HERE}/policy",
        "tos_uri": f"{HERE}/terms",
        "contacts": ["dev@portail.example", "+32 2 555 01 01"],
        "scope": "openid email child",
        "default_max_age": 0,
        "default_acr_values": ["phr", "urn:school-idp:acr:two-factor"],
        "first_party": True,
        "require_pkce": False,
        "child_fields": ["class", "sub"],
        "child_claim_profile": "flat",
        "id_token_claims": ["name"],
        "email_claim": "unique",
        "allow_popups": True,
        "omit_iss": True,
        "origins": [HERE],
        "grant_types": ["refresh_token", "authorization_code", metadata.DEVICE_CODE],
        "resources": ["urn:example:calendar"],
        "subject_type": "public",
        "profile": "legacy",
        "token_endpoint_auth_audience": "issuer_or_endpoint",
    },
    {
        "backchannel_logout_uri": f"{HERE}/back",
        "backchannel_logout_session_required": True,
        "frontchannel_logout_uri": f"{HERE}/front",
        "frontchannel_logout_session_required": True,
        "security_events_uri": f"{HERE}/events",
        "security_events": [SECURITY_EVENTS[2], SECURITY_EVENTS[0]],
    },
    {
        "jwks": KEYS,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "id_token_signed_response_alg": "ES256",
        "userinfo_signed_response_alg": "ES256",
        "introspection_signed_response_alg": "ES256",
        "authorization_signed_response_alg": "ES256",
        **{
            f"{answer}_encrypted_response_{part}": value
            for answer in ("id_token", "userinfo", "authorization")
            for part, value in (("alg", "ECDH-ES"), ("enc", "A256GCM"))
        },
        "request_object_signing_alg": "ES256",
        "request_object_encryption_alg": "ECDH-ES",
        "request_object_encryption_enc": "A256GCM",
        "require_signed_request_object": True,
        "parameters_beside_request_object": True,
        "request_uris": [f"{HERE}/request"],
        "require_pushed_authorization_requests": True,
        "dpop_bound_access_tokens": True,
        "response_types": ["code", "code id_token"],
    },
    {
        "application_type": "native",
        "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": ["com.example.app:/callback"],
        "post_logout_redirect_uris": [],
        "response_types": ["code id_token"],
    },
    {"jwks_uri": f"{HERE}/keys", "tls_client_certificate_bound_access_tokens": True},
    *({**CERTIFIED, name: value} for name, value in (
        ("tls_client_auth_subject_dn", "CN=portail,O=École"),
        ("tls_client_auth_san_dns", "portail.example"),
        ("tls_client_auth_san_uri", "urn:portail"),
        ("tls_client_auth_san_ip", "192.0.2.1"),
        ("tls_client_auth_san_email", "portail@portail.example"),
    )),
)  # fmt: skip
"""What may be registered otherwise than usual, every field of it somewhere."""
FETCHED = {"logo_uri", "sector_identifier_uri"}
"""What is fetched when it is registered."""


def test_every_field_of_the_metadata_is_in_the_form_or_told_why_not(database_url: str) -> None:
    named = {client_fields.FORM_NAMES.get(name, name) for name in METADATA}
    left_out = set(client_fields.NOT_IN_THE_FORM)
    assert named - left_out == set(client_fields.FIELDS) - {"schools"}
    assert left_out <= set(METADATA)
    assert all(client_fields.NOT_IN_THE_FORM.values())


def test_every_field_is_registered_somewhere_below(database_url: str) -> None:
    registered = {name for each in REGISTRATIONS for name in each}
    assert registered == set(METADATA) - FETCHED


@pytest.mark.parametrize("registered", REGISTRATIONS, ids=lambda each: next(iter(each)))
def test_an_untouched_form_loses_nothing(
    app: Flask, desk: Desk, registered: dict[str, Any]
) -> None:
    change(app, front_channel_id_tokens=True)
    portal = RelyingParty.of(desk.here, **registered)
    before = dict(portal.registered.client.metadata_)
    assert {name: before[name] for name in registered} == registered

    page = edit(desk.browser("operator"), portal.registered.client)

    assert page.status_code == 200
    assert fresh(portal.client_id).metadata_ == before


@pytest.mark.parametrize("registered", REGISTRATIONS, ids=lambda each: next(iter(each)))
def test_a_page_from_before_the_fields_loses_nothing(
    app: Flask, desk: Desk, registered: dict[str, Any]
) -> None:
    change(app, front_channel_id_tokens=True)
    portal = RelyingParty.of(desk.here, **registered)
    before = dict(portal.registered.client.metadata_)
    operator = desk.browser("operator")
    operator.open(f"{LIST}/{portal.client_id}/edit")
    assert operator.page is not None
    there = {"csrf_token", "once", "client_id", "version", "client_name", "redirect_uris"}
    gone = {name: [] for name in controls(operator.page) if name not in {*there, "schools"}}

    send(operator, **{**gone, "client_name": "Devoirs"})  # type: ignore[arg-type]

    assert fresh(portal.client_id).metadata_ == {**before, "client_name": "Devoirs"}


PLAIN: tuple[tuple[str, str | list[str], Any], ...] = (
    ("backchannel_logout_uri", f"{HERE}/back", f"{HERE}/back"),
    ("frontchannel_logout_uri", f"{HERE}/front", f"{HERE}/front"),
    ("security_events_uri", f"{HERE}/events", f"{HERE}/events"),
    ("request_uris", f"{HERE}/a\n{HERE}/b", [f"{HERE}/a", f"{HERE}/b"]),
    ("require_pushed_authorization_requests", "on", True),
    ("require_signed_request_object", "on", True),
    ("request_object_signing_alg", "ES256", "ES256"),
    ("parameters_beside_request_object", "on", True),
    ("dpop_bound_access_tokens", "on", True),
    ("tls_client_auth_san_dns", "portail.example", "portail.example"),
    ("token_endpoint_auth_signing_alg", "ES256", "ES256"),
    ("id_token_signed_response_alg", "PS256", "PS256"),
    ("id_token_encrypted_response_alg", "ECDH-ES", "ECDH-ES"),
    ("userinfo_signed_response_alg", "ES256", "ES256"),
    ("userinfo_encrypted_response_alg", "ECDH-ES", "ECDH-ES"),
    ("authorization_signed_response_alg", "ES256", "ES256"),
    ("introspection_signed_response_alg", "ES256", "ES256"),
    ("default_max_age", "0", 0),
    ("subject_type", "public", "public"),
    ("profile", "legacy", "legacy"),
)


def test_what_is_typed_is_registered_and_what_is_taken_away_is_gone(desk: Desk) -> None:
    operator = desk.browser("operator")
    typed = {name: text for name, text, _value in PLAIN}

    register(desk, operator, redirect_uris=CALLBACK, jwks=json.dumps(KEYS), **typed)
    registered = only_client().metadata_
    empty: dict[str, Any] = {
        name: None if client_fields.FIELDS[name].control == Control.SWITCH else ""
        for name in typed
        if client_fields.FIELDS[name].control != Control.ONE
    }
    edit(operator, only_client(), **{**empty, "id_token_signed_response_alg": "RS256"})

    assert {name: registered[name] for name, _text, _value in PLAIN} == {
        name: value for name, _text, value in PLAIN
    }
    usual = metadata.checked({"client_name": "A", "redirect_uris": [CALLBACK]})
    left = {name: value for name, value in only_client().metadata_.items() if name in empty}
    assert {name: value for name, value in left.items() if value} == {
        name: usual[name] for name in empty if usual.get(name)
    }


def parts_open(page: str) -> set[str]:
    """The folded parts that are open."""
    tags = re.findall(r'<details id="part-([\w-]+)"([^>]*)>', page)
    return {key for key, attributes in tags if "open" in attributes.split()}


WRONG: dict[str, str] = {
    **dict.fromkeys(
        (name for name, field in client_fields.FIELDS.items() if field.control == Control.ADDRESS),
        "ftp://app.example/\N{SNOWMAN}",
    ),
    **dict.fromkeys(("request_uris", "origins", "resources"), "not an address"),
    "default_max_age": "soon",
    "tls_client_auth_san_ip": "300.0.0.1",
    "tls_client_auth_subject_dn": "portail",
    "jwks": "-",
    **dict.fromkeys(
        (n for n, field in client_fields.FIELDS.items() if field.control == Control.ALGORITHM),
        "HS256",
    ),
    "profile": "strict",
}


def test_what_is_wrong_in_a_folded_part_stands_at_its_field_and_opens_the_part(desk: Desk) -> None:
    page = register(desk, desk.browser("operator"), **WRONG).text

    for name in WRONG:
        assert f'id="{name}-problem"' in page, name
        assert f'href="#{name}"' in page, name
    assert parts_open(page) == {group.key for group in client_fields.GROUPS if group.key}


def test_a_new_form_is_folded_and_a_change_is_told_on_the_fold(desk: Desk) -> None:
    portal = RelyingParty.of(desk.here, backchannel_logout_uri=f"{HERE}/back")
    operator = desk.browser("operator")

    new = operator.open(f"{LIST}/new").text
    old = operator.open(f"{LIST}/{portal.client_id}/edit").text

    assert parts_open(new) == parts_open(old) == set()
    assert "1 choisi" not in new
    assert "1 choisi" in old.split('id="part-signing-out"')[1].split("</summary>")[0]
