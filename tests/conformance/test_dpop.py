"""DPoP (RFC 9449): what the specification asks of the server, over HTTP."""

import base64
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc._rfc7518.jws_algs import JWS_ALGORITHMS
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp import purge
from idp.clients.models import UsedAssertion
from idp.database import db
from idp.oidc.models import AccessToken
from tests import factories
from tests.parallel import Queries
from tests.protocol.assertions import ISSUER
from tests.protocol.proofs import Prover, post
from tests.relying_party import RelyingParty, World, answer, error_of, world
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]
REFUSED = (400, "invalid_dpop_proof")
USERINFO = "/oauth2/userinfo"


def redeemed(there: World, key: Prover, proof: str | None = None, **asked: str) -> Any:
    return key.redeem(there.portal, there.http, there.answer(**asked)["code"], proof)


def tokens(there: World, key: Prover, **asked: str) -> dict[str, Any]:
    response = redeemed(there, key, **asked)
    assert response.status_code == 200, response.text
    return dict(response.json)


# The proof, at the token endpoint


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-256")),
        ("PS256", RSAKey.generate_key(2048)),
        ("EdDSA", OKPKey.generate_key("Ed25519")),
        ("Ed25519", OKPKey.generate_key("Ed25519")),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_token_is_bound_to_the_key_of_the_proof(client: FlaskClient, alg: str, key: Any) -> None:
    """RFC 9449 §5: the token answer says that the access token is bound."""
    there, prover = world(client), Prover(key, alg)

    given = tokens(there, prover)

    assert given["token_type"] == "DPoP"
    assert prover.userinfo(client, given["access_token"]).status_code == 200


def test_without_a_proof_a_token_is_a_bearer_token(client: FlaskClient) -> None:
    """RFC 9449 §5: without a proof and a registration that asks for one nothing changes."""
    there = world(client)

    answer = there.redeem()

    assert answer["token_type"] == "Bearer"
    assert there.portal.userinfo(client, answer["access_token"]).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "GET"},
        {"htm": "post"},
        {"htm": None},
        {"htu": None},
        {"htu": f"{ISSUER}/oauth2/userinfo"},
        {"htu": "https://evil.example/oauth2/token"},
        {"htu": "http://user@127.0.0.1:8000/oauth2/token"},
        {"htu": "http://127.0.0.1:8001/oauth2/token"},
        {"htu": "https://127.0.0.1:8000/oauth2/token"},
        {"htu": f"{ISSUER}/oauth2/token/"},
        {"htu": f"{ISSUER}/oauth2%2Ftoken"},
        {"htu": "http://127.0.0.1:x/oauth2/token"},
        {"htu": "/oauth2/token"},
        {"htu": 3},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 300},
        {"iat": None},
        {"iat": "now"},
        {"iat": True},
        {"iat": float("nan")},
        {"iat": float("inf")},
        {"iat": 1},
        {"iat": 4_000_000_000},
    ],
    ids=str,
)
def test_a_proof_that_breaks_one_rule_is_refused(
    client: FlaskClient, changes: dict[str, Any]
) -> None:
    """RFC 9449 §4.3: each claim of a proof is there and right."""
    there, key = world(client), Prover()
    code = there.answer()["code"]

    response = key.redeem(there.portal, client, code, key.proof(**changes))

    assert error_of(response) == REFUSED
    assert response.headers["Cache-Control"] == "no-store"
    assert key.redeem(there.portal, client, code).status_code == 200  # the code is not spent


@pytest.mark.parametrize(
    "htu",
    [
        "HTTP://127.0.0.1:8000/oauth2/token",
        f"{ISSUER}/oauth2/token?x=y#z",
        f"{ISSUER}/oauth2/%74oken",
    ],
)
def test_addresses_are_compared_normalised(client: FlaskClient, htu: str) -> None:
    """RFC 9449 §4.3: htu is compared after normalisation, without query and fragment."""
    there, key = world(client), Prover()

    assert redeemed(there, key, key.proof(htu=htu)).status_code == 200


