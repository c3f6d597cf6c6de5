"""What the FAPI 2.0 plans ask of the profile, and no other test here does (``plans.txt``)."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conformance.test_fapi2 import Bank, bank, tokens
from tests.protocol.assertions import ISSUER, Assertion, jwks, key_for
from tests.protocol.proofs import Prover
from tests.relying_party import CALLBACK, answer, claims_of, error_of, leads_to
from tests.request_objects import Signer, unsigned
from tests.times import later, standing_still

pytestmark = pytest.mark.quick_on("sqlite")


def brought(there: Bank, pushed: TestResponse, **outside: str) -> dict[str, str]:
    """The answer to a request that was pushed; what stands beside its name."""
    assert pushed.status_code == 201, pushed.text
    uri = (pushed.json or {})["request_uri"]
    asked = {"client_id": there.there.portal.client_id, **outside, "request_uri": uri}
    return answer(there.there.browser.open(f"/oauth2/authorize?{urlencode(asked)}"))


# What is asked, and what comes back


def test_discovery_says_what_the_profile_asks_for(client: FlaskClient) -> None:
    """FAPI 2.0 Security Profile §5.3.2: discovery has every piece that the profile stands on."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert told["pushed_authorization_request_endpoint"].startswith(ISSUER)
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert "private_key_jwt" in told["token_endpoint_auth_methods_supported"]
    for name in ("token_endpoint_auth", "dpop", "request_object"):
        assert {"ES256", "PS256"} <= set(told[f"{name}_signing_alg_values_supported"])


def test_whoever_cancels_is_access_denied(client: FlaskClient) -> None:
    """RFC 6749 §4.1.2.1: access_denied goes to the redirect URI of what was pushed."""
    there = bank(client, first_party=False)
    pushed = there.push(scope="openid profile")
    uri = (pushed.json or {})["request_uri"]
    query = urlencode({"client_id": there.there.portal.client_id, "request_uri": uri})
    there.there.browser.open(f"/oauth2/authorize?{query}")

    fields = answer(there.there.browser.press("consent-cancel"))

    assert (fields["error"], fields["state"], fields["iss"]) == ("access_denied", "st4te", ISSUER)
    assert "code" not in fields


def test_without_a_state_none_comes_back(client: FlaskClient) -> None:
    """RFC 6749 §4.1.2: state is there where the request had one."""
    there = bank(client)

    fields = brought(there, there.push(state=None))

    assert set(fields) == {"code", "iss"}


