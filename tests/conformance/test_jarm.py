"""JWT Secured Authorization Response Mode for OAuth 2.0 (JARM)."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient
from joserfc import jwe, jws, jwt
from joserfc.jwk import ECKey, KeySet
from werkzeug.test import TestResponse

from idp.clients import registration
from idp.clients.metadata import checked
from idp.errors import Invalid
from tests.conformance.test_par import ask as bring
from tests.conformance.test_par import pushed
from tests.protocol.assertions import TYPE, Assertion, jwks, key_for
from tests.relying_party import CALLBACK, World, claims_of, form_of, leads_to, world
from tests.request_objects import Signer, signing
from tests.times import later

pytestmark = [
    pytest.mark.quick_on("sqlite"),
    pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864"),
]


def fields_at(response: TestResponse, *, fragment: bool = False) -> dict[str, str]:
    """What came back in the query, or in the fragment."""
    parts = urlsplit(leads_to(response))
    return dict(parse_qsl(parts.fragment if fragment else parts.query))


def opened(there: World, fields: dict[str, str]) -> dict[str, Any]:
    """The claims of an answer that is one JWT, its signature checked."""
    assert set(fields) == {"response"}, fields
    return claims_of(there.http, fields["response"])


def test_the_answer_is_one_jwt_with_issuer_audience_and_end(client: FlaskClient) -> None:
    """JARM §2.1: iss, aud, exp and the parameters of the answer."""
    there = world(client)

    claims = opened(there, fields_at(there.ask(response_mode="jwt", state="s")))

    assert claims["iss"] == "http://127.0.0.1:8000"
    assert claims["aud"] == there.portal.client_id
    assert claims["state"] == "s"
    assert set(claims) == {"iss", "aud", "exp", "code", "state"}
    assert there.tokens_of(claims)["id_token"]


def test_the_jwt_lives_ten_minutes_at_most(client: FlaskClient) -> None:
    """JARM §2.1: a maximum lifetime of 10 minutes is recommended."""
    import time

    there = world(client)

    claims = opened(there, fields_at(there.ask(response_mode="jwt")))

    assert time.time() < claims["exp"] <= time.time() + 600


@pytest.mark.parametrize(
    ("mode", "fragment"),
    [("jwt", False), ("query.jwt", False), ("fragment.jwt", True)],
)
def test_where_the_answer_stands(client: FlaskClient, mode: str, fragment: bool) -> None:
    """JARM §2.3.1, §2.3.2, §2.3.4: query.jwt, fragment.jwt, and jwt as the flow's own default."""
    there = world(client)

    page = there.ask(response_mode=mode)

    assert leads_to(page).startswith(CALLBACK)
    assert "code" in opened(there, fields_at(page, fragment=fragment))


def test_the_answer_comes_by_form(client: FlaskClient) -> None:
    """JARM §2.3.3: form_post.jwt."""
    there = world(client)

    action, fields = form_of(there.ask(response_mode="form_post.jwt").text, "form-post")

    assert action == CALLBACK
    assert "code" in opened(there, fields)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
def test_it_is_signed_as_registered(client: FlaskClient, alg: str) -> None:
    """JARM §3: authorization_signed_response_alg."""
    there = world(client, authorization_signed_response_alg=alg)

    fields = fields_at(there.ask(response_mode="jwt"))

    header = jws.extract_compact(fields["response"].encode()).headers()
    assert header["alg"] == alg
    keys = KeySet.import_key_set(client.get("/oauth2/jwks").json)  # type: ignore[arg-type]
    assert jwt.decode(fields["response"], keys, algorithms=[alg]).claims["code"]


def test_rs256_is_the_default(client: FlaskClient) -> None:
    """JARM §3: RS256 where nothing is registered."""
    there = world(client, id_token_signed_response_alg="ES256")

    fields = fields_at(there.ask(response_mode="jwt"))

    assert jws.extract_compact(fields["response"].encode()).headers()["alg"] == "RS256"


def test_a_fapi_client_never_gets_rs256(client: FlaskClient) -> None:
    """FAPI 2.0 Security Profile §5.4.1: PS256, ES256 or EdDSA, where nothing is registered too."""
    key, metadata = signing(token_endpoint_auth_method="private_key_jwt", profile="fapi2")
    there = world(client, **metadata)
    assertion = Assertion(there.portal.client_id, key, "ES256").text()
    server = client.application.test_client(use_cookies=False)
    data = {"client_assertion_type": TYPE, "client_assertion": assertion, "response_mode": "jwt"}
    told = server.post(
        "/oauth2/par", data={**there.portal.request(), **there.portal.pkce(), **data}
    )

    fields = fields_at(bring(there, (told.json or {})["request_uri"]))

    header = jws.extract_compact(fields["response"].encode()).headers()
    assert header["alg"] == "ES256"
    assert opened(there, fields)["code"]