def test_the_address_is_the_configured_one_whatever_the_host_header(client: FlaskClient) -> None:
    """RFC 9449 §4.3: htu is the address of the request at this server, not at a forged host."""
    there, key = world(client), Prover()
    code = there.answer()["code"]
    forged = key.proof(htu="http://evil.example/oauth2/token")

    response = client.application.test_client(use_cookies=False).post(
        "/oauth2/token",
        data={"grant_type": "authorization_code", "code": code},
        auth=(there.portal.client_id, there.portal.registered.secret),
        headers={"DPoP": forged, "Host": "evil.example"},
    )

    assert error_of(response) == REFUSED


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": None},
        {"alg": None},
        {"jwk": None},
        {"jwk": "x"},
        {"jwk": {"kty": "EC"}},
        {"jwk": {"kty": "oct", "k": "A" * 43}},
        {"jwk": {"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}},
        {"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}},
        {"crit": ["unknown"], "unknown": True},
    ],
    ids=str,
)
def test_a_proof_with_another_header_is_refused(
    client: FlaskClient, header: dict[str, Any]
) -> None:
    """RFC 9449 §4.2: a proof has its type, an asymmetric algorithm and a public key."""
    there, key = world(client), Prover()
    proof = handmade(key, header)

    assert error_of(redeemed(there, key, proof)) == REFUSED


def handmade(key: Prover, header: dict[str, Any]) -> str:
    """A proof whose header no library would write; signed all the same."""

    def encoded(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    good = key.proof()
    payload = good.split(".")[1]
    whole = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.key.as_dict(private=False), **header}
    head = encoded(json.dumps({n: v for n, v in whole.items() if v is not None}).encode())
    es256 = next(each for each in JWS_ALGORITHMS if each.name == "ES256")
    signature = es256.sign(f"{head}.{payload}".encode(), key.key)
    return f"{head}.{payload}.{encoded(signature)}"


def test_handmade_proofs_are_signed_well(client: FlaskClient) -> None:
    """RFC 9449 §4.2: the proofs of the test above fail for their header alone."""
    there, key = world(client), Prover()

    assert redeemed(there, key, handmade(key, {})).status_code == 200


def test_a_private_key_in_the_header_is_refused(client: FlaskClient) -> None:
    """RFC 9449 §4.3: the jwk header holds no private key."""
    there, key = world(client), Prover()
    proof = handmade(key, {"jwk": key.key.as_dict(private=True)})

    assert error_of(redeemed(there, key, proof)) == REFUSED


def test_a_signature_of_another_key_is_refused(client: FlaskClient) -> None:
    """RFC 9449 §4.3: the signature verifies with the key of the header."""
    there, key = world(client), Prover()
    proof = handmade(key, {"jwk": Prover().key.as_dict(private=False)})

    assert error_of(redeemed(there, key, proof)) == REFUSED


@pytest.mark.parametrize("proof", ["", "x", "a.b.c", "é", "x" * 9000, "e30.e30.", "W10.W10.AA"])
def test_garbage_is_no_proof(client: FlaskClient, proof: str) -> None:
    """RFC 9449 §4.3: the header's value is one well-formed JWT."""
    there, key = world(client), Prover()
    code = there.answer()["code"]

    response = post(there.portal, client, proof.encode().decode("latin-1"), code=code)

    assert error_of(response) == REFUSED
    assert key.redeem(there.portal, client, code).status_code == 200


def test_two_proofs_are_refused(client: FlaskClient) -> None:
    """RFC 9449 §4.3: there is not more than one DPoP header."""
    there, key = world(client), Prover()
    code = there.answer()["code"]

    response = client.application.test_client(use_cookies=False).post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": there.portal.redirect_uri,
        },
        auth=(there.portal.client_id, there.portal.registered.secret),
        headers=[("DPoP", key.proof()), ("DPoP", key.proof())],
    )

    assert error_of(response) == REFUSED


def test_a_proof_from_a_moment_ahead_is_accepted(client: FlaskClient) -> None:
    """RFC 9449 §4.3: clocks differ; iat lies within an acceptable window."""
    there, key = world(client), Prover()
    now = int(time.time())

    assert redeemed(there, key, key.proof(iat=now + 10)).status_code == 200
    assert redeemed(there, key, key.proof(iat=now - 240)).status_code == 200
    assert error_of(redeemed(there, key, key.proof(iat=now + 90))) == REFUSED
    assert error_of(redeemed(there, key, key.proof(iat=now - 400))) == REFUSED


def test_a_proof_works_once(client: FlaskClient) -> None:
    """RFC 9449 §11.1: the jti of a proof is remembered for as long as it would be accepted."""
    there, key = world(client), Prover()
    proof = key.proof(iat=int(time.time()) + 50)

    assert redeemed(there, key, proof).status_code == 200
    assert error_of(redeemed(there, key, proof)) == REFUSED
    with later(minutes=5):
        purge.run()
        assert error_of(redeemed(there, key, proof)) == REFUSED


def test_two_keys_may_use_the_same_jti(client: FlaskClient) -> None:
    """RFC 9449 §11.1: a jti is unique for its key."""
    there = world(client)

    for key in (Prover(), Prover()):
        assert redeemed(there, key, key.proof(jti="same")).status_code == 200


