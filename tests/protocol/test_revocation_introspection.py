"""Revocation (RFC 7009) and introspection (RFC 7662)."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.lifecycle import endings
from tests.relying_party import World, claims_of, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

INACTIVE = {"active": False}


def revoke(there: World, token: str, **more: str) -> Any:
    return there.portal.post(there.http, "/oauth2/revoke", {"token": token, **more})


def test_a_revoked_access_token_is_dead_and_its_refresh_token_lives(client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")

    assert revoke(there, tokens["access_token"]).status_code == 200

    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401
    assert there.portal.introspect(client, tokens["access_token"]) == INACTIVE
    assert there.portal.refresh(client, tokens["refresh_token"]).status_code == 200


def test_a_revoked_refresh_token_takes_its_access_tokens_with_it(client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")

    assert revoke(there, tokens["refresh_token"]).status_code == 200

    refreshed = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refreshed) == (400, "invalid_grant")
    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401  # §2.1


def test_unknown_and_dead_tokens_are_revoked_without_an_error(client: FlaskClient) -> None:
    there = world(client)
    token = there.redeem()["access_token"]

    for text in (token, token, "unknown", "é", "x" * 5000):
        assert revoke(there, text).status_code == 200  # RFC 7009 §2.2
    for hint in ("access_token", "refresh_token", "id_token", "é"):
        assert revoke(there, "unknown", token_type_hint=hint).status_code == 200


def test_a_wrong_hint_does_not_keep_a_token_alive(client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")

    assert revoke(there, tokens["access_token"], token_type_hint="refresh_token").status_code == 200

    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401


def test_revoking_without_a_token_is_an_invalid_request(client: FlaskClient) -> None:
    there = world(client)

    assert error_of(revoke(there, "")) == (400, "invalid_request")
    assert error_of(revoke(there, "a\0b")) == (400, "invalid_request")


def test_a_public_client_may_revoke_its_own_token(client: FlaskClient) -> None:
    there = world(client, token_endpoint_auth_method="none")
    fields = there.answer(**there.portal.pkce())
    token = there.tokens_of(fields, code_verifier=there.portal.verifier)["access_token"]

    assert revoke(there, token).status_code == 200

    assert there.portal.userinfo(client, token).status_code == 401


def test_introspection_describes_a_live_token(client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid profile offline_access")
    claims = claims_of(client, tokens["id_token"])

    told = there.portal.introspect(client, tokens["access_token"])

    assert told["active"] is True
    assert told["client_id"] == there.portal.client_id
    assert told["scope"].split() == ["openid", "profile", "offline_access"]
    assert told["sub"] == claims["sub"]
    assert told["iss"] == "http://127.0.0.1:8000"
    assert told["exp"] - told["iat"] == 3600
    assert there.portal.introspect(client, tokens["refresh_token"])["active"] is True


def test_introspection_of_what_is_dead_or_unknown_says_inactive_and_no_more(
    client: FlaskClient,
) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")
    code = there.answer()["code"]
    there.portal.refresh(client, tokens["refresh_token"])

    for text in ("x", "é", code, tokens["id_token"], tokens["refresh_token"]):
        assert there.portal.introspect(client, text) == INACTIVE
    with later(seconds=3601):
        assert there.portal.introspect(client, tokens["access_token"]) == INACTIVE


def test_introspection_notices_the_end_of_a_guardianship_and_of_an_account(
    client: FlaskClient,
) -> None:
    there = world(client, "Lina")
    with_child = there.redeem(scope="openid child")["access_token"]
    without = there.redeem()["access_token"]

    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")
    assert there.portal.introspect(client, with_child) == INACTIVE
    assert there.portal.introspect(client, without)["active"] is True
    endings.disable_account(there.guardian.id)

    assert there.portal.introspect(client, without) == INACTIVE


def test_a_public_client_may_not_introspect(app: Flask, client: FlaskClient) -> None:
    there = world(client, token_endpoint_auth_method="none")

    response = app.test_client().post(
        "/oauth2/introspect", data={"client_id": there.portal.client_id, "token": "x"}
    )

    assert error_of(response) == (401, "invalid_client")  # RFC 7662 §2.1


def test_both_endpoints_take_posted_forms_only(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    auth = (there.portal.client_id, there.portal.registered.secret)

    for path in ("/oauth2/revoke", "/oauth2/introspect"):
        assert app.test_client().get(f"{path}?token=x", auth=auth).status_code == 405
        assert error_of(app.test_client().post(f"{path}?token=x", auth=auth))[0] == 400
        as_json = app.test_client().post(path, json={"token": "x"}, auth=auth)
        assert error_of(as_json) == (400, "invalid_request")
        assert as_json.headers["Cache-Control"] == "no-store"
