"""RFC 9700 §4.11.2: an error is not bounced to an address that the visitor did not choose."""

import logging
import re
from html import unescape
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from idp.clients import registration
from idp.clients.models import Client
from idp.database import transaction
from tests.outgoing.conftest import change
from tests.relying_party import (
    CALLBACK,
    RelyingParty,
    World,
    answer,
    form_of,
    leads_to,
    world,
)
from tests.wording import words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NAME = "Coup de <pouce>"
REFUSALS = "idp.oidc.refusals"
ISSUER = "http://127.0.0.1:8000"
PKCE_IS_MISSING = "A code_challenge is required (PKCE, S256)"


def signed_out(client: FlaskClient, **metadata: object) -> World:
    third_party = {"client_name": NAME, "first_party": False, "require_pkce": True}
    return world(client, signed_in=False, **{**third_party, **metadata})  # type: ignore[arg-type]


def button(page: TestResponse) -> str:
    """Where the button leads."""
    link = re.search(r'id="back-to-application"\s+class="button"\s+href="([^"]+)"', page.text)
    assert link, page.text
    return unescape(link[1])


def test_the_page_names_the_application_and_its_button_takes_the_error_there(
    client: FlaskClient,
) -> None:
    """RFC 9700 §4.11.2: the user is informed and decides; RFC 6749 §4.1.2.1: the error's fields."""
    there = signed_out(client)

    page = there.ask(state="a b&c")

    assert page.status_code == 400
    assert not leads_to(page)
    assert NAME in words(page.text)
    assert NAME not in page.text, "as text, not as markup"
    back = urlsplit(button(page))
    assert f"{back.scheme}://{back.netloc}{back.path}" == CALLBACK
    assert dict(parse_qsl(back.query)) == {
        "error": "invalid_request",
        "error_description": PKCE_IS_MISSING,
        "state": "a b&c",
        "iss": ISSUER,
    }
    assert back.netloc in words(page.text)


def test_an_error_by_form_post_is_taken_there_by_a_form_that_waits(client: FlaskClient) -> None:
    """OAuth 2.0 Form Post Response Mode 1.0 §2: the error's fields in a form, sent by a person."""
    there = signed_out(client)

    page = there.ask(state="s", response_mode="form_post")

    action, fields = form_of(page.text, "back-form")
    assert page.status_code == 400
    assert action == CALLBACK
    assert fields == {
        "error": "invalid_request",
        "error_description": PKCE_IS_MISSING,
        "state": "s",
        "iss": ISSUER,
    }
    assert "form-post.js" not in page.text, "it does not send itself"
    assert "form-action" not in page.headers["Content-Security-Policy"]


def test_an_apps_own_address_is_led_to_as_well(client: FlaskClient) -> None:
    """RFC 8252 §7.1: a private-use scheme is a redirect URI like any other."""
    uris = ["org.example.app:/callback"]
    there = signed_out(
        client,
        application_type="native",
        token_endpoint_auth_method="none",
        redirect_uris=uris,
    )

    page = there.ask()

    assert button(page).startswith(f"{uris[0]}?error=invalid_request&")
    assert "org.example.app:" in words(page.text)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({}, PKCE_IS_MISSING),
        ({"response_type": "token"}, "The response_type is not supported"),
        ({"response_type": None}, "The response_type is missing"),
        ({"response_mode": "fragment"}, "The response_mode is not supported"),
        ({"prompt": "none login"}, "The prompt none stands alone"),
        ({"scope": "profile"}, "The scope must hold openid"),
    ],
    ids=str,
)
def test_the_developer_reads_which_rule_failed_and_the_page_stays_calm(
    client: FlaskClient, wrong: dict[str, str | None], reason: str
) -> None:
    """RFC 6749 §4.1.2.1: error_description assists the client developer in understanding."""
    there = signed_out(client)

    page = there.ask(**wrong)

    folded = re.search(r'<details id="for-developers".*?</details>', page.text, re.DOTALL)
    assert folded
    assert f": {reason}</code>" in unescape(folded[0])
    assert "open" not in folded[0].partition(">")[0]
    assert reason not in unescape(page.text.replace(folded[0], "").replace(button(page), ""))