def test_without_a_nonce_none_stands_in_the_id_token(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.1: nonce is OPTIONAL where a code is asked for."""
    there = bank(client)

    told = there.redeem(there.code(nonce=None)).json or {}

    assert "nonce" not in claims_of(client, told["id_token"])


@pytest.mark.parametrize("length", [64, 384, 1000])
def test_long_states_and_nonces_come_back_whole(client: FlaskClient, length: int) -> None:
    """FAPI 2.0 Security Profile §5.3.2.2: nonces of 64 characters, and no corrupted longer ones."""
    there = bank(client)

    fields = brought(there, there.push(state="s" * length, nonce="n" * length))

    assert fields["state"] == "s" * length
    told = there.redeem(fields["code"]).json or {}
    assert claims_of(client, told["id_token"])["nonce"] == "n" * length


def test_the_order_of_scopes_is_free(client: FlaskClient) -> None:
    """RFC 6749 §3.3: the order of the scopes does not matter."""
    there = bank(client)

    told = there.redeem(there.code(scope="email profile openid")).json or {}

    assert set(told["scope"].split()) == {"openid", "profile", "email"}


def test_claims_may_be_asked_by_name(client: FlaskClient) -> None:
    """OpenID Connect Core §5.5: claims by name; those that nobody knows are ignored."""
    there = bank(client)
    asked = '{"id_token": {"email": null, "x": null}, "userinfo": {"name": {"essential": true}}}'

    told = there.redeem(there.code(claims=asked)).json or {}

    assert claims_of(client, told["id_token"])["email"] == "claire@dubois.example"
    person = there.key.userinfo(client, told["access_token"]).json or {}
    assert person["name"] == "Claire Dubois"


def test_client_id_and_the_name_are_enough(client: FlaskClient) -> None:
    """RFC 9101 §5: client_id and request_uri are all that a request by reference needs."""
    there = bank(client)

    assert "code" in brought(there, there.push())


def test_what_stands_beside_the_name_is_not_used(client: FlaskClient) -> None:
    """RFC 9101 §6.3: what was pushed counts, whatever state and nonce stand outside."""
    there = bank(client)

    fields = brought(there, there.push(state="in", nonce="in"), state="out", nonce="out")
    without = brought(there, there.push(state=None), state="out")

    assert fields["state"] == "in"
    told = there.redeem(fields["code"]).json or {}
    assert claims_of(client, told["id_token"])["nonce"] == "in"
    assert "state" not in without


# What is not pushed


@pytest.mark.parametrize("redirect_uri", [None, "https://evil.example/", f"{CALLBACK}?x=1"])
def test_an_address_that_is_not_registered_is_refused(
    client: FlaskClient, redirect_uri: str | None
) -> None:
    """RFC 9126 §2.3: redirect_uri is required, and one of the registered."""
    refused = bank(client).push(redirect_uri=redirect_uri)

    assert refused.status_code == 400
    assert error_of(refused)[1] in {"invalid_request", "invalid_redirect_uri"}


@pytest.mark.parametrize("response_type", ["token", "code id_token", "code token", "none"])
def test_no_other_response_type_is_taken(client: FlaskClient, response_type: str) -> None:
    """FAPI 2.0 Security Profile §5.3.2.2: response_type code."""
    refused = bank(client).push(response_type=response_type)

    assert refused.status_code == 400
    assert error_of(refused)[1] in {"unsupported_response_type", "unauthorized_client"}


@pytest.mark.parametrize("changes", [{"code_challenge_method": "plain"}, {"code_challenge": "x"}])
def test_only_a_hash_is_a_challenge(client: FlaskClient, changes: dict[str, str]) -> None:
    """FAPI 2.0 Security Profile §5.3.2.2: PKCE with S256 as the method."""
    there = bank(client)
    request = {**there.there.portal.request(**there.there.portal.pkce()), **changes}

    assert error_of(there.post("/oauth2/par", **request)) == (400, "invalid_request")


def test_a_name_is_not_pushed(client: FlaskClient) -> None:
    """RFC 9126 §2.1: request_uri MUST NOT be provided."""
    there = bank(client)
    uri = (there.push().json or {})["request_uri"]

    assert error_of(there.push(request_uri=uri)) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_taken(client: FlaskClient, method: str) -> None:
    """RFC 9126 §2.3: 405 where the request is not a POST."""
    refused = client.open("/oauth2/par", method=method)

    assert refused.status_code == 405
    assert "POST" in refused.headers["Allow"]


# Who asks


AUDIENCES = [
    *(f"{ISSUER}/oauth2/{name}" for name in ("par", "token")),
    [f"{ISSUER}/oauth2/par"],
    [ISSUER],
    "https://elsewhere.example",
]


@pytest.mark.parametrize("audience", AUDIENCES, ids=str)
def test_an_assertion_is_for_the_issuer_alone(client: FlaskClient, audience: Any) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1: the issuer as a string, where anything is pushed too."""
    there = bank(client)

    refused = there.push(client_assertion=there.assertion.text(aud=audience))
    late = there.redeem(there.code(), client_assertion=there.assertion.text(aud=audience))

    assert error_of(refused)[1] == error_of(late)[1] == "invalid_client"


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead", "is_taken"), [(8, True), (61, False), (70, False)])
def test_clocks_may_differ_a_little(
    client: FlaskClient, claim: str, ahead: int, is_taken: bool
) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1: up to 10 seconds ahead accepted, over 60 rejected."""
    there = bank(client)

    with standing_still():
        text = there.assertion.text(**{claim: int(time.time()) + ahead})
        pushed = there.push(client_assertion=text)

    assert (pushed.status_code == 201) is is_taken


@pytest.mark.parametrize(
    "changes", [{"exp": 1}, {"sub": None}, {"sub": "somebody"}, {"iss": None}, {"jti": None}]
)
def test_an_assertion_that_is_not_right_redeems_nothing(
    client: FlaskClient, changes: dict[str, Any]
) -> None:
    """RFC 7523 §3: iss, sub, aud and exp are there and right."""
    there = bank(client)
    if "exp" in changes:
        changes = {"exp": int(time.time()) - 300}

    refused = there.redeem(there.code(), client_assertion=there.assertion.text(**changes))

    assert error_of(refused)[1] == "invalid_client"


def test_without_an_assertion_nothing_is_redeemed(client: FlaskClient) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1: clients are authenticated."""
    there = bank(client)
    code = there.code()
    named = {"client_assertion": "", "client_assertion_type": ""}

    refused = there.redeem(code, client_id=there.there.portal.client_id, **named)

    assert error_of(refused)[1] in {"invalid_client", "invalid_request"}
    assert there.redeem(code).status_code == 200


def test_the_client_id_of_another_is_refused(client: FlaskClient) -> None:
    """RFC 7521 §4.2: client_id beside an assertion is that of its subject."""
    there = bank(client)
    other = there.there.other_portal(profile="fapi2", jwks=jwks(key_for("ES256")))

    assert error_of(there.redeem(there.code(), client_id=other.client_id))[1] == "invalid_client"


def test_without_an_assertion_nothing_is_refreshed(client: FlaskClient) -> None:
    """RFC 6749 §6: a client with credentials authenticates for a refresh too."""
    there = bank(client)
    token = tokens(there)["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": token}
    named = {"client_assertion": "", "client_assertion_type": ""}

    refused = there.post(
        "/oauth2/token", there.key.proof(), client_id=there.there.portal.client_id, **form, **named
    )

    assert error_of(refused)[1] in {"invalid_client", "invalid_request"}
    assert there.refresh(token).status_code == 200


# Codes


def test_a_code_is_its_own_clients(client: FlaskClient) -> None:
    """RFC 6749 §4.1.3: the code was issued to the client that authenticates."""
    there, key = bank(client), key_for("ES256")
    other = there.there.other_portal(profile="fapi2", jwks=jwks(key))
    other.verifier = there.there.portal.verifier
    stranger = Bank(there.there, Assertion(other.client_id, key, "ES256"))
    code = there.code()

    assert error_of(stranger.redeem(code)) == (400, "invalid_grant")
    assert there.redeem(code).status_code == 200


@pytest.mark.parametrize("verifier", ["", "x" * 43])
def test_a_code_needs_its_verifier(client: FlaskClient, verifier: str) -> None:
    """RFC 7636 §4.6: without the right verifier: invalid_grant."""
    there = bank(client)

    refused = there.redeem(there.code(), code_verifier=verifier)

    assert error_of(refused) == (400, "invalid_grant")


def test_a_code_works_once(client: FlaskClient) -> None:
    """FAPI 2.0 Security Profile §5.3.2.1: a code that was used before is rejected."""
    there = bank(client)
    code = there.code()
    token = (there.redeem(code).json or {})["access_token"]

    with later(seconds=1):
        assert error_of(there.redeem(code)) == (400, "invalid_grant")
        assert there.key.userinfo(client, token).status_code == 401


# Proofs


@pytest.mark.parametrize("seconds", [-10, 10])
def test_a_proof_may_be_ten_seconds_off(client: FlaskClient, seconds: int) -> None:
    """RFC 9449 §4.3: iat within an acceptable window, at each endpoint."""
    there = bank(client)
    iat = int(time.time()) + seconds
    request = there.there.portal.request(**there.there.portal.pkce())

    pushed = there.post("/oauth2/par", there.key.proof(path="/oauth2/par", iat=iat), **request)
    told = there.redeem(brought(there, pushed)["code"], there.key.proof(iat=iat)).json or {}
    token = told["access_token"]

    proof = there.key.proof("GET", "/oauth2/userinfo", token=token, iat=iat)
    assert there.key.userinfo(client, token, proof).status_code == 200


def test_a_proof_may_say_from_when_until_when(client: FlaskClient) -> None:
    """RFC 9449 §4.2: further claims in a proof; nbf and exp are understood."""
    there, now = bank(client), int(time.time())
    lives = {"nbf": now, "exp": now + 300}

    told = there.redeem(there.code(), there.key.proof(**lives)).json or {}
    token = told["access_token"]

    proof = there.key.proof("GET", "/oauth2/userinfo", token=token, **lives)
    assert there.key.userinfo(client, token, proof).status_code == 200


def test_the_key_of_the_push_redeems_the_code(client: FlaskClient) -> None:
    """RFC 9449 §10.1: by dpop_jkt or by a proof, the code is bound to the key that was pushed."""
    there, other = bank(client), Prover()
    request = there.there.portal.request(**there.there.portal.pkce())
    by_proof = there.post("/oauth2/par", there.key.proof(path="/oauth2/par"), **request)
    by_name = there.push(dpop_jkt=there.key.jkt)

    for pushed in (by_proof, by_name):
        code = brought(there, pushed)["code"]
        assert error_of(there.redeem(code, other.proof())) == (400, "invalid_grant")
        assert there.redeem(code).status_code == 200


# Message Signing: the request is an object


def signing_bank(client: FlaskClient) -> tuple[Bank, Signer]:
    there = bank(client, require_signed_request_object=True)
    return there, Signer(there.there, there.assertion.key, "ES256")


def push_object(there: Bank, signer: Signer, **changes: Any) -> TestResponse:
    text = signer.text(**{**there.there.portal.pkce(), **changes})
    return there.post("/oauth2/par", request=text)


@pytest.mark.parametrize("audience", [[ISSUER, "https://other.example"], [ISSUER], ISSUER])
def test_an_object_may_name_us_among_others(client: FlaskClient, audience: Any) -> None:
    """FAPI 2.0 Message Signing §5.3.1: aud is the issuer, or a list with it."""
    there, signer = signing_bank(client)

    fields = brought(there, push_object(there, signer, aud=audience))

    assert fields["state"] == "inside"
    assert there.redeem(fields["code"]).status_code == 200


def test_an_object_from_eight_seconds_ahead_is_taken(client: FlaskClient) -> None:
    """FAPI 2.0 Message Signing §5.3.1: clocks differ a little."""
    there, signer = signing_bank(client)
    now = int(time.time())

    taken = push_object(there, signer, nbf=now + 8, exp=now + 300)
    refused = push_object(there, signer, nbf=now + 75, exp=now + 300)

    assert taken.status_code == 201
    assert error_of(refused) == (400, "invalid_request_object")


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        ({"exp": None}, {}),
        ({"nbf": None}, {}),
        ({"aud": "https://elsewhere.example"}, {}),
        ({}, {"exp": -5}),
        ({}, {"exp": 70}),
        ({}, {"nbf": -70}),
    ],
    ids=str,
)
def test_an_object_that_lives_too_long_or_is_not_ours_is_refused(
    client: FlaskClient, changes: dict[str, Any], minutes: dict[str, int]
) -> None:
    """FAPI 2.0 Message Signing §5.3.1: exp and nbf within 60 minutes, and aud is us."""
    there, signer = signing_bank(client)
    moments = {name: int(time.time()) + 60 * each for name, each in minutes.items()}

    refused = push_object(there, signer, **changes, **moments)

    assert error_of(refused) == (400, "invalid_request_object")