def test_who_does_not_prove_to_be_the_client_leaves_no_row(client: FlaskClient) -> None:
    """RFC 9449 §11.1: what is remembered is bounded; strangers fill nothing."""
    there, key = world(client), Prover()
    there.portal.registered = type(there.portal.registered)(
        there.portal.registered.client, "wrong secret"
    )

    assert error_of(redeemed(there, key))[1] == "invalid_client"
    assert db.session.query(UsedAssertion).count() == 0


# What a client is registered for


def test_a_client_that_is_registered_so_needs_a_proof(client: FlaskClient) -> None:
    """RFC 9449 §5.2: dpop_bound_access_tokens refuses token requests without a proof."""
    there = world(client, dpop_bound_access_tokens=True)
    code = there.answer()["code"]

    assert error_of(post(there.portal, client, None, code=code)) == REFUSED
    assert Prover().redeem(there.portal, client, code).status_code == 200


def test_discovery_names_the_algorithms(client: FlaskClient) -> None:
    """RFC 9449 §5.1: dpop_signing_alg_values_supported."""
    document = client.get("/.well-known/openid-configuration").json or {}
    resource = client.get("/.well-known/oauth-protected-resource/oauth2/userinfo").json or {}

    for told in (document, resource):
        assert {"ES256", "PS256"} <= set(told["dpop_signing_alg_values_supported"])
        assert not {"none", "HS256", "RS256"} & set(told["dpop_signing_alg_values_supported"])


# The code's own key


def test_a_code_is_redeemed_by_the_key_that_the_request_named(client: FlaskClient) -> None:
    """RFC 9449 §10: a code that was asked for with dpop_jkt is worth nothing with another key."""
    there, key = world(client), Prover()
    code = there.answer(dpop_jkt=key.jkt)["code"]

    assert error_of(Prover().redeem(there.portal, client, code)) == (400, "invalid_grant")
    assert error_of(post(there.portal, client, None, code=code)) == (400, "invalid_grant")
    assert key.redeem(there.portal, client, code).status_code == 200


@pytest.mark.parametrize("jkt", ["x", "A" * 42, "A" * 44, "!" * 43])
def test_a_dpop_jkt_that_is_none_is_refused(client: FlaskClient, jkt: str) -> None:
    """RFC 9449 §10: dpop_jkt is the SHA-256 thumbprint of a key."""
    assert world(client).answer(dpop_jkt=jkt)["error"] == "invalid_request"


def pushed(there: World, key: Prover, proof: str, **asked: str) -> Any:
    """The answer to a pushed request."""
    return there.http.application.test_client(use_cookies=False).post(
        "/oauth2/par",
        data={**there.portal.request(), **asked},
        auth=(there.portal.client_id, there.portal.registered.secret),
        headers={"DPoP": proof},
    )


def test_a_proof_with_a_pushed_request_binds_the_code(client: FlaskClient) -> None:
    """RFC 9449 §10.1: a proof at the pushed request endpoint says what dpop_jkt says."""
    there, key = world(client), Prover()
    response = pushed(there, key, key.proof(path="/oauth2/par"))
    assert response.status_code == 201, response.text
    assert response.headers["DPoP-Nonce"]

    path = f"/oauth2/authorize?client_id={there.portal.client_id}"
    fields = answer(there.browser.open(f"{path}&request_uri={response.json['request_uri']}"))

    refused = Prover().redeem(there.portal, client, fields["code"])
    assert error_of(refused) == (400, "invalid_grant")
    assert key.redeem(there.portal, client, fields["code"]).status_code == 200


def test_a_pushed_request_names_one_key(client: FlaskClient) -> None:
    """RFC 9449 §10.1: where both are there, dpop_jkt is the thumbprint of the proof's key."""
    there, key = world(client), Prover()

    other = pushed(there, key, key.proof(path="/oauth2/par"), dpop_jkt=Prover().jkt)
    same = pushed(there, key, key.proof(path="/oauth2/par"), dpop_jkt=key.jkt)
    wrong = pushed(there, key, key.proof(path="/oauth2/token"))

    assert error_of(other) == error_of(wrong) == REFUSED
    assert same.status_code == 201


# Refresh tokens


