"""Discovery (OpenID Connect Discovery 1.0, RFC 8414) and the key set (RFC 7517)."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from flask import Flask
from flask.testing import FlaskClient

from idp import create_app
from idp.database import db
from idp.oidc.keys import Keyring
from tests.conftest import settings_for_tests
from tests.relying_party import claims_of, world

pytestmark = pytest.mark.quick_on("sqlite")

WELL_KNOWN = "/.well-known/openid-configuration"


def document(client: FlaskClient) -> dict[str, Any]:
    return dict(client.get(WELL_KNOWN).json or {})


def test_the_document_is_json_that_anybody_may_read_and_keep(client: FlaskClient) -> None:
    response = client.get(WELL_KNOWN)

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers
    assert "public" in response.headers["Cache-Control"]
    assert "Set-Cookie" not in response.headers


def test_the_issuer_is_the_configured_one_whatever_the_host_header(client: FlaskClient) -> None:
    told = client.get(WELL_KNOWN, headers={"Host": "evil.example"}).json or {}

    assert told["issuer"] == "http://127.0.0.1:8000"
    addresses = [v for k, v in told.items() if k.endswith(("_endpoint", "_uri"))]
    assert len(addresses) >= 7
    assert all(address.startswith("http://127.0.0.1:8000/") for address in addresses)


def test_every_endpoint_that_is_named_exists(client: FlaskClient) -> None:
    told = document(client)

    for name, address in told.items():
        if name.endswith(("_endpoint", "_uri")):
            path = address.removeprefix(told["issuer"])
            assert client.get(path).status_code not in {404, 500}, name


def test_the_document_says_what_we_do(client: FlaskClient) -> None:
    """OpenID Connect Discovery §3: the members that are required, and what we do."""
    told = document(client)

    assert told["response_types_supported"] == ["code"]
    plain = {each for each in told["response_modes_supported"] if "jwt" not in each}
    assert plain == {"query", "form_post"}
    assert set(told["grant_types_supported"]) == {
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    }
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["request_parameter_supported"] is True
    assert told["request_uri_parameter_supported"] is True
    assert told["require_request_uri_registration"] is True
    assert told["claims_parameter_supported"] is True
    assert told["authorization_response_iss_parameter_supported"] is True
    assert "child" in told["scopes_supported"]
    assert "child" in told["claims_supported"]
    assert "select_account" in told["prompt_values_supported"]


def test_no_weak_method_is_offered(client: FlaskClient) -> None:
    told = document(client)

    algorithms = set(told["id_token_signing_alg_values_supported"])
    assert algorithms == {"RS256", "PS256", "ES256", "EdDSA"}
    assert set(told["token_endpoint_auth_methods_supported"]) == {
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none",
    }
    for name, values in told.items():
        if "_alg_values" in name:
            assert not {"none", "HS256"} & set(values), name
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]


def test_private_members_describe_the_child_claim(client: FlaskClient) -> None:
    told = document(client)

    assert told["child_claim_version"] == 1
    assert told["child_hint_parameter_supported"] is True
    assert {"sub", "given_name", "school.id"} <= set(told["child_fields_supported"])


def test_the_document_passes_authlibs_own_checks(client: FlaskClient) -> None:
    told = {
        name: value.replace("http://127.0.0.1:8000", "https://idp.example")
        if isinstance(value, str)
        else value
        for name, value in document(client).items()
    }

    OpenIDProviderMetadata(told).validate()


def test_the_key_set_holds_public_halves_only(client: FlaskClient) -> None:
    response = client.get("/oauth2/jwks")

    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    keys = (response.json or {})["keys"]
    private = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
    assert not any(private & set(key) for key in keys)
    assert {key["alg"] for key in keys} == {"RS256"}
    assert all(key["use"] == "sig" and key["kid"] for key in keys)
    assert len({key["kid"] for key in keys}) == len(keys) == 2  # one current, one next


@pytest.fixture
def own_keys(
    database_url: str, tmp_path: Path, keys_folder: Path
) -> Iterator[tuple[Flask, Keyring]]:
    """An application with a key folder that the test may change."""
    folder = tmp_path / "keys"
    shutil.copytree(keys_folder, folder)
    app = create_app(settings_for_tests(database_url, folder))
    yield app, Keyring(folder)
    with app.app_context():
        db.engine.dispose()


def test_a_running_process_signs_with_the_next_key_once_it_is_rotated(
    own_keys: tuple[Flask, Keyring],
) -> None:
    app, keyring = own_keys
    with app.app_context():
        there = world(app.test_client())
        before = there.redeem()["id_token"]
        published = {key["kid"] for key in there.http.get("/oauth2/jwks").json["keys"]}  # type: ignore[index]

        keyring.rotate(force=True)
        after = there.redeem()["id_token"]

        assert kid_of(after) != kid_of(before)
        assert kid_of(after) in published  # it was known before it signed
        assert claims_of(there.http, before)  # and the retired key still verifies
        assert claims_of(there.http, after)


def test_a_hint_signed_by_a_retired_key_is_still_understood(
    own_keys: tuple[Flask, Keyring],
) -> None:
    app, keyring = own_keys
    with app.app_context():
        there = world(app.test_client())
        hint = there.redeem()["id_token"]

        keyring.rotate(force=True)

        assert "code" in there.answer(prompt="none", id_token_hint=hint)
        home = "https://portal.example/"
        path = f"/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={home}"
        assert there.http.get(path).headers["Location"] == home


def test_a_key_that_was_disclosed_is_gone_at_once(own_keys: tuple[Flask, Keyring]) -> None:
    app, keyring = own_keys
    with app.app_context():
        there = world(app.test_client())
        hint = there.redeem()["id_token"]

        keyring.retire(kid_of(hint))

        shown = {key["kid"] for key in there.http.get("/oauth2/jwks").json["keys"]}  # type: ignore[index]
        assert kid_of(hint) not in shown
        assert kid_of(there.redeem()["id_token"]) in shown
        home = "https://portal.example/"
        path = f"/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri={home}"
        assert "Location" not in there.http.get(path).headers


def kid_of(token: str) -> str:
    from joserfc import jws

    return str(jws.extract_compact(token.encode()).headers()["kid"])
