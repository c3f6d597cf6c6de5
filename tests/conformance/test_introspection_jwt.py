"""Signed answers of the introspection endpoint (RFC 9701), over HTTP."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from tests.protocol.assertions import ISSUER
from tests.relying_party import RelyingParty, World, error_of, world

pytestmark = pytest.mark.quick_on("sqlite")
MEDIA_TYPE = "application/token-introspection+jwt"


def asked(
    there: World, token: str, accept: str = MEDIA_TYPE, by: RelyingParty | None = None
) -> TestResponse:
    who = by or there.portal
    return there.http.application.test_client(use_cookies=False).post(
        "/oauth2/introspect",
        data={"token": token},
        auth=(who.client_id, who.registered.secret),
        headers={"Accept": accept},
    )


def read(there: World, response: TestResponse, alg: str = "RS256") -> tuple[dict[str, Any], Any]:
    assert response.status_code == 200, response.text
    assert response.content_type == MEDIA_TYPE
    keys = KeySet.import_key_set(there.http.get("/oauth2/jwks").json)  # type: ignore[arg-type]
    token = jwt.decode(response.text, keys, algorithms=[alg])
    return dict(token.header), token.claims


@pytest.mark.parametrize("accept", [MEDIA_TYPE, f"text/html, {MEDIA_TYPE};q=0.9"])
def test_who_asks_for_it_gets_a_signed_answer(client: FlaskClient, accept: str) -> None:
    """RFC 9701 §5: a JWT whose token_introspection holds the answer, for this caller."""
    there = world(client)
    token = there.redeem()["access_token"]

    response = asked(there, token, accept)
    header, claims = read(there, response)

    assert header["typ"] == "token-introspection+jwt"
    assert claims["iss"] == ISSUER
    assert claims["aud"] == there.portal.client_id
    assert claims["iat"]
    assert claims["token_introspection"] == there.portal.introspect(client, token)
    assert response.headers["Cache-Control"] == "no-store"


def test_a_signed_answer_is_no_token(client: FlaskClient) -> None:
    """RFC 9701 §5: no sub and no exp at the top, so that it stands in for no other JWT."""
    there = world(client)

    _header, claims = read(there, asked(there, there.redeem()["access_token"]))

    assert set(claims) == {"iss", "aud", "iat", "token_introspection"}


REFUSED = "application/json, application/token-introspection+jwt;q=0"


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/jwt", REFUSED])
def test_whoever_does_not_ask_gets_json(client: FlaskClient, accept: str) -> None:
    """RFC 9701 §4: the caller asks for a signed answer by its media type."""
    there = world(client)

    response = asked(there, there.redeem()["access_token"], accept)

    assert response.content_type == "application/json"
    assert (response.json or {})["active"] is True


def test_of_a_dead_or_foreign_token_it_says_inactive_and_no_more(client: FlaskClient) -> None:
    """RFC 9701 §5: token_introspection of an inactive token holds active alone."""
    there = world(client)
    foreign = there.other_portal()

    for response in (asked(there, "unknown"), asked(there, there.redeem()["access_token"])):
        assert response.status_code == 200
    _header, claims = read(there, asked(there, "unknown"))
    _header, other = read(there, asked(there, there.redeem()["access_token"], by=foreign))

    assert claims["token_introspection"] == other["token_introspection"] == {"active": False}


def test_the_algorithm_is_the_registered_one(client: FlaskClient) -> None:
    """RFC 9701 §6: introspection_signed_response_alg; its key is published."""
    there = world(client, introspection_signed_response_alg="ES256")

    response = asked(there, there.redeem()["access_token"])

    header, _claims = read(there, response, "ES256")
    assert header["kid"] == jws.extract_compact(response.data).headers()["kid"]


def test_an_error_is_json(client: FlaskClient) -> None:
    """RFC 9701 §5: errors stay what RFC 7662 says."""
    there = world(client)

    assert error_of(asked(there, "")) == (400, "invalid_request")


def test_discovery_names_the_algorithms(client: FlaskClient) -> None:
    """RFC 9701 §7: introspection_signing_alg_values_supported."""
    document = client.get("/.well-known/openid-configuration").json or {}

    assert set(document["introspection_signing_alg_values_supported"]) == {
        "RS256",
        "PS256",
        "ES256",
        "EdDSA",
    }
