"""Client authentication (RFC 6749 §2.3; RFC 7523; OpenID Connect Core §9)."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey

from idp.clients import registration
from idp.errors import Invalid
from tests import factories
from tests.protocol.assertions import ISSUER, Assertion, jwks, key_for
from tests.relying_party import CALLBACK, RelyingParty, World, error_of, world
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]
REFUSED = (401, "invalid_client")


def code_data(code: str) -> dict[str, str]:
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}


def with_key(client: FlaskClient, alg: str = "RS256", **metadata: Any) -> tuple[World, Assertion]:
    key = key_for(alg)
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(key), **metadata)
    return there, Assertion(there.portal.client_id, key, alg)


def test_client_secret_basic(client: FlaskClient) -> None:
    there = world(client, token_endpoint_auth_method="client_secret_basic")

    assert there.redeem()["id_token"]


def test_basic_credentials_are_form_urlencoded(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    # RFC 6749 §2.3.1: every character may come percent-encoded
    secret = "".join(f"%{ord(letter):02X}" for letter in there.portal.registered.secret)
    pair = f"{quote(there.portal.client_id, safe='')}:{secret}".encode()
    header = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    data = code_data(there.answer()["code"])
    response = app.test_client().post("/oauth2/token", data=data, headers=header)

    assert response.status_code == 200


def test_client_secret_post(app: Flask, client: FlaskClient) -> None:
    there = world(client, token_endpoint_auth_method="client_secret_post")
    who = {"client_id": there.portal.client_id, "client_secret": there.portal.registered.secret}

    data = code_data(there.answer()["code"])
    response = app.test_client().post("/oauth2/token", data={**data, **who})

    assert response.status_code == 200


def test_a_public_client_names_itself_alone(client: FlaskClient) -> None:
    there = world(client, token_endpoint_auth_method="none")

    fields = there.answer(**there.portal.pkce())

    assert there.tokens_of(fields, code_verifier=there.portal.verifier)


def test_a_wrong_secret_is_401_with_a_challenge(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    code = there.answer()["code"]

    for secret in ("wrong", "", "é", there.portal.registered.secret + "x"):
        auth = (there.portal.client_id, secret)
        response = app.test_client().post("/oauth2/token", data=code_data(code), auth=auth)
        assert error_of(response) == REFUSED
        assert response.headers["WWW-Authenticate"].startswith("Basic")  # RFC 6749 §5.2
    assert there.tokens_of({"code": code})


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"nocolon").decode(),
        "Basic " + base64.b64encode(b"a\0b:c\0d").decode(),
        "Basic " + base64.b64encode(b"%00:%FF%FE").decode(),
        "Basic " + base64.b64encode(b"x" * 20000 + b":y").decode(),
        "Bearer abc",
        "Negotiate abc",
        "\xe9\xe9 \xff",
        ":",
    ],
)
def test_a_broken_authorization_header_is_refused(
    app: Flask, client: FlaskClient, header: str
) -> None:
    there = world(client)
    data = {**code_data(there.answer()["code"]), "client_id": there.portal.client_id}

    for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"):
        response = app.test_client().post(
            path, data={**data, "token": "x"}, headers={"Authorization": header}
        )
        assert error_of(response) == REFUSED, path
        assert response.headers["WWW-Authenticate"].startswith("Basic")


def test_the_scheme_is_read_in_any_case(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    pair = f"{there.portal.client_id}:{there.portal.registered.secret}".encode()
    header = {"Authorization": f"bAsIc {base64.b64encode(pair).decode()}"}

    data = code_data(there.answer()["code"])
    response = app.test_client().post("/oauth2/token", data=data, headers=header)

    assert response.status_code == 200  # RFC 9110 §11.1


def test_a_confidential_client_never_passes_with_its_id_alone(
    app: Flask, client: FlaskClient
) -> None:
    for method in ("client_secret_basic", "client_secret_post"):
        portal = RelyingParty.of(factories.school(), token_endpoint_auth_method=method)
        data = {"client_id": portal.client_id, "token": "x", "grant_type": "refresh_token"}
        data["refresh_token"] = "x"
        for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"):
            response = app.test_client().post(path, data=data)
            assert error_of(response) == REFUSED, (method, path)


def test_a_rotated_secret_works_beside_the_new_one_only_for_the_overlap(
    client: FlaskClient,
) -> None:
    there = world(client)
    old = there.portal.registered
    new = registration.rotate_secret(there.portal.client_id, overlap=timedelta(minutes=10))

    for registered in (old, new):
        there.portal.registered = registered
        assert there.redeem()
    with later(minutes=11):
        there.portal.registered = old
        code = there.answer()["code"]
        assert error_of(there.portal.redeem(client, code)) == REFUSED


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
def test_private_key_jwt(client: FlaskClient, alg: str) -> None:
    there, assertion = with_key(client, alg)

    response = assertion.post(client, there.answer()["code"], assertion.text())

    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "http://127.0.0.1:8000/oauth2/token"},
        {"aud": "https://evil.example"},
        {"aud": [ISSUER, "https://evil.example"]},
        {"aud": None},
        {"aud": {}},
        {"iss": "somebody"},
        {"sub": "somebody"},
        {"iss": None},
        {"sub": None},
        {"iss": 3, "sub": 3},
        {"sub": ["x"]},
        {"jti": None},
        {"jti": ""},
        {"jti": 7},
        {"jti": "x" * 5000},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1},
        {"exp": 4_000_000_000},
        {"exp": 1e300},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
    ],
    ids=str,
)
def test_an_assertion_that_breaks_one_rule_is_refused(
    client: FlaskClient, changes: dict[str, Any]
) -> None:
    there, assertion = with_key(client)
    code = there.answer()["code"]

    response = assertion.post(client, code, assertion.text(**changes))

    assert error_of(response) in {REFUSED, (400, "invalid_client")}
    assert assertion.post(client, code, assertion.text()).status_code == 200


def test_an_assertion_lives_five_minutes_at_most(client: FlaskClient) -> None:
    import time

    there, assertion = with_key(client)
    exp = int(time.time()) + 3600

    response = assertion.post(client, there.answer()["code"], assertion.text(exp=exp))

    assert response.status_code in {400, 401}


def test_an_assertion_is_accepted_once(client: FlaskClient) -> None:
    there, assertion = with_key(client)
    text = assertion.text()

    assert assertion.post(client, there.answer()["code"], text).status_code == 200
    second = assertion.post(client, there.answer()["code"], text)

    assert second.status_code in {400, 401}
    assert (second.json or {})["error"] == "invalid_client"


def test_two_clients_may_use_the_same_jti(client: FlaskClient) -> None:
    there, first = with_key(client)
    key = key_for("RS256")
    other = there.other_portal(token_endpoint_auth_method="private_key_jwt", jwks=jwks(key))
    second = Assertion(other.client_id, key)

    assert first.post(client, there.answer()["code"], first.text(jti="a")).status_code == 200
    response = second.post(client, "no code", second.text(jti="a"))

    assert error_of(response) == (400, "invalid_grant")


def test_a_key_that_is_not_registered_is_refused(client: FlaskClient) -> None:
    there, assertion = with_key(client)
    stranger = Assertion(assertion.client_id, key_for("RS256"))

    response = stranger.post(client, there.answer()["code"], stranger.text())

    assert error_of(response) in {REFUSED, (400, "invalid_client")}


def test_of_several_registered_keys_the_named_one_counts(client: FlaskClient) -> None:
    first, second = key_for("RS256", "old"), key_for("RS256", "new")
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(first, second))

    for key in (first, second):
        assertion = Assertion(there.portal.client_id, key)
        response = assertion.post(client, there.answer()["code"], assertion.text())
        assert response.status_code == 200


def test_garbage_in_place_of_an_assertion_is_refused(client: FlaskClient) -> None:
    there, assertion = with_key(client)
    whole = assertion.text()
    garbage = ["", "x", "a.b.c", "...", whole[:-2], whole + ".x", "é.é.é", "x" * 7000, "e30.e30."]
    garbage += [base64.urlsafe_b64encode(b'{"alg":3}').decode() + ".e30.AA", "W10.W10.AA"]
    code = there.answer()["code"]

    for text in garbage:
        response = assertion.post(client, code, text)
        assert response.status_code in {400, 401}, text
        assert (response.json or {})["error"] in {"invalid_client", "invalid_request"}, text


def test_an_assertion_for_a_client_with_a_secret_is_refused(client: FlaskClient) -> None:
    there = world(client)
    assertion = Assertion(there.portal.client_id, key_for("RS256"))

    response = assertion.post(client, there.answer()["code"], assertion.text())

    assert error_of(response) in {REFUSED, (400, "invalid_client")}


def test_a_registration_wants_keys_that_can_be_used() -> None:
    from idp.clients.metadata import checked

    base = {"client_name": "x", "redirect_uris": [CALLBACK]}
    method = {"token_endpoint_auth_method": "private_key_jwt"}
    private = {"keys": [RSAKey.generate_key(2048).as_dict(private=True)]}

    documents: list[Any] = [None, {}, {"keys": []}, {"keys": [{"kty": "oct", "k": "A" * 43}]}]

    for wrong in (*documents, private, "x"):
        with pytest.raises(Invalid) as refused:
            checked({**base, **method, "jwks": wrong})
        assert refused.value.field == "jwks"


def test_a_refused_client_is_challenged_with_a_realm(client: FlaskClient) -> None:
    there = world(client)
    server = client.application.test_client(use_cookies=False)
    data = {"grant_type": "authorization_code", "code": "x"}

    response = server.post("/oauth2/token", data=data, auth=(there.portal.client_id, "wrong"))

    assert response.status_code == 401
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith('Basic realm="applications", error="invalid_client"')
