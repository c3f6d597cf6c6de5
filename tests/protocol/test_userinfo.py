"""UserInfo (OpenID Connect Core §5.3; RFC 6750)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from idp.clients import registration
from idp.database import transaction
from idp.lifecycle import endings
from idp.people.models import Account, Child
from tests.relying_party import answer, claims_of, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

USERINFO = "/oauth2/userinfo"


def test_the_scopes_decide_the_claims(client: FlaskClient) -> None:
    """OpenID Connect Core §5.4: the claims that each scope asks for."""
    there = world(client, "Lina")

    def told(scope: str) -> set[str]:
        token = there.redeem(scope=scope)["access_token"]
        return set(there.portal.userinfo(client, token).json or {})

    assert told("openid") == {"sub"}
    assert told("openid email") == {"sub", "email", "email_verified"}
    assert told("openid profile") >= {"sub", "name", "given_name", "family_name", "updated_at"}
    assert told("openid child") == {"sub", "child"}


def test_who_has_one_name_has_no_family_name(client: FlaskClient) -> None:
    there = world(client, "Lina")
    with transaction() as writes:
        writes.execute(update(Account).values(family_name=""))
        writes.execute(update(Child).values(family_name=""))
    token = there.redeem(scope="openid profile child")["access_token"]

    told = there.portal.userinfo(client, token).json or {}

    assert "family_name" not in {*told, *told["child"]}  # Core §5.1 and §5.3.2
    assert told["name"] == told["given_name"]


def test_the_subject_is_that_of_the_id_token(client: FlaskClient) -> None:
    """OpenID Connect Core §5.3.2: the sub exactly matches that of the ID token."""
    there = world(client)
    tokens = there.redeem()

    told = there.portal.userinfo(client, tokens["access_token"]).json or {}

    assert told["sub"] == claims_of(client, tokens["id_token"])["sub"]  # Core §5.3.2


def test_all_three_ways_to_present_the_token(app: Flask, client: FlaskClient) -> None:
    """RFC 6750 §2: by the header, and by a form."""
    there = world(client)
    token = there.redeem()["access_token"]
    server = app.test_client(use_cookies=False)

    by_get = server.get(USERINFO, headers={"Authorization": f"Bearer {token}"})
    by_post = server.post(USERINFO, headers={"Authorization": f"bearer {token}"})
    in_body = server.post(USERINFO, data={"access_token": token})

    for response in (by_get, by_post, in_body):
        assert response.status_code == 200
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.json == by_get.json


def test_a_token_in_the_query_is_refused(app: Flask, client: FlaskClient) -> None:
    """RFC 9700 §4.3.2: access tokens do not stand in addresses."""
    there = world(client)
    token = there.redeem()["access_token"]
    header = {"Authorization": f"Bearer {token}"}

    for request in ({}, {"headers": header}):
        response = app.test_client().get(f"{USERINFO}?access_token={token}", **request)
        assert response.status_code == 400
        assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


def test_two_tokens_at_once_are_refused(app: Flask, client: FlaskClient) -> None:
    """RFC 6750 §2: not more than one method in a request."""
    there = world(client)
    token = there.redeem()["access_token"]
    header = {"Authorization": f"Bearer {token}"}

    both = app.test_client().post(USERINFO, data={"access_token": token}, headers=header)
    twice = app.test_client().post(USERINFO, data={"access_token": [token, token]})

    assert both.status_code == twice.status_code == 400  # RFC 6750 §3.1


def test_without_a_token_the_challenge_names_no_error(app: Flask) -> None:
    """RFC 6750 §3.1: without authentication information no error code is told."""
    server = app.test_client()

    for response in (
        server.get(USERINFO),
        server.post(USERINFO, json={"access_token": "x"}),
        server.get(USERINFO, headers={"Authorization": "Basic eDp5"}),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert "error=" not in response.headers["WWW-Authenticate"]  # RFC 6750 §3.1


def test_a_token_that_is_not_one_is_invalid_token(app: Flask, client: FlaskClient) -> None:
    """RFC 6750 §3.1: invalid_token, with 401."""
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")
    code = there.answer()["code"]
    wrong = [tokens["id_token"], tokens["refresh_token"], code, "x", "x" * 6000, "\xff\xe9", "a b"]

    for text in wrong:
        header = {"Authorization": f"Bearer {text}"}
        response = app.test_client().get(USERINFO, headers=header)
        assert response.status_code == 401, text
        challenge = response.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert 'error="invalid_token"' in challenge
    assert app.test_client().post(USERINFO, data={"access_token": "a\0b"}).status_code == 401


def test_a_cookie_is_not_a_token(client: FlaskClient) -> None:
    there = world(client)

    assert there.http.get(USERINFO).status_code == 401


def test_an_expired_token_is_invalid(client: FlaskClient) -> None:
    """RFC 6750 §3.1: a token that has expired is invalid_token."""
    there = world(client)
    token = there.redeem()["access_token"]

    with later(seconds=3601):
        assert there.portal.userinfo(client, token).status_code == 401


def test_a_disabled_client_is_told_nothing(client: FlaskClient) -> None:
    there = world(client)
    token = there.redeem()["access_token"]
    registration.disable(there.portal.client_id)

    assert there.portal.userinfo(client, token).status_code == 401


def test_the_child_is_told_only_while_the_guardianship_lives(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    there.ask(scope="openid child offline_access")
    token = there.tokens_of(answer(there.browser.press("child-submit-1")))["access_token"]
    assert there.portal.userinfo(client, token).json["child"]["given_name"] == "Lina"  # type: ignore[index]

    endings.end_guardianship(there.guardian.id, there.children[0].id, "moved")

    assert "Lina" not in there.portal.userinfo(client, token).text


def test_the_child_is_told_only_while_the_client_serves_the_school(client: FlaskClient) -> None:
    from tests import factories

    there = world(client, "Lina")
    token = there.redeem(scope="openid child")["access_token"]
    other = factories.school("École du Moulin")
    metadata = there.portal.registered.client.metadata_
    registration.change(there.portal.client_id, metadata, school_ids=[other.id])

    assert "Lina" not in there.portal.userinfo(client, token).text


def test_names_in_every_script_arrive_whole(client: FlaskClient) -> None:
    from tests import factories

    there = world(client, signed_in=False)
    factories.account("olena", given_name="Олена", family_name="O’Brien-漢字 🙂")

    tokens = there.portal.tokens(there.browser, "olena", scope="openid profile")

    told = there.portal.userinfo(client, tokens["access_token"]).json or {}
    assert told["given_name"] == "Олена"
    assert told["family_name"] == "O’Brien-漢字 🙂"
