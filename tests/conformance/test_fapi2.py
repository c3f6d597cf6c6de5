"""FAPI 2.0 Security Profile (final): what it asks of the server, over HTTP."""

import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws
from werkzeug.test import TestResponse

from idp.clients import registration
from idp.clients.metadata import checked
from idp.clients.models import Client
from idp.database import db, transaction, update_all
from idp.errors import Invalid
from idp.oidc.models import AccessToken
from tests.parallel import Queries
from tests.protocol.assertions import ISSUER, TYPE, Assertion, jwks, key_for
from tests.protocol.proofs import Prover
from tests.relying_party import World, answer, error_of, world
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]
BASE = {
    "client_name": "x",
    "redirect_uris": ["https://x.example/callback"],
    "profile": "fapi2",
    "jwks": jwks(key_for("ES256")),
}


@dataclass
class Bank:
    """An application of the profile, and a guardian who is signed in."""

    there: World
    assertion: Assertion
    key: Prover = field(default_factory=Prover)

    def post(self, path: str, proof: str | None = None, **data: Any) -> TestResponse:
        """A request that authenticates, unless it brings an assertion of its own."""
        form = {
            "client_assertion_type": TYPE,
            "client_assertion": self.assertion.text(),
            **data,
        }
        headers = {"DPoP": proof} if proof is not None else {}
        http = self.there.http.application.test_client(use_cookies=False)
        return http.post(path, data=form, headers=headers)

    def push(self, **asked: Any) -> TestResponse:
        request = self.there.portal.request(**self.there.portal.pkce(), **asked)
        return self.post("/oauth2/par", **request)

    def code(self, **asked: Any) -> str:
        pushed = self.push(**asked)
        assert pushed.status_code == 201, pushed.text
        path = f"/oauth2/authorize?client_id={self.there.portal.client_id}"
        fields = answer(
            self.there.browser.open(f"{path}&request_uri={(pushed.json or {})['request_uri']}")
        )
        assert fields["iss"] == ISSUER
        return fields["code"]

    def redeem(self, code: str, proof: str | None = None, **data: Any) -> TestResponse:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.there.portal.redirect_uri,
            "code_verifier": self.there.portal.verifier,
        }
        return self.post("/oauth2/token", proof or self.key.proof(), **{**form, **data})

    def refresh(self, token: str, proof: str | None = None) -> TestResponse:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return self.post("/oauth2/token", proof or self.key.proof(), **form)


def bank(client: FlaskClient, **metadata: Any) -> Bank:
    key = key_for("ES256")
    there = world(client, **{"profile": "fapi2", "jwks": jwks(key), **metadata})
    return Bank(there, Assertion(there.portal.client_id, key, "ES256"))


def tokens(there: Bank) -> dict[str, Any]:
    response = there.redeem(there.code(scope="openid offline_access"))
    assert response.status_code == 200, response.text
    return dict(response.json or {})


