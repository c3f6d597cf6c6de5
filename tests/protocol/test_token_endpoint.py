"""The token endpoint (RFC 6749 §3.2, §4.1.3, §5; OpenID Connect Core §3.1.3)."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.clients import registration
from idp.lifecycle import endings
from tests import factories
from tests.relying_party import CALLBACK, RelyingParty, error_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("postgresql")


def test_a_code_gives_a_token_answer_that_nobody_caches(client: FlaskClient) -> None:
    """RFC 6749 §5.1: the answer, with Cache-Control: no-store."""
    there = world(client)

    response = there.portal.redeem(client, there.answer()["code"])

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json or {}
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600


def test_a_code_works_once_and_its_reuse_revokes_what_the_first_use_gave(
    client: FlaskClient,
) -> None:
    """RFC 6749 §4.1.2: a code is used once; a second use revokes what it gave."""
    there = world(client)
    code = there.answer(scope="openid offline_access")["code"]
    tokens = there.tokens_of({"code": code})

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")

    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401
    refreshed = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refreshed) == (400, "invalid_grant")


@pytest.mark.parametrize("seconds", [31, 300])
def test_a_late_reuse_revokes_too(client: FlaskClient, seconds: int) -> None:
    """RFC 6749 §4.1.2: a second use revokes however late it comes."""
    there = world(client)
    code = there.answer()["code"]
    tokens = there.tokens_of({"code": code})

    with later(seconds=seconds):
        assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")
        assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401


def test_a_code_lives_for_a_minute(client: FlaskClient) -> None:
    """RFC 6749 §4.1.2: a code expires shortly after it was issued."""
    there = world(client)
    code = there.answer()["code"]

    with later(seconds=61):
        assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")


def test_a_code_is_bound_to_its_redirect_uri(client: FlaskClient) -> None:
    """RFC 6749 §4.1.3: redirect_uri is identical to that of the request."""
    other = "https://portal.example/other"
    there = world(client, redirect_uris=[CALLBACK, other])
    code = there.answer()["code"]

    for wrong in (other, None, "", CALLBACK + "/", CALLBACK.upper()):
        response = there.portal.redeem(client, code, redirect_uri=wrong)
        assert error_of(response) == (400, "invalid_grant"), wrong
    assert there.portal.redeem(client, code).status_code == 200


def test_a_code_of_another_client_is_worth_nothing_and_stays_whole(client: FlaskClient) -> None:
    """RFC 6749 §4.1.3: the code was issued to the client that authenticates."""
    there = world(client)
    thief = there.other_portal()
    code = there.answer()["code"]

    assert error_of(thief.redeem(client, code)) == (400, "invalid_grant")

    assert there.portal.redeem(client, code).status_code == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": 'é"\\'}, "unsupported_grant_type"),
        ({"code": None}, "invalid_request"),
        ({"code": ""}, "invalid_request"),
        ({"code": "é"}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": "\0"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
    ids=str,
)
def test_a_wrong_request_gets_its_standard_code(
    client: FlaskClient, changes: dict[str, Any], error: str
) -> None:
    """RFC 6749 §5.2: each wrong request has its code."""
    there = world(client)

    response = there.portal.redeem(client, **{"code": there.answer()["code"], **changes})

    assert error_of(response) == (400, error)
    assert response.headers["Cache-Control"] == "no-store"
    description = (response.json or {}).get("error_description", "")
    assert all(0x20 <= ord(letter) < 0x7F for letter in description)  # RFC 6749 §5.2
    assert not set(description) & set('"\\')


def test_a_grant_type_that_is_not_registered_is_refused(client: FlaskClient) -> None:
    """RFC 6749 §5.2: unauthorized_client."""
    there = world(client, grant_types=["authorization_code"])

    tokens = there.redeem(scope="openid offline_access")
    response = there.portal.refresh(client, "anything")

    assert "refresh_token" not in tokens
    assert error_of(response) == (400, "unauthorized_client")


def test_only_a_posted_form_is_accepted(app: Flask, client: FlaskClient) -> None:
    """RFC 6749 §3.2: the client MUST use POST."""
    there = world(client)
    data = {"grant_type": "authorization_code", "code": there.answer()["code"]}
    data["redirect_uri"] = CALLBACK
    auth = (there.portal.client_id, there.portal.registered.secret)
    server = app.test_client(use_cookies=False)

    as_json = server.post("/oauth2/token", json=data, auth=auth)
    as_text = server.post(
        "/oauth2/token", data="grant_type=x", auth=auth, content_type="text/plain"
    )
    by_get = server.get("/oauth2/token", query_string=data, auth=auth)
    in_query = server.post("/oauth2/token", query_string=data, auth=auth)

    assert error_of(as_json) == (400, "invalid_request")
    assert error_of(as_text) == (400, "invalid_request")
    assert error_of(in_query) == (400, "invalid_request")
    assert by_get.status_code == 405
    assert "POST" in by_get.headers["Allow"]
    assert by_get.is_json
    for response in (as_json, as_text, by_get, in_query):
        assert response.headers["Cache-Control"] == "no-store"


def test_an_oversize_body_is_refused_as_json(app: Flask) -> None:
    response = app.test_client().post("/oauth2/token", data={"code": "x" * 70_000})

    assert response.status_code == 413
    assert response.is_json
    assert response.headers["Cache-Control"] == "no-store"


def test_a_thousand_parameters_do_no_harm(client: FlaskClient) -> None:
    there = world(client)
    many = {f"p{number}": "x" for number in range(1000)}

    response = there.portal.redeem(client, there.answer()["code"], **many)

    assert response.status_code == 200


def test_a_code_dies_with_the_session_that_it_was_made_in(client: FlaskClient) -> None:
    there = world(client)
    code = there.answer(scope="openid offline_access")["code"]
    there.browser.sign_out()

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")


def test_a_code_dies_with_the_account(client: FlaskClient) -> None:
    there = world(client)
    code = there.answer()["code"]
    endings.disable_account(there.guardian.id)

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")


def test_a_code_dies_with_the_guardianship_of_its_child(client: FlaskClient) -> None:
    there = world(client, "Lina")
    code = there.answer(scope="openid child")["code"]
    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")


def test_a_disabled_client_redeems_and_refreshes_nothing(client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")
    code = there.answer()["code"]
    registration.disable(there.portal.client_id)

    assert error_of(there.portal.redeem(client, code)) == (401, "invalid_client")
    refreshed = there.portal.refresh(client, tokens["refresh_token"])
    assert error_of(refreshed) == (401, "invalid_client")
    assert there.portal.userinfo(client, tokens["access_token"]).status_code == 401


def test_without_offline_access_there_is_no_refresh_token(client: FlaskClient) -> None:
    there = world(client)

    assert "refresh_token" not in there.redeem(scope="openid profile")
    assert "refresh_token" in there.redeem(scope="openid offline_access")


def test_a_client_not_registered_for_offline_access_gets_no_refresh_token(
    client: FlaskClient,
) -> None:
    there = world(client, scope="openid profile")

    tokens = there.redeem(scope="openid offline_access email")

    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"


def test_registered_browser_clients_may_read_the_answer_and_others_not(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, origins=["https://app.example"])
    browser = app.test_client(use_cookies=False)

    for path in ("/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke"):
        for origin, allowed in (
            ("https://app.example", True),
            ("https://evil.example", False),
            ("null", False),
            ("https://app.example.evil.example", False),
            ("http://app.example", False),
        ):
            asked = browser.options(path, headers={"Origin": origin})
            told = browser.post(path, data={"client_id": "x"}, headers={"Origin": origin})
            for response in (asked, told):
                given = response.headers.get("Access-Control-Allow-Origin")
                assert given == (origin if allowed else None), (path, origin)
                assert "Access-Control-Allow-Credentials" not in response.headers
                assert "Origin" in response.headers["Vary"]
    assert there.portal.client_id


def test_pages_and_confidential_endpoints_have_no_cors(app: Flask) -> None:
    portal = RelyingParty.of(factories.school(), origins=["https://app.example"])
    from_app = {"Origin": "https://app.example"}
    browser = app.test_client()

    for path in ("/", portal.authorize_path(), "/oauth2/logout", "/oauth2/introspect"):
        for method in ("GET", "OPTIONS"):
            response = browser.open(path, method=method, headers=from_app)
            assert "Access-Control-Allow-Origin" not in response.headers
