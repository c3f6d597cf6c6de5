"""The ``claims`` parameter (OpenID Connect Core §5.5)."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests import factories
from tests.relying_party import answer, claims_of, world

pytestmark = pytest.mark.quick_on("sqlite")


def asking(**places: Any) -> str:
    return json.dumps(places)


def test_claims_asked_for_the_id_token_stand_there(client: FlaskClient) -> None:
    there = world(client)

    claims = there.claims(
        claims=asking(id_token={"email": None, "given_name": {"essential": True}})
    )

    assert claims["email"] == "claire@dubois.example"
    assert claims["given_name"] == "Claire"
    assert "family_name" not in claims


def test_claims_asked_for_userinfo_stand_there_and_not_in_the_id_token(
    client: FlaskClient,
) -> None:
    there = world(client)

    tokens = there.redeem(claims=asking(userinfo={"name": {"essential": True}, "email": None}))

    told = there.portal.userinfo(client, tokens["access_token"]).json
    assert set(told or {}) == {"sub", "name", "email"}
    assert "name" not in claims_of(client, tokens["id_token"])


def test_an_essential_claim_that_does_not_exist_is_no_error(client: FlaskClient) -> None:
    there = world(client)

    claims = there.claims(claims=asking(id_token={"phone_number": {"essential": True}}))

    assert "phone_number" not in claims  # Core §5.5.1: MUST NOT generate an error


def test_auth_time_can_be_asked_as_essential(client: FlaskClient) -> None:
    there = world(client)

    claims = there.claims(claims=asking(id_token={"auth_time": {"essential": True}}))

    assert isinstance(claims["auth_time"], int)


def test_an_essential_acr_that_was_not_reached_is_refused(client: FlaskClient) -> None:
    there = world(client)
    wanted = {"acr": {"essential": True, "values": ["urn:example:gold"]}}

    fields = there.answer(claims=asking(id_token=wanted))

    # Core §5.5.1.1: MUST treat that outcome as a failed authentication attempt
    assert fields["error"] == "unmet_authentication_requirements"


def test_an_acr_that_is_only_wished_is_answered_with_what_was_done(client: FlaskClient) -> None:
    there = world(client)

    claims = there.claims(claims=asking(id_token={"acr": {"values": ["urn:example:gold"]}}))

    assert claims["acr"] != "urn:example:gold"


def test_a_sub_asked_by_value_must_be_the_guardians(client: FlaskClient) -> None:
    there = world(client)
    own = there.claims()["sub"]

    right = there.answer(claims=asking(id_token={"sub": {"value": own}}), prompt="none")
    wrong = there.answer(claims=asking(id_token={"sub": {"value": "x"}}), prompt="none")

    assert "code" in right
    assert wrong["error"] == "login_required"


def test_the_child_can_be_asked_by_name(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")

    there.ask(claims=asking(userinfo={"child": None}))
    tokens = there.tokens_of(answer(there.browser.press("child-submit-2")))

    told = there.portal.userinfo(client, tokens["access_token"]).json
    assert told["child"]["given_name"] == "Noé"  # type: ignore[index]
    assert "child" not in claims_of(client, tokens["id_token"])


def test_a_client_gets_by_name_no_claim_beyond_its_registration(client: FlaskClient) -> None:
    there = world(client, "Lina", scope="openid")
    names = {"email": None, "name": None, "child": {"essential": True}}

    tokens = there.redeem(claims=asking(id_token=names, userinfo=names))

    assert set(there.portal.userinfo(client, tokens["access_token"]).json or {}) == {"sub"}
    assert not {"email", "name", "child"} & set(claims_of(client, tokens["id_token"]))


@pytest.mark.parametrize("text", ["{", "[]", "3", "null", '"x"', "\x7b\x7b", "{'id_token': 1}"])
def test_what_is_not_a_json_object_is_an_invalid_request(client: FlaskClient, text: str) -> None:
    there = world(client)

    assert there.answer(claims=text)["error"] == "invalid_request"


def test_odd_members_are_ignored(client: FlaskClient) -> None:
    there = world(client)
    odd: list[Any] = [
        {"id_token": 3, "userinfo": [], "verified_claims": {}},
        {"id_token": {"email": True, "": None, "a\0b": {"value": "\ud800"}}},
        {"id_token": {"acr": {"values": "gold", "essential": True}}},
        {"id_token": {"sub": None, "auth_time": [1, {"x": []}]}},
        {"userinfo": {"email": {"value": 1e999, "values": [None, {}], "essential": "yes"}}},
    ]

    odd += [{"id_token": {"acr": {"values": ["\ud800", "\0", 3, None]}}}]

    for document in odd:
        assert "code" in there.answer(claims=json.dumps(document)), document


def test_numbers_that_json_does_not_know_are_refused_or_ignored(client: FlaskClient) -> None:
    there = world(client)

    for number in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 3000):
        for name in ("sub", "email"):
            text = '{"id_token": {"%s": {"other": %s}}}' % (name, number)  # noqa: UP031
            fields = there.answer(claims=text)
            assert "code" in fields or fields["error"] == "invalid_request", text


@pytest.mark.parametrize("signed_in", [True, False])
def test_deep_json_is_refused_or_ignored(client: FlaskClient, signed_in: bool) -> None:
    there = world(client, signed_in=signed_in)

    for depth in (100, 400, 700, 900, 1900):
        text = '{"userinfo": {"email": {"value": %s1%s}}}' % ("[" * depth, "]" * depth)  # noqa: UP031
        response = there.ask(claims=text)
        refused = signed_in or response.status_code in {302, 303}
        assert refused or there.browser.shows("login-form"), response.status
        assert not refused or answer(response).get("error", "invalid_request") == "invalid_request"


def test_userinfo_claims_without_a_value_are_left_out(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    factories.account("paul")

    tokens = there.portal.tokens(there.browser, "paul", claims=asking(userinfo={"email": None}))

    # Core §5.3.2: SHOULD be omitted, never null
    assert set(there.portal.userinfo(client, tokens["access_token"]).json or {}) == {"sub"}
