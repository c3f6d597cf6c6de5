"""The ID token (OpenID Connect Core §2, §3.1.3.6, §8.1; RFC 8725)."""

import base64
import hashlib
import json
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.errors import Invalid
from tests import factories
from tests.relying_party import Browser, RelyingParty, answer, claims_of, world
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]


def header_of(token: str) -> dict[str, Any]:
    part = token.split(".", maxsplit=1)[0]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def test_it_holds_the_required_claims_and_none_that_was_not_asked(client: FlaskClient) -> None:
    there = world(client, "Lina")

    claims = there.claims(scope="openid profile email offline_access", nonce="n")

    expected = {"iss", "sub", "aud", "iat", "exp", "auth_time", "amr", "acr", "sid", "at_hash"}
    assert set(claims) == expected | {"nonce"}
    assert claims["iss"] == "http://127.0.0.1:8000"
    assert claims["aud"] == there.portal.client_id
    assert claims["amr"] == ["pwd"]
    assert claims["iat"] <= time.time() < claims["exp"] <= claims["iat"] + 3600
    assert claims["auth_time"] <= claims["iat"]


@pytest.mark.parametrize(
    ("alg", "half_hash"),
    [("RS256", hashlib.sha256), ("ES256", hashlib.sha256), ("EdDSA", hashlib.sha512)],
)
def test_each_client_gets_its_algorithm(client: FlaskClient, alg: str, half_hash: Any) -> None:
    """OpenID Connect Registration §2: id_token_signed_response_alg, RS256 by default."""
    there = world(client, id_token_signed_response_alg=alg)

    tokens = there.redeem()

    header = header_of(tokens["id_token"])
    assert header["alg"] == alg
    published = (client.get("/oauth2/jwks").json or {})["keys"]
    assert [key["alg"] for key in published if key["kid"] == header["kid"]] == [alg]
    digest = half_hash(tokens["access_token"].encode()).digest()
    at_hash = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    assert claims_of(client, tokens["id_token"])["at_hash"] == at_hash


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_a_hint_of_every_algorithm_is_understood(client: FlaskClient, alg: str) -> None:
    there = world(client, id_token_signed_response_alg=alg)
    hint = there.redeem()["id_token"]

    assert "code" in there.answer(prompt="none", id_token_hint=hint)
    path = f"/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri=https://portal.example/"
    assert there.http.get(path).headers["Location"] == "https://portal.example/"


def test_neither_none_nor_hs256_can_be_registered() -> None:
    """OpenID Connect Registration §2: no unsigned ID tokens, and none signed with a secret."""
    from idp.clients.metadata import checked

    base = {"client_name": "x", "redirect_uris": ["https://portal.example/callback"]}
    for alg in ("none", "HS256", "RS1", "", None, 3):
        if alg is None:
            assert checked({**base, "id_token_signed_response_alg": alg})
            continue
        with pytest.raises(Invalid):
            checked({**base, "id_token_signed_response_alg": alg})


def test_subjects_are_opaque_pairwise_by_school_and_stable(client: FlaskClient) -> None:
    there = world(client)
    helper = there.other_portal(redirect_uris=["https://helper.example/cb"])
    elsewhere = there.other_portal(factories.school("École du Moulin"))

    def subject(portal: RelyingParty) -> str:
        fields = answer(there.browser.open(portal.authorize_path()))
        token = portal.redeem(client, fields["code"]).json["id_token"]  # type: ignore[index]
        return str(claims_of(client, token)["sub"])

    first = subject(there.portal)
    assert first == subject(there.portal) == subject(helper)
    assert subject(elsewhere) != first
    assert first not in {there.guardian.id, there.guardian.username, there.guardian.subject_id}
    assert len(first) >= 22  # 128 bits


def test_third_parties_of_different_hosts_cannot_compare_their_subjects(
    client: FlaskClient,
) -> None:
    there = world(client, signed_in=True, first_party=False)
    other = there.other_portal(first_party=False, redirect_uris=["https://other.example/cb"])
    subjects = set()

    for portal in (there.portal, other):
        there.browser.open(portal.authorize_path())
        fields = answer(there.browser.press("consent-allow"))
        claims = claims_of(client, portal.redeem(client, fields["code"]).json["id_token"])  # type: ignore[index]
        subjects |= {claims["sub"], claims["sid"]}

    assert len(subjects) == 4


def test_a_public_subject_is_the_same_everywhere(client: FlaskClient) -> None:
    there = world(client, subject_type="public")
    other = there.other_portal(factories.school("École du Moulin"), subject_type="public")

    fields = answer(there.browser.open(other.authorize_path()))
    token = other.redeem(client, fields["code"]).json["id_token"]  # type: ignore[index]

    assert claims_of(client, token)["sub"] == there.claims()["sub"]


def test_sid_names_the_session(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    first, again = there.claims()["sid"], there.claims()["sid"]
    elsewhere = Browser(app.test_client())
    elsewhere.sign_in_at_home("claire")

    fields = answer(elsewhere.open(there.portal.authorize_path()))
    other = claims_of(client, there.tokens_of(fields)["id_token"])["sid"]

    assert first == again
    assert other != first


def test_auth_time_is_that_of_the_sign_in_and_not_of_the_request(client: FlaskClient) -> None:
    there = world(client)
    before = there.claims()

    with later(minutes=30):
        after = there.claims()

    assert after["auth_time"] == before["auth_time"]
    assert after["iat"] >= before["iat"] + 1800


def test_no_subject_is_given_twice(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    seen = {there.claims()["sub"]}

    for number in range(3):
        factories.account(f"other{number}")
        there.browser.sign_out()
        there.browser.sign_in_at_home(f"other{number}")
        seen.add(there.claims()["sub"])

    assert len(seen) == 4
