"""The authorization endpoint (RFC 6749 §3.1, §4.1; OpenID Connect Core §3.1.2; RFC 9207)."""

import re
import string
from pathlib import Path
from urllib.parse import unquote, urlencode, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.oidc.errors import Denial
from tests import factories
from tests.relying_party import CALLBACK, Browser, RelyingParty, answer, claims_of, leads_to, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F))


def test_a_signed_in_guardian_is_answered_at_once_with_code_state_and_issuer(
    client: FlaskClient,
) -> None:
    there = world(client)

    response = there.http.get(there.portal.authorize_path(state="st4te"))

    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"{CALLBACK}?")
    fields = answer(response)
    assert set(fields) == {"code", "state", "iss"}
    assert fields["state"] == "st4te"
    assert fields["iss"] == "http://127.0.0.1:8000"  # RFC 9207 §2


def test_a_request_by_post_is_answered_like_one_by_get(client: FlaskClient) -> None:
    there = world(client)

    # Core §3.1.2.1: the Authorization Server MUST support GET and POST
    response = there.http.post("/oauth2/authorize", data=there.portal.request())

    assert response.status_code == 303  # rule S7: the browser must not post on
    assert "code" in answer(response)


def test_a_request_posted_from_another_site_reaches_the_session_of_this_browser(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    without_cookies = app.test_client(use_cookies=False)  # SameSite=Lax keeps them back

    response = without_cookies.post("/oauth2/authorize", data=there.portal.request(state="a+b c"))

    assert response.status_code == 303
    assert response.headers["Location"].startswith("/oauth2/authorize?")
    assert answer(there.http.get(response.headers["Location"]))["state"] == "a+b c"


def test_n8_a_request_that_crosses_sites_carries_no_hint_in_its_address(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, id_token_claims=["name", "email"])
    other = there.other_portal()
    hint = there.redeem(scope="openid profile email")["id_token"]
    stranger = app.test_client(use_cookies=False)
    places = []

    for portal in (there.portal, other):
        data = portal.request(id_token_hint=hint, prompt="none", scope="openid")
        places.append(stranger.post("/oauth2/authorize", data=data).headers["Location"])

    assert not any(part in unquote(place) for part in hint.split(".") for place in places)
    assert all("code" in answer(there.http.get(place)) for place in places)
    there.browser.sign_out()
    factories.account("paul")
    there.browser.sign_in_at_home("paul")
    assert answer(there.http.get(places[0]))["error"] == "login_required"
    assert "code" in answer(there.http.get(places[1])), "another application's is as absent"


def test_without_a_session_the_sign_in_page_comes_and_then_the_answer(client: FlaskClient) -> None:
    there = world(client, signed_in=False)

    page = there.ask()

    assert page.status_code == 200
    assert there.browser.shows("login-form")
    assert "code" in answer(there.browser.sign_in("claire"))


@pytest.mark.parametrize(
    "state", [PRINTABLE, PRINTABLE[::-1], (PRINTABLE * 6)[:512], " ", "+", "%2B", "é€漢🙂"]
)
def test_state_comes_back_to_the_letter(client: FlaskClient, state: str) -> None:
    there = world(client)

    for parameters in ({}, {"response_type": "token"}):
        assert there.answer(state=state, **parameters)["state"] == state


def test_a_request_without_state_is_answered_without_state(client: FlaskClient) -> None:
    there = world(client)

    assert "state" not in there.answer(state=None)
    assert "state" not in there.answer(state=None, prompt="none", max_age="x")


def test_a_nonce_comes_back_to_the_letter_and_is_absent_without_one(client: FlaskClient) -> None:
    there = world(client)

    for nonce in (PRINTABLE, "é€漢🙂", string.digits * 20):
        assert there.claims(nonce=nonce)["nonce"] == nonce
    assert "nonce" not in there.claims(nonce=None)


def test_unknown_parameters_and_hints_are_never_an_error(client: FlaskClient) -> None:
    there = world(client)
    ignored = {
        "display": "popup",
        "ui_locales": "xx;; tlh-TLH é",
        "claims_locales": "fr-CA",
        "acr_values": "urn:example:gold urn:example:silver",
        "login_hint": "nobody@nowhere.example",
        "id_token_hint": "not.a.token",
        "resource": "https://api.example/",
        "audience": "somebody",
        "extra": "unknown",
    }

    for name, value in ignored.items():
        assert "code" in there.answer(**{name: value}), name


def test_scopes_that_are_unknown_are_ignored(client: FlaskClient) -> None:
    there = world(client)

    tokens = there.redeem(scope="openid telepathy profile")

    assert tokens["scope"].split() == ["openid", "profile"]


def test_acr_values_are_answered_with_what_was_really_done(client: FlaskClient) -> None:
    there = world(client)

    claims = there.claims(acr_values="urn:example:smartcard")

    assert claims["acr"] != "urn:example:smartcard"
    assert claims["amr"] == ["pwd"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "é"}, "unsupported_response_type"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "none tomorrow"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e3"}, "invalid_request"),
        ({"max_age": "9" * 400}, "invalid_request"),
        ({"max_age": "٣"}, "invalid_request"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://portal.example/r"}, "request_uri_not_supported"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request_uri"),
        ({"claims": "{"}, "invalid_request"),
        ({"nonce": "n\0"}, "invalid_request"),
        ({"login_hint": "x" * 9000}, "invalid_request"),
    ],
    ids=str,
)
def test_a_wrong_request_goes_back_to_the_client_with_its_standard_code(
    client: FlaskClient, wrong: dict[str, str | None], error: str
) -> None:
    there = world(client)

    fields = there.answer(state="st4te", **wrong)

    assert fields["error"] == error
    assert fields["state"] == "st4te"
    assert fields["iss"] == "http://127.0.0.1:8000"
    assert "code" not in fields
    allowed = set(PRINTABLE) - set('"\\')  # RFC 6749 §4.1.2.1
    assert set(fields.get("error_description", "")) <= allowed


