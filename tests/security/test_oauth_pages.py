"""Security rules O16 to O24: pages, freshness, and what may be registered."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.clients.metadata import checked
from idp.errors import Invalid
from tests import factories
from tests.relying_party import CALLBACK, Browser, error_of, leads_to, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


def test_o16_pages_cannot_be_framed_or_answered_from_elsewhere(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé", first_party=False)

    choice = there.ask(scope="openid child")
    there.browser.press("child-submit-1")
    consent = there.browser.page

    for page in (choice, consent):
        assert page is not None
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        path = page.request.path
        response = there.http.post(path, data={"decision": "allow", "child": "x"})
        assert response.status_code == 400  # no form token


def test_o16_an_answer_counts_for_its_own_interaction_only(client: FlaskClient) -> None:
    there = world(client, first_party=False)
    other = there.other_portal(first_party=False, redirect_uris=["https://other.example/cb"])
    there.ask()
    there.browser.press("consent-allow")

    there.browser.open(other.authorize_path())

    assert there.browser.shows("consent-form")


def test_o16_another_browser_cannot_answer(app: Flask, client: FlaskClient) -> None:
    there = world(client, first_party=False)
    path = there.ask().request.path
    thief = Browser(app.test_client())
    thief.sign_in_at_home("claire")

    assert thief.open(path).status_code == 404


def test_o17_an_old_sign_in_meets_neither_prompt_nor_max_age(client: FlaskClient) -> None:
    there = world(client)

    with later(minutes=5):
        for parameters in ({"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}):
            interaction = there.ask(**parameters).request.path.removesuffix("/login")
            there.ask()  # a request without either is answered, and changes nothing
            there.browser.open(interaction)
            assert there.browser.shows("login-form"), parameters


def test_o17_an_essential_acr_is_not_met_by_claiming_it(client: FlaskClient) -> None:
    there = world(client)
    claims = json.dumps({"id_token": {"acr": {"essential": True, "value": "urn:gold"}}})

    assert there.answer(claims=claims)["error"] == "unmet_authentication_requirements"


def test_o18_a_request_raises_nothing_above_the_registration(client: FlaskClient) -> None:
    there = world(client, "Lina", scope="openid child", child_fields=["sub"])
    asked = {"email": None, "child": {"essential": True}, "sourced_id": None}

    tokens = there.redeem(
        scope="openid profile email child offline_access admin",
        claims=json.dumps({"id_token": asked, "userinfo": asked}),
        child_fields="given_name",
    )

    assert tokens["scope"].split() == ["openid", "child"]
    assert "refresh_token" not in tokens
    told = there.portal.userinfo(client, tokens["access_token"]).json or {}
    assert set(told) == {"sub", "child"}
    assert set(told["child"]) == {"sub"}


def test_o19_a_clients_name_and_links_are_shown_as_text(client: FlaskClient) -> None:
    there = world(client, first_party=False, client_name='<script>alert("1")</script>')

    page = there.ask()

    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://portal.example/",
        "http://10.0.0.1/",
        "vbscript:x",
        "file:///etc/passwd",
    ],
)
def test_o19_a_clients_page_is_an_https_address(uri: str) -> None:
    base = {"client_name": "x", "redirect_uris": [CALLBACK]}

    for name in ("client_uri", "initiate_login_uri"):
        with pytest.raises(Invalid):
            checked({**base, name: uri})


def test_o20_a_logout_link_on_a_foreign_page_asks_first(client: FlaskClient) -> None:
    there = world(client)

    for path in (
        "/oauth2/logout",
        f"/oauth2/logout?client_id={there.portal.client_id}",
        "/oauth2/logout?post_logout_redirect_uri=https://portal.example/",
    ):
        assert there.browser.open(path).status_code == 200
        assert there.browser.shows("logout-confirm")
        assert "code" in there.answer(prompt="none")


def test_o21_a_signed_out_visitor_is_not_bounced_to_a_third_party(client: FlaskClient) -> None:
    there = world(client, signed_in=False, first_party=False)

    for wrong in (
        {"response_type": "token"},
        {"scope": "x"},
        {"request": "x"},
        {"max_age": "x"},
        {"prompt": "none login"},
        {"claims": "{"},
    ):
        page = there.ask(**wrong)
        assert page.status_code == 400, wrong
        assert not leads_to(page)
        assert there.browser.shows("oauth-error")


def test_o21_a_schools_own_application_is_told_its_error(client: FlaskClient) -> None:
    there = world(client, signed_in=False, first_party=True)

    assert there.answer(response_type="token")["error"] == "unsupported_response_type"


def test_o22_only_code_and_no_password_grant(client: FlaskClient) -> None:
    there = world(client)

    for response_type in ("token", "id_token", "code token", "code id_token", "none", "id_token c"):
        fields = there.answer(response_type=response_type)
        assert fields["error"] == "unsupported_response_type"
    response = there.portal.post(
        client,
        "/oauth2/token",
        {"grant_type": "password", "username": "claire", "password": factories.PASSWORD},
    )
    assert error_of(response) == (400, "unsupported_grant_type")
    for grant in ("password", "client_credentials"):
        with pytest.raises(Invalid):
            checked({"client_name": "x", "redirect_uris": [CALLBACK], "grant_types": [grant]})


def test_o23_nothing_depends_on_the_host_header(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil"}
    paths = ("/.well-known/openid-configuration", "/oauth2/authorize", "/oauth2/logout", "/nowhere")

    for path in (*paths, there.portal.authorize_path(), there.portal.authorize_path(scope="x")):
        response = app.test_client().get(path, headers=evil)
        assert "evil" not in response.text, path
        assert "evil" not in leads_to(response)


@pytest.mark.parametrize(
    "uri",
    [
        "https://user@portal.example/cb",
        "https://user:pw@portal.example/cb",
        "https://portal.example/cb#fragment",
        "https://portal.example/cb#",
        "https://*.example/cb",
        "https://portal.example/*",
        "https://portal.example/c b",
        "https://portal.example/\ncb",
        "https://portal.example/\0",
        "https://pörtal.example/cb",
        "https://portal.example\\evil",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\tscript:alert(1)",
        "javascript://portal.example/%0aalert(1)",
        "data:text/html,x",
        "blob:https://portal.example/x",
        "http://portal.example/cb",
        "http://localhost.evil.example/cb",
        "https:///cb",
        "https://",
        "https:portal.example",
        "//portal.example/cb",
        "/cb",
        "cb",
        "",
        "https://portal.example:99999/cb",
        "https://" + "x" * 3000,
        "app:/cb",
        "com.example.app://host/cb",
    ],
)
def test_o24_registration_refuses_dangerous_redirect_uris(uri: str) -> None:
    for native in ("web", "native"):
        document = {"client_name": "x", "redirect_uris": [uri], "application_type": native}
        with pytest.raises(Invalid) as refused:
            checked(document)
        assert refused.value.field == "redirect_uris"


def test_o24_a_private_scheme_is_for_native_applications_only() -> None:
    document = {"client_name": "x", "redirect_uris": ["org.example.app:/cb"]}

    assert checked({**document, "application_type": "native"})
    with pytest.raises(Invalid):
        checked(document)