def test_the_refresh_token_of_a_public_client_is_bound(client: FlaskClient) -> None:
    """RFC 9449 §5: refresh tokens of public clients are bound to the key."""
    there, key = world(client, token_endpoint_auth_method="none"), Prover()
    answer = tokens(there, key, scope="openid offline_access", **there.portal.pkce())
    token = answer["refresh_token"]

    assert error_of(Prover().refresh(there.portal, client, token)) == (400, "invalid_grant")
    refused = post(there.portal, client, None, refresh_token=token)
    assert error_of(refused) == (400, "invalid_grant")
    first = key.refresh(there.portal, client, token)
    assert first.status_code == 200
    second = (first.json or {})["refresh_token"]
    assert error_of(Prover().refresh(there.portal, client, second)) == (400, "invalid_grant")
    assert key.refresh(there.portal, client, second).status_code == 200


def test_a_confidential_client_may_come_back_with_another_key(client: FlaskClient) -> None:
    """RFC 9449 §5: of a confidential client the refresh token hangs on its authentication."""
    there, key, another = world(client), Prover(), Prover()
    token = tokens(there, key, scope="openid offline_access")["refresh_token"]

    answer = another.refresh(there.portal, client, token).json or {}

    assert answer["token_type"] == "DPoP"
    assert another.userinfo(client, answer["access_token"]).status_code == 200
    assert key.userinfo(client, answer["access_token"]).status_code == 401


# Use of a token


def test_a_bound_token_does_not_work_as_a_bearer_token(app: Flask, client: FlaskClient) -> None:
    """RFC 9449 §7.2: a bound token that comes by another scheme is refused."""
    there, key = world(client), Prover()
    token = tokens(there, key)["access_token"]
    http = app.test_client(use_cookies=False)

    by_header = there.portal.userinfo(client, token)
    in_body = http.post(USERINFO, data={"access_token": token})
    with_proof = key.userinfo(client, token, scheme="Bearer")

    for response in (by_header, in_body, with_proof):
        assert error_of(response) == (401, "invalid_token")
        challenge = response.headers["WWW-Authenticate"]
        assert challenge.startswith('DPoP error="invalid_token"')
        assert 'algs="ES256' in challenge


def test_a_bearer_token_does_not_work_as_a_bound_one(client: FlaskClient) -> None:
    """RFC 9449 §7.1: a token that is bound to no key is refused under the DPoP scheme."""
    there, key = world(client), Prover()
    token = there.redeem()["access_token"]

    assert error_of(key.userinfo(client, token)) == (401, "invalid_token")


def test_a_bound_token_needs_its_own_key(client: FlaskClient) -> None:
    """RFC 9449 §7.1: the proof's key is the one that the token is bound to."""
    there, key = world(client), Prover()
    token = tokens(there, key)["access_token"]

    assert error_of(Prover().userinfo(client, token)) == (401, "invalid_token")


@pytest.mark.parametrize(
    "changes", [{"ath": None}, {"ath": "x"}, {"htm": "POST"}, {"htu": f"{ISSUER}/x"}], ids=str
)
def test_a_proof_about_something_else_is_refused(
    client: FlaskClient, changes: dict[str, Any]
) -> None:
    """RFC 9449 §4.3: with a token the proof holds its hash, and the request's method and URI."""
    there, key = world(client), Prover()
    token = tokens(there, key)["access_token"]
    proof = key.proof(**{"method": "GET", "path": USERINFO, "token": token, **changes})

    response = key.userinfo(client, token, proof)

    assert error_of(response) == (401, "invalid_dpop_proof")
    assert response.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof"')


def test_a_missing_proof_is_refused(app: Flask, client: FlaskClient) -> None:
    """RFC 9449 §7.1: a bound token comes with a proof."""
    there, key = world(client), Prover()
    token = tokens(there, key)["access_token"]

    response = app.test_client(use_cookies=False).get(
        USERINFO, headers={"Authorization": f"DPoP {token}"}
    )

    assert error_of(response) == (401, "invalid_dpop_proof")


def test_a_proof_about_a_token_works_once(client: FlaskClient) -> None:
    """RFC 9449 §11.1: a proof that was seen at UserInfo is refused there the second time."""
    there, key = world(client), Prover()
    token = tokens(there, key)["access_token"]
    proof = key.proof("GET", USERINFO, token=token)

    assert key.userinfo(client, token, proof).status_code == 200
    assert error_of(key.userinfo(client, token, proof)) == (401, "invalid_dpop_proof")


def test_without_a_token_both_schemes_are_offered(app: Flask, client: FlaskClient) -> None:
    """RFC 9449 §7.2: a resource that takes both tells both."""
    world(client)

    response = app.test_client(use_cookies=False).get(USERINFO)

    schemes = [each.partition(" ")[0] for each in response.headers.getlist("WWW-Authenticate")]
    assert schemes == ["Bearer", "DPoP"]


