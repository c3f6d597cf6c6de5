"""Client authentication: what each specification asks of the server, over HTTP."""

import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp import purge
from tests.protocol.assertions import ISSUER, TYPE, Assertion, jwks, key_for
from tests.relying_party import CALLBACK, World, error_of, world
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("postgresql"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]
TOKEN = f"{ISSUER}/oauth2/token"
HOUR = 3600


def there_with_key(client: FlaskClient, **metadata: Any) -> tuple[World, Assertion]:
    key = key_for("ES256")
    there = world(client, token_endpoint_auth_method="private_key_jwt", jwks=jwks(key), **metadata)
    return there, Assertion(there.portal.client_id, key, "ES256")


def lenient(client: FlaskClient) -> tuple[World, Assertion]:
    return there_with_key(client, token_endpoint_auth_audience="issuer_or_endpoint")


def refusal(there: World, assertion: Assertion, **claims: Any) -> str:
    """What the error says of an assertion with these claims."""
    response = assertion.post(there.http, there.answer()["code"], assertion.text(**claims))
    assert error_of(response)[1] == "invalid_client", response.text
    return str((response.json or {})["error_description"])


@pytest.mark.parametrize("audience", [ISSUER, [ISSUER]], ids=str)
def test_the_issuer_is_accepted_as_the_only_audience(client: FlaskClient, audience: Any) -> None:
    """RFC 7523 §3: the issuer identifies the server, as a text or as a list of one."""
    there, assertion = there_with_key(client)

    response = assertion.post(client, there.answer()["code"], assertion.text(aud=audience))

    assert response.status_code == 200


@pytest.mark.parametrize("audience", [TOKEN, [TOKEN], [ISSUER, TOKEN], []], ids=str)
def test_another_audience_is_refused_by_default_and_named(
    client: FlaskClient, audience: Any
) -> None:
    """RFC 7523 §3: an assertion that does not name the server alone is rejected."""
    there, assertion = there_with_key(client)

    assert "'aud'" in refusal(there, assertion, aud=audience)


@pytest.mark.parametrize("audience", [ISSUER, TOKEN, [TOKEN], [ISSUER, TOKEN]], ids=str)
def test_a_lenient_registration_accepts_the_token_endpoint(
    client: FlaskClient, audience: Any
) -> None:
    """OpenID Connect Core §9: the audience should be the address of the token endpoint."""
    there, assertion = lenient(client)

    response = assertion.post(client, there.answer()["code"], assertion.text(aud=audience))

    assert response.status_code == 200


def test_a_lenient_registration_accepts_the_endpoint_that_is_called(
    app: Flask, client: FlaskClient
) -> None:
    """RFC 7523 §3: the address of the endpoint that is called identifies the server there."""
    _there, assertion = lenient(client)
    server = app.test_client(use_cookies=False)

    def introspected(audience: str) -> int:
        data = {
            "token": "unknown",
            "client_assertion_type": TYPE,
            "client_assertion": assertion.text(aud=audience),
        }
        return server.post("/oauth2/introspect", data=data).status_code

    assert introspected(f"{ISSUER}/oauth2/introspect") == 200
    assert introspected(f"{ISSUER}/oauth2/revoke") in {400, 401}


@pytest.mark.parametrize(
    "audience",
    ["https://evil.example", [TOKEN, "https://evil.example"], [ISSUER, 3], {}, None, [[TOKEN]]],
    ids=str,
)
def test_no_registration_accepts_an_assertion_for_another_server(
    client: FlaskClient, audience: Any
) -> None:
    """RFC 7523 §3: an assertion that is meant for somebody else too is rejected."""
    there, assertion = lenient(client)

    assert "'aud'" in refusal(there, assertion, aud=audience)