def test_a_parameter_without_a_value_counts_as_omitted(client: FlaskClient) -> None:
    there = world(client)
    names = ("request", "request_uri", "response_mode", "prompt", "max_age", "claims", "nonce")

    # RFC 6749 §3.1: MUST be treated as if they were omitted from the request
    for name in (*names, "code_challenge", "code_challenge_method", "id_token_hint", "display"):
        assert "code" in there.answer(**{name: ""}), name


def test_an_unknown_client_gets_a_page_and_never_a_redirect(client: FlaskClient) -> None:
    there = world(client)

    for client_id in (None, "", "nobody", "é", "a\0b", "x" * 5000, "' OR 1=1 --"):
        page = there.http.get(there.portal.authorize_path(client_id=client_id))
        assert page.status_code == 400, client_id
        assert 'id="oauth-error"' in page.text
        assert "invalid_client" in page.text
        assert not leads_to(page)


@pytest.mark.parametrize("signed_in", [True, False])
def test_an_unregistered_redirect_uri_gets_a_page_and_never_a_redirect(
    client: FlaskClient, signed_in: bool
) -> None:
    there = world(client, signed_in=signed_in)

    for uri in (None, "", "https://evil.example/", CALLBACK + "/", CALLBACK + "?x=1", "é", '"><x>'):
        page = there.http.get(there.portal.authorize_path(redirect_uri=uri))
        assert page.status_code == 400, uri
        assert 'id="oauth-error"' in page.text
        assert not leads_to(page)
        assert '"><x>' not in page.text


def test_a_registered_query_is_kept_and_the_answer_is_added(client: FlaskClient) -> None:
    """RFC 6749 §3.1.2: the query component of a redirect URI is retained."""
    there = world(client, redirect_uris=[CALLBACK + "?tenant=a%20b&flag"])

    location = there.ask().headers["Location"]

    # RFC 6749 §3.1.2: the query component MUST be retained
    assert urlsplit(location).query.startswith("tenant=a%20b&flag&")
    assert "code" in answer(there.browser.page)  # type: ignore[arg-type]


def test_a_client_may_register_several_redirect_uris_and_use_each(client: FlaskClient) -> None:
    other = "https://portal.example/other"
    there = world(client, redirect_uris=[CALLBACK, other])

    fields = there.answer(redirect_uri=other)

    tokens = there.tokens_of(fields, redirect_uri=other)
    assert claims_of(client, tokens["id_token"])["aud"] == there.portal.client_id