def test_introspection_tells_the_key(client: FlaskClient) -> None:
    """RFC 9449 §6.2: the answer holds cnf with jkt, and the token's type."""
    there, key = world(client), Prover()
    token = tokens(there, key)["access_token"]

    told = there.portal.introspect(client, token)

    assert told["token_type"] == "DPoP"
    assert told["cnf"] == {"jkt": key.jkt}
    assert "cnf" not in there.portal.introspect(client, there.redeem()["access_token"])


# The server's nonce


def test_an_answer_to_a_proof_brings_a_nonce(client: FlaskClient) -> None:
    """RFC 9449 §8.2: the server may give a nonce with any answer."""
    there, key = world(client), Prover()

    first = redeemed(there, key)
    nonce = first.headers["DPoP-Nonce"]
    told = key.userinfo(client, (first.json or {})["access_token"])

    assert told.headers["DPoP-Nonce"] == nonce
    assert redeemed(there, key, key.proof(nonce=nonce)).status_code == 200


@pytest.mark.parametrize("nonce", ["made up", "", 3])
def test_a_nonce_that_is_not_ours_is_refused(client: FlaskClient, nonce: Any) -> None:
    """RFC 9449 §8: use_dpop_nonce, with the right one beside it."""
    there, key = world(client), Prover()
    code = there.answer()["code"]

    response = key.redeem(there.portal, client, code, key.proof(nonce=nonce))

    assert error_of(response) == (400, "use_dpop_nonce")
    again = key.proof(nonce=response.headers["DPoP-Nonce"])
    assert key.redeem(there.portal, client, code, again).status_code == 200


def test_a_nonce_lives_for_minutes(client: FlaskClient) -> None:
    """RFC 9449 §8: an old nonce is refused, and the present one told."""
    there, key = world(client), Prover()
    nonce = redeemed(there, key).headers["DPoP-Nonce"]

    with later(minutes=4):
        assert redeemed(there, key, key.proof(nonce=nonce)).status_code == 200
    with later(minutes=11):
        response = redeemed(there, key, key.proof(nonce=nonce))
        assert error_of(response) == (400, "use_dpop_nonce")
        assert response.headers["DPoP-Nonce"] != nonce


def test_where_the_operator_says_so_each_proof_needs_a_nonce(
    app: Flask, client: FlaskClient
) -> None:
    """RFC 9449 §8, §9: without a nonce both endpoints tell one, by their own channel."""
    there, key = world(client), Prover()
    app.extensions["idp.settings"] = replace(app.extensions["idp.settings"], dpop_nonce=True)
    code = there.answer()["code"]

    first = key.redeem(there.portal, client, code)
    assert error_of(first) == (400, "use_dpop_nonce")
    nonce = first.headers["DPoP-Nonce"]
    second = key.redeem(there.portal, client, code, key.proof(nonce=nonce))
    token = (second.json or {})["access_token"]

    third = key.userinfo(client, token)
    assert error_of(third) == (401, "use_dpop_nonce")
    assert third.headers["WWW-Authenticate"].startswith('DPoP error="use_dpop_nonce"')
    good = key.proof("GET", USERINFO, token=token, nonce=third.headers["DPoP-Nonce"])
    assert key.userinfo(client, token, good).status_code == 200


def test_a_browser_application_may_send_proofs_and_read_nonces(app: Flask) -> None:
    """RFC 9449 §8.2: a script reads DPoP-Nonce where CORS exposes it."""
    RelyingParty.of(factories.school(), origins=["https://app.example"])
    origin = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}

    preflight = app.test_client().options("/oauth2/token", headers=origin)

    assert "DPoP" in preflight.headers["Access-Control-Allow-Headers"]
    assert "DPoP-Nonce" in preflight.headers["Access-Control-Expose-Headers"]


# What it costs


def test_a_proof_costs_one_insert(app: Flask, client: FlaskClient) -> None:
    """RFC 9449 §11.1: a proof costs one indexed insert, and the plain flow nothing."""
    there, key = world(client), Prover()

    def statements(proof: str | None) -> list[str]:
        code = there.answer()["code"]
        with Queries() as seen:
            assert post(there.portal, client, proof, code=code).status_code == 200
        return [text for text in seen if "BEGIN" not in text and "PRAGMA" not in text]

    plain, bound = statements(None), statements(key.proof())

    assert [text for text in bound if "used_assertions" in text]
    assert len(bound) == len(plain) + 1


def test_a_token_keeps_no_key_but_its_thumbprint(client: FlaskClient) -> None:
    """RFC 9449 §6: a token is bound by the thumbprint of its key."""
    there, key = world(client), Prover()
    tokens(there, key)

    assert db.session.query(AccessToken).one().confirmation == f"jkt:{key.jkt}"
