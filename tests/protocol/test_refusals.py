"""Every refusal has a reason: in the log, at the desk, and in the answer to the developer."""

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.clients.models import ClientRefusal
from idp.database import db
from idp.oidc import refusals
from tests.relying_party import World, world

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
REFUSALS = "idp.oidc.refusals"
SECRET = "a-wrong-secret-of-nobody"


def kept(there: World) -> set[tuple[str, str, str]]:
    db.session.commit()  # look afresh
    found = refusals.newest_refusals(there.portal.client_id, most=100)
    return {(each.endpoint, each.error, each.reason) for each in found}


def token(there: World, **how: Any) -> dict[str, Any]:
    server = there.http.application.test_client(use_cookies=False)
    data = {"grant_type": "authorization_code", "code": "none", **how.pop("data", {})}
    return dict(server.post("/oauth2/token", data=data, **how).json or {})


WRONG_SECRET = "The client secret is wrong"
WRONG_METHOD = (
    "The application is registered for client_secret_basic, and the request used client_secret_post"
)
UNPROVED = "The client did not authenticate itself"


def test_a_wrong_secret_a_wrong_method_and_nobody_are_answered_alike_and_logged_apart(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    there = world(client)
    own = there.portal.client_id
    caplog.set_level(logging.WARNING, logger=REFUSALS)

    wrong_secret = token(there, auth=(own, SECRET))
    wrong_method = token(there, data={"client_id": own, "client_secret": SECRET})
    public = token(there, data={"client_id": own})
    nobody = token(there, auth=("app_nobody", SECRET))

    told = {"error": "invalid_client", "error_description": UNPROVED}
    assert [wrong_secret, wrong_method, public, nobody] == [told] * 4
    logged = [vars(each)["reason"] for each in caplog.records if each.name == REFUSALS]
    as_public = WRONG_METHOD.replace("client_secret_post", "none")
    unknown = "No application in use has this client_id"
    assert logged == [WRONG_SECRET, WRONG_METHOD, as_public, unknown]
    kept_reasons = {reason for _endpoint, _error, reason in kept(there)}
    assert kept_reasons == {WRONG_SECRET, WRONG_METHOD, as_public}


@pytest.mark.parametrize("registered", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("endpoint", ["token", "revoke", "introspect"])
def test_who_knows_the_secret_is_told_which_method_is_registered(
    client: FlaskClient, endpoint: str, registered: str
) -> None:
    there = world(client, token_endpoint_auth_method=registered)
    own, secret = there.portal.client_id, there.portal.registered.secret
    server = there.http.application.test_client(use_cookies=False)
    what = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}

    if registered == "client_secret_basic":
        form = {**what, "client_id": own, "client_secret": secret}
        told = server.post(f"/oauth2/{endpoint}", data=form).json or {}
    else:
        told = server.post(f"/oauth2/{endpoint}", data=what, auth=(own, secret)).json or {}

    assert told["error"] == "invalid_client"
    assert f"registered for {registered}" in told["error_description"]


@on_sqlite
def test_each_endpoint_says_why_in_the_log_and_at_the_desk(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    there = world(client, first_party=False, require_pkce=True)
    caplog.set_level(logging.WARNING, logger=REFUSALS)
    there.browser.sign_out()

    page = there.ask()  # a third party without PKCE: a signed-out parent is told no more
    assert page.status_code == 400
    there.ask(redirect_uri="https://evil.example/")
    secret = (there.portal.client_id, there.portal.registered.secret)
    server = there.http.application.test_client(use_cookies=False)
    for path, data in (
        ("/oauth2/token", {"grant_type": "password"}),
        ("/oauth2/token", {"grant_type": "refresh_token", "refresh_token": "none"}),
        ("/oauth2/revoke", {}),
        ("/oauth2/introspect", {}),
    ):
        assert server.post(path, data=data, auth=secret).status_code == 400
    client.get(
        "/oauth2/logout",
        query_string={
            "client_id": there.portal.client_id,
            "post_logout_redirect_uri": "https://portal.example/elsewhere",
        },
    )
    server.get("/oauth2/userinfo", headers={"Authorization": "Bearer none"})

    places = {(endpoint, error) for endpoint, error, _reason in kept(there)}
    assert places >= {
        ("authorize", "invalid_request"),
        ("token", "unsupported_grant_type"),
        ("token", "invalid_grant"),
        ("revoke", "invalid_request"),
        ("introspect", "invalid_request"),
        ("logout", "invalid_request"),
    }
    reasons = {reason for _endpoint, _error, reason in kept(there)}
    assert "A code_challenge is required (PKCE, S256)" in reasons
    logged = [vars(record) for record in caplog.records if record.name == REFUSALS]
    assert {each["endpoint"] for each in logged} == {
        "authorize", "token", "revoke", "introspect", "logout", "userinfo"
    }  # fmt: skip
    assert all(each["reason"] for each in logged)
    assert secret[1] not in json.dumps([str(each) for each in logged])


@on_sqlite
def test_an_application_learns_why_its_token_is_refused_at_userinfo(client: FlaskClient) -> None:
    there = world(client, "Lina")
    token = there.redeem(scope="openid")["access_token"]

    answer = there.http.get("/oauth2/userinfo", query_string={"access_token": token})

    assert answer.status_code == 400
    assert ("userinfo", "invalid_request", "A token must not stand in the query") in kept(there)


@on_sqlite
def test_what_prompt_none_is_told_is_no_refusal(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")

    assert (
        there.answer(scope="openid child", prompt="none")["error"] == "account_selection_required"
    )

    assert kept(there) == set()


@on_sqlite
def test_n6_a_flood_of_refusals_is_a_bounded_number_of_rows(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = world(client)
    for number in range(refusals.MOST + 20):
        client.get(there.portal.authorize_path(response_type=f"code{number}"))
        client.get(there.portal.authorize_path(response_mode="nobody"))
        client.get(f"/oauth2/authorize?client_id=app_invented{number}")

    db.session.commit()
    rows = db.session.scalar(select(func.count()).select_from(ClientRefusal))
    assert rows is not None
    assert rows <= refusals.MOST


@on_sqlite
def test_reasons_hold_no_line_breaks_and_no_more_than_a_line(client: FlaskClient) -> None:
    there = world(client)

    client.get(there.portal.authorize_path(response_type="x\r\nFAKE: é" + "y" * 3000))

    for _endpoint, error, reason in kept(there):
        assert (error + reason).isprintable()
        assert len(reason) <= 200
