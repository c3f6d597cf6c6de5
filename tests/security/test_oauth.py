"""Security rules O1 to O9: redirect URIs, parameters, codes, refresh tokens."""

from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.relying_party import CALLBACK, answer, claims_of, error_of, leads_to, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

SPELLINGS = (
    "https://portal.example/callback/",
    "https://portal.example/Callback",
    "https://PORTAL.example/callback",
    "HTTPS://portal.example/callback",
    "https://portal.example:443/callback",
    "https://portal.example:8443/callback",
    "https://user@portal.example/callback",
    "https://portal.example@evil.example/callback",
    "https://portal.example/callback?x=1",
    "https://portal.example/callback?",
    "https://portal.example/callback#x",
    "https://portal.example/callback%2F",
    "https://portal.example/%63allback",
    "https://portal.example/callback/../callback",
    "https://portal.example//callback",
    "https://portal.example\\@evil.example/callback",
    "https://portal.example.evil.example/callback",
    "https://portal.example/callback\r\nX: y",
    " https://portal.example/callback",
    "https://portal.example/callback ",
    "http://portal.example/callback",
    "//portal.example/callback",
    "/callback",
    "javascript:alert(1)//https://portal.example/callback",
    "data:text/html,x",
    "https://portal.example/callbac\u212a",
)


@pytest.mark.parametrize("prompt", [None, "none"])
def test_o1_a_redirect_uri_matches_to_the_letter_or_not_at_all(
    client: FlaskClient, prompt: str | None
) -> None:
    there = world(client)

    for uri in SPELLINGS:
        for wrong in ({}, {"response_type": "token"}, {"request": "x"}):
            path = there.portal.authorize_path(redirect_uri=uri, prompt=prompt, **wrong)
            response = there.http.get(path)
            assert response.status_code == 400, uri
            assert not leads_to(response), uri
            assert 'id="oauth-error"' in response.text


def test_o1_a_native_client_varies_the_loopback_port_and_nothing_else(client: FlaskClient) -> None:
    there = world(
        client,
        application_type="native",
        token_endpoint_auth_method="none",
        redirect_uris=["http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb"],
    )
    good = ("http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://[::1]:8080/cb")
    bad = (
        "http://127.0.0.1:80/cb/",
        "http://127.0.0.1:80/cb?x",
        "http://127.0.0.2:80/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:x/cb",
        "http://u@127.0.0.1:80/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "https://127.0.0.1:80/cb",
        "http://localhost:80/cb",  # RFC 8252 §8.3: a name may lead elsewhere
        "http://127.1:80/cb",
        "http://[::ffff:127.0.0.1]:80/cb",
        "http://[::1]:80/cb#f",
    )

    for uri in good:
        location = there.ask(redirect_uri=uri, **there.portal.pkce()).headers["Location"]
        assert location.startswith(f"{uri}?code="), uri
    for uri in bad:
        assert there.ask(redirect_uri=uri, **there.portal.pkce()).status_code == 400, uri


def test_o1_a_web_client_does_not_vary_the_port(client: FlaskClient) -> None:
    there = world(client, redirect_uris=["http://127.0.0.1:5000/cb"])

    assert there.ask(redirect_uri="http://127.0.0.1:5001/cb").status_code == 400


def test_o2_a_repeated_parameter_is_refused_at_the_authorization_endpoint(
    client: FlaskClient,
) -> None:
    there = world(client)

    for name in ("response_type", "scope", "state", "nonce", "prompt", "max_age", "display", "x"):
        value = there.portal.request().get(name, "1")
        path = there.portal.authorize_path(**{name: value})
        response = there.http.get(f"{path}&{name}={quote(value)}")
        assert answer(response)["error"] == "invalid_request", name
    for name in ("client_id", "redirect_uri"):
        value = there.portal.request()[name]
        for second in (value, "https://evil.example/"):
            response = there.http.get(f"{there.portal.authorize_path()}&{name}={quote(second)}")
            assert response.status_code == 400, name
            assert not leads_to(response)