def test_a_lenient_registration_accepts_an_assertion_of_an_hour(client: FlaskClient) -> None:
    """RFC 7523 §3: the server may limit how long an assertion lives; an hour is accepted."""
    there, assertion = lenient(client)
    now = int(time.time())

    good = assertion.text(aud=TOKEN, exp=now + HOUR)

    assert assertion.post(client, there.answer()["code"], good).status_code == 200
    assert "'exp'" in refusal(there, assertion, exp=now + HOUR + 120)


def test_a_long_assertion_works_once_for_as_long_as_it_lives(client: FlaskClient) -> None:
    """RFC 7523 §3: the server may refuse a jti that was used, for as long as the JWT is valid."""
    there, assertion = lenient(client)
    text = assertion.text(exp=int(time.time()) + HOUR)
    assert assertion.post(client, there.answer()["code"], text).status_code == 200

    with later(minutes=59):
        purge.run()
        response = assertion.post(client, "any", text)

    assert error_of(response)[1] == "invalid_client"


@pytest.mark.parametrize(
    ("claims", "wrong"),
    [
        ({"iss": "somebody"}, "Issuer and Subject MUST match"),
        ({"exp": None}, "'exp'"),
        ({"exp": 1}, "'exp'"),
        ({"exp": 4_000_000_000}, "'exp'"),
        ({"nbf": 4_000_000_000}, "'nbf'"),
        ({"iat": 4_000_000_000}, "'iat'"),
        ({"jti": 7}, "'jti'"),
        ({"jti": None}, "Missing JWT ID"),
    ],
    ids=str,
)
def test_the_error_names_the_claim_that_is_wrong(
    client: FlaskClient, claims: dict[str, Any], wrong: str
) -> None:
    """RFC 7521 §4.2.1: the description may say why the assertion is invalid."""
    there, assertion = there_with_key(client)

    described = refusal(there, assertion, **claims)

    assert wrong in described


def test_who_has_not_the_key_learns_of_no_claim(client: FlaskClient) -> None:
    """RFC 7521 §8.3: nothing is told to whoever did not prove to be the client."""
    there, assertion = there_with_key(client)
    stranger = Assertion(assertion.client_id, key_for("ES256"), "ES256")

    told = {
        refusal(there, stranger),
        refusal(there, stranger, aud=TOKEN),
        refusal(there, stranger, exp=1),
        refusal(there, stranger, jti=None),
    }

    assert len(told) == 1


def test_a_client_id_that_contradicts_the_assertion_is_refused(client: FlaskClient) -> None:
    """RFC 7521 §4.2: a client_id beside an assertion must be that of its subject."""
    there, assertion = there_with_key(client)
    other = there.other_portal()

    code = there.answer()["code"]
    refused = assertion.post(client, code, assertion.text(), client_id=other.client_id)
    good = assertion.post(client, code, assertion.text(), client_id=assertion.client_id)

    assert error_of(refused)[1] == "invalid_client"
    assert good.status_code == 200


def test_a_client_id_that_contradicts_basic_is_refused(app: Flask, client: FlaskClient) -> None:
    """RFC 6749 §2.3: a request names one client, in the header and in the body alike."""
    there = world(client)
    data = {
        "grant_type": "authorization_code",
        "code": there.answer()["code"],
        "redirect_uri": CALLBACK,
        "client_id": there.other_portal().client_id,
    }
    auth = (there.portal.client_id, there.portal.registered.secret)

    response = app.test_client(use_cookies=False).post("/oauth2/token", data=data, auth=auth)

    assert error_of(response) == (401, "invalid_client")


def test_a_multipart_form_is_refused(app: Flask, client: FlaskClient) -> None:
    """RFC 6749 §4.1.3: the body is application/x-www-form-urlencoded, and nothing else."""
    there = world(client)
    data = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK}
    auth = (there.portal.client_id, there.portal.registered.secret)

    response = app.test_client(use_cookies=False).post(
        "/oauth2/token", data=data, auth=auth, content_type="multipart/form-data"
    )

    assert error_of(response) == (400, "invalid_request")