def test_errors_are_signed_too(client: FlaskClient) -> None:
    """JARM §2.1: error answers hold error, error_description and state."""
    there = world(client, signed_in=False)

    silent = opened(there, fields_at(there.ask(response_mode="jwt", prompt="none", state="s")))
    wrong = opened(there, fields_at(there.ask(response_mode="jwt", prompt="none login")))

    assert silent["error"] == "login_required"
    assert silent["state"] == "s"
    assert silent["aud"] == there.portal.client_id
    assert wrong["error"] == "invalid_request"


def test_cancelling_is_signed_too(client: FlaskClient) -> None:
    """JARM §2.1: also after a page of ours."""
    there = world(client, signed_in=False)
    there.ask(response_mode="form_post.jwt")

    page = there.browser.press("login-cancel")

    assert opened(there, form_of(page.text, "form-post")[1])["error"] == "access_denied"


def test_the_way_back_of_an_error_page_is_signed(client: FlaskClient) -> None:
    """JARM §2.1: a person takes a signed error back, too."""
    there = world(client, signed_in=False, first_party=False)

    page = there.ask(response_mode="jwt", prompt="none login")

    assert page.status_code == 400
    assert f"{CALLBACK}?response=" in page.text
    assert "error=invalid_request" not in page.text


def test_a_signed_answer_is_no_id_token_hint(client: FlaskClient) -> None:
    """RFC 8725 §3.11: a JWT of one kind is not taken for another."""
    there = world(client)
    response = fields_at(there.ask(response_mode="jwt"))["response"]
    there.browser.sign_out()

    fields = fields_at(there.ask(prompt="none", id_token_hint=response))

    assert fields["error"] == "login_required"
    there.browser.sign_in_at_home("claire")
    page = there.browser.open(f"/oauth2/logout?id_token_hint={response}")
    assert there.browser.shows("logout-confirm"), page.text[:500]


def test_a_signed_and_pushed_request_is_answered_signed(client: FlaskClient) -> None:
    """FAPI 2.0 Message Signing §5.4: signed requests, pushed, and signed answers."""
    key, metadata = signing(
        require_signed_request_object=True, require_pushed_authorization_requests=True
    )
    portal = Signer(world(client, **metadata), key)
    there = portal.there
    sent = {"request": portal.text(response_mode="jwt", state="signed")}
    told = there.portal.post(client, "/oauth2/par", sent).json or {}

    claims = opened(there, fields_at(bring(there, told["request_uri"])))

    assert claims["state"] == "signed"
    assert there.tokens_of(claims)["id_token"]


def test_an_expired_name_is_told_signed(client: FlaskClient) -> None:
    """JARM §2.1, RFC 9126 §4: the error goes back as the pushed request wanted."""
    there = world(client)
    uri = pushed(there, response_mode="jwt")

    with later(minutes=2):
        fields = fields_at(bring(there, uri))

    assert "response" in fields


@pytest.mark.parametrize("enc", ["A128CBC-HS256", "A256GCM"])
def test_an_answer_is_encrypted_where_it_is_registered(client: FlaskClient, enc: str) -> None:
    """JARM §2.2: signed, then encrypted."""
    key = ECKey.generate_key("P-256", {"kid": "e", "use": "enc"})
    there = world(
        client,
        jwks=jwks(key),
        authorization_encrypted_response_alg="ECDH-ES",
        authorization_encrypted_response_enc=enc,
    )

    response = fields_at(there.ask(response_mode="jwt", state="s"))["response"]

    inner = jwe.decrypt_compact(response, key, algorithms=["ECDH-ES", enc])
    assert inner.protected["cty"] == "JWT"
    claims = opened(there, {"response": (inner.plaintext or b"").decode()})
    assert claims["state"] == "s"
    assert there.tokens_of(claims)["id_token"]


def test_encryption_needs_a_key_by_value(client: FlaskClient) -> None:
    """JARM §3: the client's key has to be there when the answer is."""
    document = {"client_name": "x", "redirect_uris": [CALLBACK]}
    wanted = {"authorization_encrypted_response_alg": "ECDH-ES"}

    for keys in ({}, {"jwks_uri": "https://portal.example/keys"}, {"jwks": jwks(key_for("EdDSA"))}):
        with pytest.raises(Invalid) as refused:
            checked({**document, **wanted, **keys})
        assert refused.value.field == "authorization_encrypted_response_alg"


def test_a_client_that_is_disabled_meanwhile_gets_nothing_signed(client: FlaskClient) -> None:
    """JARM §2.1: the audience is a client of ours."""
    there = world(client, signed_in=False)
    there.ask(response_mode="jwt")
    registration.disable(there.portal.client_id)

    page = there.browser.press("login-cancel")

    assert page.status_code == 400
    assert not leads_to(page)


def test_discovery_names_modes_and_algorithms(client: FlaskClient) -> None:
    """JARM §4: response_modes_supported, authorization_signing_alg_values_supported."""
    told = client.get("/.well-known/openid-configuration").json or {}

    assert {"jwt", "query.jwt", "form_post.jwt", "fragment.jwt"} <= set(
        told["response_modes_supported"]
    )
    assert "none" not in told["authorization_signing_alg_values_supported"]
    assert "RS256" in told["authorization_signing_alg_values_supported"]