def test_the_whole_flow(client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.2: a pushed request, PKCE, private_key_jwt and a bound token."""
    there = bank(client)

    told = tokens(there)

    assert told["token_type"] == "DPoP"
    assert there.key.userinfo(client, told["access_token"]).status_code == 200
    header = jws.extract_compact(told["id_token"].encode()).headers()
    assert header["alg"] == "ES256"


# What is registered


def test_the_profile_switches_all_of_it_on() -> None:
    """FAPI 2.0 §5.3.2: what the profile has on is on, whatever the document says."""
    document = checked({**BASE, "require_pkce": False, "dpop_bound_access_tokens": False})

    assert document["token_endpoint_auth_method"] == "private_key_jwt"
    assert document["token_endpoint_auth_audience"] == "issuer"
    assert document["require_pushed_authorization_requests"] is True
    assert document["require_pkce"] is True
    assert document["dpop_bound_access_tokens"] is True
    assert document["id_token_signed_response_alg"] == "ES256"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token_endpoint_auth_method", "client_secret_basic"),
        ("token_endpoint_auth_method", "client_secret_post"),
        ("token_endpoint_auth_method", "none"),
        ("token_endpoint_auth_audience", "issuer_or_endpoint"),
        ("token_endpoint_auth_signing_alg", "RS256"),
        ("request_object_signing_alg", "RS256"),
        ("id_token_signed_response_alg", "RS256"),
        ("introspection_signed_response_alg", "RS256"),
        ("omit_iss", True),
        ("redirect_uris", ["http://127.0.0.1/callback"]),
        ("profile", "fapi3"),
        ("profile", ["fapi2"]),
    ],
)
def test_what_is_weaker_is_refused_with_its_field(name: str, value: Any) -> None:
    """FAPI 2.0 §5.3.2, §5.4.1: no secrets, no RS256, no plain HTTP, no other audience."""
    with pytest.raises(Invalid) as refused:
        checked({**BASE, name: value})

    assert refused.value.field == name


@pytest.mark.parametrize("alg", ["PS256", "ES256", "EdDSA"])
def test_the_algorithms_of_the_profile_are_accepted(client: FlaskClient, alg: str) -> None:
    """FAPI 2.0 §5.4.1: PS256, ES256 and EdDSA, for ID tokens and for assertions."""
    key = key_for(alg)
    there = bank(client, jwks=jwks(key), id_token_signed_response_alg=alg)
    there.assertion = Assertion(there.there.portal.client_id, key, alg)

    header = jws.extract_compact(tokens(there)["id_token"].encode()).headers()

    assert header["alg"] == alg


def test_a_registration_from_before_profiles_goes_on(client: FlaskClient) -> None:
    """RFC 7591 §2: a registration without our fields means what it meant."""
    there = world(client)
    client_ = registration.get_client(there.portal.client_id)

    old = {
        name: value
        for name, value in client_.metadata_.items()
        if name not in {"profile", "token_endpoint_auth_audience", "dpop_bound_access_tokens"}
    }
    with transaction():
        update_all(Client, Client.id == client_.id, metadata_=old)

    answer_ = there.redeem(scope="openid offline_access")
    refreshed = there.portal.refresh(client, answer_["refresh_token"]).json or {}

    assert refreshed["refresh_token"] != answer_["refresh_token"]


def test_legacy_begins_with_other_defaults() -> None:
    """RFC 9700 §2.1.1: what is weaker than it recommends is named legacy, and can be raised."""
    base = {"client_name": "x", "redirect_uris": ["https://x.example/"], "profile": "legacy"}

    document = checked(base)
    raised = checked({**base, "require_pkce": True, "token_endpoint_auth_audience": "issuer"})

    assert document["require_pkce"] is False
    assert document["token_endpoint_auth_audience"] == "issuer_or_endpoint"
    assert raised["require_pkce"] is True
    assert raised["token_endpoint_auth_audience"] == "issuer"
    assert checked({**base, "token_endpoint_auth_method": "none"})["require_pkce"] is True


# What the endpoints refuse


def test_a_request_that_is_not_pushed_is_refused(client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.2: authorization requests without PAR are rejected."""
    there = bank(client)

    fields = there.there.answer(**there.there.portal.pkce())

    assert fields["error"] == "invalid_request"


def test_a_request_without_pkce_is_refused(client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.2: PKCE with S256."""
    there = bank(client)

    request = there.there.portal.request()

    assert error_of(there.post("/oauth2/par", **request)) == (400, "invalid_request")


def test_a_token_request_without_a_proof_is_refused(client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.1: only sender-constrained access tokens are issued."""
    there = bank(client)
    code = there.code()

    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "x"}

    assert error_of(there.post("/oauth2/token", **form)) == (400, "invalid_dpop_proof")
    assert there.redeem(code).status_code == 200


@pytest.mark.parametrize("audience", [[ISSUER], f"{ISSUER}/oauth2/token", f"{ISSUER}/oauth2/par"])
def test_the_audience_is_the_issuer_as_a_string(client: FlaskClient, audience: Any) -> None:
    """FAPI 2.0 §5.3.2.1: the issuer as a string in aud of client assertions."""
    there = bank(client)

    refused = there.redeem(there.code(), client_assertion=there.assertion.text(aud=audience))

    assert error_of(refused)[1] == "invalid_client"


def test_an_assertion_with_rs256_is_refused(client: FlaskClient) -> None:
    """FAPI 2.0 §5.4.1: RS256 is accepted for no JWT."""
    key = key_for("RS256")
    there = bank(client, jwks=jwks(key))
    there.assertion = Assertion(there.there.portal.client_id, key, "RS256")

    assert error_of(there.push())[1] == "invalid_client"


def test_clocks_may_differ_by_ten_seconds_and_not_by_more_than_a_minute(
    client: FlaskClient,
) -> None:
    """FAPI 2.0 §5.3.2.1: iat and nbf up to 10 seconds ahead are accepted, over 60 refused."""
    there, now = bank(client), int(time.time())
    near = there.assertion.text(iat=now + 10, nbf=now + 10)
    far = there.assertion.text(iat=now + 75, nbf=now + 75)

    assert there.push(client_assertion=near).status_code == 201
    assert error_of(there.push(client_assertion=far))[1] == "invalid_client"


def test_a_code_works_for_a_minute_whatever_the_setting(app: Flask, client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.1: authorization codes live 60 seconds at most."""
    there = bank(client)
    longer = replace(app.extensions["idp.settings"], code_lifetime=timedelta(minutes=10))
    app.extensions["idp.settings"] = longer
    code = there.code()

    with later(seconds=62):
        assert error_of(there.redeem(code)) == (400, "invalid_grant")


# Refresh tokens


def test_a_refresh_token_stays_the_same(client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.1: refresh token rotation is not used."""
    there = bank(client)
    token = tokens(there)["refresh_token"]

    first = there.refresh(token)
    with later(seconds=45):
        second = there.refresh(token)
    with later(days=20):
        third = there.refresh(token)
    with later(days=45):  # thirty days from its last use
        fourth = there.refresh(token)

    for response in (first, second, third, fourth):
        assert response.status_code == 200, response.text
        assert (response.json or {})["refresh_token"] == token
    with later(days=80):
        assert error_of(there.refresh(token)) == (400, "invalid_grant")


def test_a_refresh_token_ends_with_its_grant(client: FlaskClient) -> None:
    """RFC 6749 §6: a refresh token that was revoked is refused, rotating or not."""
    there = bank(client)
    token = tokens(there)["refresh_token"]

    assert there.post("/oauth2/revoke", token=token).status_code == 200

    assert error_of(there.refresh(token)) == (400, "invalid_grant")


def test_a_refresh_token_is_worth_nothing_to_another_client(client: FlaskClient) -> None:
    """RFC 6749 §6: the refresh token is bound to the client that it was issued to."""
    there = bank(client)
    token = tokens(there)["refresh_token"]
    key = key_for("ES256")
    other = there.there.other_portal(profile="fapi2", jwks=jwks(key))
    stranger = Bank(there.there, Assertion(other.client_id, key, "ES256"))

    assert error_of(stranger.refresh(token)) == (400, "invalid_grant")
    assert there.refresh(token).status_code == 200


def test_a_refresh_costs_no_more_statements_than_a_rotation(client: FlaskClient) -> None:
    """FAPI 2.0 §5.3.2.1: what is not rotated costs no more than what is."""
    there = bank(client)
    token = tokens(there)["refresh_token"]
    with Queries() as seen:
        assert there.refresh(token).status_code == 200

    writes = [text for text in seen if text.startswith(("INSERT", "UPDATE"))]
    assert [text.split()[1 if text.startswith("UPDATE") else 2] for text in writes] == [
        "used_assertions",
        "used_assertions",
        "refresh_tokens",
        "access_tokens",
    ]
    assert db.session.query(AccessToken).count() == 2