def test_o2_a_repeated_parameter_is_refused_at_the_token_endpoint(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    auth = (there.portal.client_id, there.portal.registered.secret)
    code = there.answer()["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}

    for name in (*body, "unknown"):
        pairs = [*body.items(), (name, body.get(name, "x")), (name, "y")]
        for path in ("/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"):
            response = app.test_client().post(
                path,
                data=urlencode(pairs),
                content_type="application/x-www-form-urlencoded",
                auth=auth,
            )
            assert error_of(response) == (400, "invalid_request"), (path, name)
    assert there.tokens_of({"code": code})


def test_o2_query_and_body_are_never_mixed(client: FlaskClient) -> None:
    there = world(client)
    path = there.portal.authorize_path(redirect_uri="https://evil.example/")

    response = there.http.post(path, data=there.portal.request())

    assert response.headers["Location"].startswith(CALLBACK)


def test_o3_a_challenge_and_its_verifier_belong_together(client: FlaskClient) -> None:
    there = world(client)
    with_challenge = there.answer(**there.portal.pkce())["code"]
    without = there.answer()["code"]
    verifier = there.portal.verifier

    assert there.portal.redeem(client, with_challenge).status_code == 400
    assert there.portal.redeem(client, without, code_verifier=verifier).status_code == 400
    plain = there.answer(code_challenge="x" * 43, code_challenge_method="plain")
    assert plain["error"] == "invalid_request"


def test_o4_a_second_use_of_a_code_ends_everything_that_hangs_on_it(client: FlaskClient) -> None:
    there = world(client)
    code = there.answer(scope="openid offline_access")["code"]
    tokens = there.tokens_of({"code": code})
    newer = there.portal.refresh(client, tokens["refresh_token"]).json or {}

    there.portal.redeem(client, code, redirect_uri="https://wrong.example/")

    for access in (tokens["access_token"], newer["access_token"]):
        assert there.portal.userinfo(client, access).status_code == 401
        assert there.portal.introspect(client, access) == {"active": False}
    assert there.portal.refresh(client, newer["refresh_token"]).status_code == 400


def test_o5_a_code_is_bound_to_the_browsers_session(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    code = there.answer()["code"]
    there.ask(prompt="login")
    there.browser.sign_in("claire")  # a new session: the one before has ended

    assert error_of(there.portal.redeem(client, code)) == (400, "invalid_grant")


def test_o6_grace_is_for_the_same_client_and_for_seconds(client: FlaskClient) -> None:
    there = world(client)
    thief = there.other_portal()
    token = there.redeem(scope="openid offline_access")["refresh_token"]
    successor = (there.portal.refresh(client, token).json or {})["refresh_token"]

    assert error_of(thief.refresh(client, token)) == (400, "invalid_grant")
    assert (there.portal.refresh(client, token).json or {})["refresh_token"] == successor
    with later(minutes=1):
        assert error_of(there.portal.refresh(client, token)) == (400, "invalid_grant")
        assert error_of(there.portal.refresh(client, successor)) == (400, "invalid_grant")


def test_o7_a_client_neither_sees_nor_revokes_the_tokens_of_another(client: FlaskClient) -> None:
    there = world(client)
    stranger = there.other_portal()
    tokens = there.redeem(scope="openid offline_access")

    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert stranger.introspect(client, token) == {"active": False}
        response = stranger.post(client, "/oauth2/revoke", {"token": token})
        assert response.status_code == 200
        assert there.portal.introspect(client, token)["active"] is True


def test_o8_every_answer_names_the_issuer(client: FlaskClient) -> None:
    there = world(client)

    for parameters in ({}, {"request": "x"}, {"prompt": "none x"}, {"response_type": "x"}):
        assert there.answer(**parameters)["iss"] == "http://127.0.0.1:8000"
    there.ask(prompt="login")
    assert answer(there.browser.press("login-cancel"))["iss"] == "http://127.0.0.1:8000"


def test_o9_state_and_nonce_of_512_characters_come_back_to_the_letter(client: FlaskClient) -> None:
    there = world(client)
    every = "".join(chr(code) for code in range(0x20, 0x7F))
    text = (every * 6)[:512]

    fields = there.answer(state=text, nonce=text)

    assert fields["state"] == text
    assert claims_of(client, there.tokens_of(fields)["id_token"])["nonce"] == text