def test_an_object_without_an_address_is_refused(client: FlaskClient) -> None:
    """FAPI 2.0 Security Profile §5.3.2.2: redirect_uri is required in what is pushed."""
    there, signer = signing_bank(client)

    assert push_object(there, signer, redirect_uri=None).status_code == 400


def test_an_object_that_its_client_did_not_sign_is_refused(client: FlaskClient) -> None:
    """RFC 9101 §6.2: the signature is by a key of the client that pushes."""
    there, signer = signing_bank(client)
    key = key_for("ES256", "other")
    stranger = there.there.other_portal(profile="fapi2", jwks=jwks(key))
    theirs = Signer(there.there, key, "ES256").text()
    first, _dot, signature = signer.text().rpartition(".")
    changed = f"{first}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"

    for text in (theirs, changed, unsigned(signer.claims())):
        refused = there.post("/oauth2/par", request=text)
        assert error_of(refused) == (400, "invalid_request_object"), text
    assert stranger.client_id != there.there.portal.client_id


def test_plain_parameters_are_refused_where_they_are_to_be_signed(client: FlaskClient) -> None:
    """FAPI 2.0 Message Signing §5.3.1: signed request objects are required at the push."""
    there, _signer = signing_bank(client)

    assert error_of(there.push())[0] == 400