def test_nothing_that_the_request_says_is_read_out_to_the_parent(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: the page is ours, and no place for a stranger's words."""
    there = signed_out(client)

    page = there.ask(response_type="call 0900 now", response_mode="x", state="lure", scope="bait")

    shown = words(page.text)
    assert "0900" not in shown
    assert "lure" not in shown
    assert "bait" not in shown


def test_an_unregistered_address_is_no_way_back(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 6749 §4.1.2.1: the user is not redirected to an invalid redirection URI."""
    caplog.set_level(logging.WARNING, logger=REFUSALS)
    there = signed_out(client)

    page = there.ask(redirect_uri="https://evil.example/cb")

    assert page.status_code == 400
    assert "back-to-application" not in page.text
    assert 'href="https://evil.example' not in page.text
    assert "evil.example" not in words(page.text)
    reason = "The redirect_uri is not registered"
    assert reason in words(page.text)
    logged = [vars(each)["reason"] for each in caplog.records if each.name == REFUSALS]
    assert logged == [reason]


def test_who_is_signed_in_goes_back_at_once(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: who was authenticated may be redirected."""
    there = world(client, first_party=False, require_pkce=True)

    assert there.answer()["error"] == "invalid_request"


def test_a_silent_request_goes_back_at_once(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: with the exception of the silent authentication use case."""
    there = signed_out(client)

    assert there.answer(prompt="none")["error"] == "invalid_request"


SILENT = {"prompt": "none", "code_challenge_method": "S256", "code_challenge": "c" * 43}


def strangers(there: World) -> RelyingParty:
    """An application that came by itself, without a token."""
    schools = (there.school.id,)
    open_to_all = {"dynamic_registration": "open", "dynamic_registration_schools": schools}
    change(there.http.application, **open_to_all)
    left = f"{CALLBACK}/left"
    document = {
        "client_name": NAME, "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [left],
    }  # fmt: skip
    http = there.http.application.test_client(use_cookies=False)
    made = dict(http.post("/oauth2/register", json=document).json or {})
    client = registration.get_client(made["client_id"])
    return RelyingParty(registration.Registered(client, made["client_secret"]))


@pytest.mark.parametrize("signed_in", [True, False])
@pytest.mark.parametrize(
    "wrong", [SILENT, {"prompt": "none"}, {}, {**SILENT, "response_mode": "fragment"}], ids=str
)
def test_what_strangers_registered_is_never_bounced_to(
    client: FlaskClient, wrong: dict[str, str], signed_in: bool
) -> None:
    """RFC 9700 §4.11.2: redirect automatically only where the redirection URI is trusted."""
    there = world(client, signed_in=signed_in)

    page = there.browser.open(strangers(there).authorize_path(**wrong))

    assert page.status_code == 400
    assert not leads_to(page)
    assert button(page).startswith(f"{CALLBACK}?error=")
    assert NAME in words(page.text)


def test_a_pushed_request_of_a_stranger_is_not_bounced_either(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: whatever way the request came."""
    there = world(client, signed_in=False)
    portal = strangers(there)
    pushed = portal.post(client, "/oauth2/par", portal.request(**SILENT)).json or {}
    asked = urlencode({"client_id": portal.client_id, "request_uri": pushed["request_uri"]})

    for error in ("login_required", "invalid_request_uri"):
        page = there.browser.open(f"/oauth2/authorize?{asked}")
        assert not leads_to(page)
        assert f"?error={error}&" in button(page)


def test_after_a_page_of_ours_a_stranger_is_answered(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: who was asked has decided; and what they allowed goes on silently."""
    there = world(client, signed_in=False)
    portal = strangers(there)
    asked = {**SILENT, "prompt": None}

    there.browser.open(portal.authorize_path(**asked))
    there.browser.sign_in("claire")
    denied = answer(there.browser.press("consent-cancel"))
    there.browser.open(portal.authorize_path(**asked))
    allowed = answer(there.browser.press("consent-allow"))
    silent = answer(there.browser.open(portal.authorize_path(**SILENT)))

    assert denied["error"] == "access_denied"
    assert "code" in allowed
    assert "code" in silent


def test_a_strangers_logout_leads_nowhere_without_a_session(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: the logout endpoint is no redirector either."""
    there = world(client, signed_in=False)
    portal = strangers(there)
    asked = {"client_id": portal.client_id, "post_logout_redirect_uri": f"{CALLBACK}/left"}

    page = there.browser.open(f"/oauth2/logout?{urlencode(asked)}")

    assert page.status_code == 200
    assert not leads_to(page)


def test_a_strangers_logout_with_a_hint_leads_nowhere_either(client: FlaskClient) -> None:
    """RFC 9700 §4.11.2: its author has an ID token of their own, and makes a link of it."""
    there = world(client, signed_in=False)
    portal = strangers(there)
    there.browser.open(portal.authorize_path(**portal.pkce()))
    there.browser.sign_in("claire")
    code = answer(there.browser.press("consent-allow"))["code"]
    hint = (portal.redeem(client, code, code_verifier=portal.verifier).json or {})["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": f"{CALLBACK}/left"}
    path = f"/oauth2/logout?{urlencode(asked)}"

    signed_in = there.browser.open(path)
    visitor = client.application.test_client().get(path)

    assert leads_to(signed_in) == f"{CALLBACK}/left"
    assert visitor.status_code == 200
    assert not leads_to(visitor)


def test_one_with_a_token_of_ours_is_answered_silently(client: FlaskClient) -> None:
    """OpenID Connect Core §3.1.2.6: login_required goes to the redirect URI."""
    there = world(client, signed_in=False)
    portal = strangers(there)
    with transaction() as writes:
        writes.get_one(Client, portal.client_id).registered_by = "n_token"

    assert answer(there.browser.open(portal.authorize_path(**SILENT)))["error"] == "login_required"