def test_a_native_application_is_answered_at_its_own_scheme_and_any_loopback_port(
    client: FlaskClient,
) -> None:
    uris = ["org.example.app:/callback", "http://127.0.0.1/callback"]
    there = world(
        client, application_type="native", token_endpoint_auth_method="none", redirect_uris=uris
    )

    for uri in ("org.example.app:/callback", "http://127.0.0.1:51004/callback"):
        location = there.ask(redirect_uri=uri, **there.portal.pkce()).headers["Location"]
        assert location.startswith(f"{uri}?code=")  # RFC 8252 §7.1, §7.3


def test_an_answered_request_is_not_answered_again_by_its_page(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    there.ask()
    login = there.browser.page.request.path  # type: ignore[union-attr]
    assert "code" in answer(there.browser.sign_in("claire"))

    again = there.browser.open(login.removesuffix("/login"))

    assert again.status_code == 200
    assert not leads_to(again)
    assert there.browser.shows("interaction-done")


def test_cancelling_the_sign_in_gives_access_denied(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    there.ask(state="s")

    fields = answer(there.browser.press("login-cancel"))

    assert fields["error"] == "access_denied"
    assert fields["error_description"] == "The guardian cancelled"
    assert fields["state"] == "s"
    assert fields["iss"] == "http://127.0.0.1:8000"


def test_the_guide_lists_every_reason_of_access_denied(client: FlaskClient) -> None:
    guide = Path("docs/integrate.md").read_text()
    listed = re.findall(
        r"^\| `access_denied`, with `error_description` « (.+?) » \|", guide, re.MULTILINE
    )
    assert sorted(listed) == sorted(each.value for each in Denial)

    there = world(client, first_party=False)
    there.ask()
    refused = answer(there.browser.press("consent-cancel"))
    there.ask(scope="openid child")
    childless = answer(there.browser.press("no-child-back"))
    there.ask(prompt="login")
    cancelled = answer(there.browser.press("login-cancel"))

    told = [each["error_description"] for each in (cancelled, refused, childless)]
    assert told == [Denial.CANCELLED, Denial.NO_CONSENT, Denial.NO_CHILD]
    assert {each["error"] for each in (cancelled, refused, childless)} == {"access_denied"}


def test_cancelling_twice_answers_once(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    login = there.ask()
    first = answer(there.browser.press("login-cancel"))
    assert first["error"] == "access_denied"

    there.browser.page = login  # the back button: an equal form gets the answer of the first
    assert answer(there.browser.press("login-cancel")) == first


def test_two_tabs_with_two_applications_are_both_answered(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    helper = there.other_portal(redirect_uris=["https://helper.example/cb"])
    first = there.ask(state="one").request.path
    there.browser.open(helper.authorize_path(state="two"))

    second_answer = answer(there.browser.sign_in("claire"))
    first_answer = answer(there.browser.open(first))

    assert second_answer["state"] == "two"
    assert first_answer["state"] == "one"


def test_an_interaction_is_worth_nothing_in_another_browser(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, signed_in=False)
    path = there.ask().request.path
    stranger = Browser(app.test_client())
    stranger.open("/")

    page = stranger.open(path)

    assert page.status_code == 404  # security rule S10
    assert not stranger.shows("login-form")


def test_a_request_that_waited_too_long_is_a_page_that_says_so(client: FlaskClient) -> None:
    there = world(client, signed_in=False)
    path = there.ask().request.path

    with later(hours=2):
        page = there.browser.open(path)

    assert page.status_code == 404
    assert "expired_interaction" in page.text


def test_a_client_disabled_while_the_guardian_signs_in_gets_no_answer(client: FlaskClient) -> None:
    from idp.clients import registration

    there = world(client, signed_in=False)
    there.ask()
    registration.disable(there.portal.client_id)

    page = there.browser.sign_in("claire")

    assert page.status_code == 400
    assert there.browser.shows("oauth-error")
    assert not leads_to(page)


def test_neither_answer_nor_page_depends_on_the_host_header(client: FlaskClient) -> None:
    school = factories.school()
    portal = RelyingParty.of(school)
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}

    page = client.get("/oauth2/authorize?" + urlencode(portal.request()), headers=evil)
    answered = client.get(portal.authorize_path(prompt="none"), headers=evil)

    assert page.headers["Location"].startswith("/interaction/")
    assert answer(answered)["iss"] == "http://127.0.0.1:8000"
    assert "evil.example" not in page.text + answered.text