def test_the_name_of_another_request_does_not_stand_inside(client: FlaskClient) -> None:
    """RFC 9101 §4: request and request_uri are not included in request objects."""
    there, signer = signing_bank(client)
    uri = (push_object(there, signer).json or {})["request_uri"]

    refused = push_object(there, signer, request_uri=uri)

    assert refused.status_code == 400
    assert error_of(refused)[1] in {"invalid_request", "invalid_request_object"}


def test_what_stands_beside_a_signed_and_pushed_request_is_not_used(client: FlaskClient) -> None:
    """FAPI 2.0 Message Signing §5.3.1: only parameters inside the object are used."""
    there, signer = signing_bank(client)

    fields = brought(there, push_object(there, signer), state="out", nonce="out")
    without = brought(there, push_object(there, signer, state=None), state="out")

    assert fields["state"] == "inside"
    told = there.redeem(fields["code"]).json or {}
    assert claims_of(client, told["id_token"])["nonce"] == "n-1"
    assert "state" not in without


def test_nobody_asks_without_pushing(client: FlaskClient) -> None:
    """FAPI 2.0 Security Profile §5.3.2.2: what was not pushed is rejected, signed or not."""
    there, signer = signing_bank(client)

    page = signer.ask(signer.text(**there.there.portal.pkce()))

    assert "code=" not in leads_to(page)
    assert answer(page)["error"] == "invalid_request"
