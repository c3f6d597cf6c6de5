"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0; security rules O20, S6)."""

from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey

from idp.oidc.requests import FORM
from tests import factories
from tests.relying_party import Browser, World, answer, leads_to, world
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

HOME = "https://portal.example/"


def logout(there: World, **parameters: str | None) -> Any:
    given = {name: value for name, value in parameters.items() if value is not None}
    return there.browser.open(f"/oauth2/logout?{urlencode(given)}")


def is_signed_in(there: World) -> bool:
    return "code" in there.answer(prompt="none")


def test_a_hint_and_a_registered_address_redirect_with_state(client: FlaskClient) -> None:
    """RP-Initiated Logout §3: to the registered address, with the state."""
    there = world(client)
    hint = there.redeem()["id_token"]

    response = logout(there, id_token_hint=hint, post_logout_redirect_uri=HOME, state="a b&c")

    assert leads_to(response) == f"{HOME}?state=a+b%26c"
    assert "Clear-Site-Data" in response.headers
    assert not is_signed_in(there)


def test_logout_by_post_works_as_well(client: FlaskClient) -> None:
    there = world(client)
    data = {"id_token_hint": there.redeem()["id_token"], "post_logout_redirect_uri": HOME}

    response = there.http.post("/oauth2/logout", data=data)

    assert response.status_code == 303
    assert leads_to(response) == HOME
    assert not is_signed_in(there)


def test_logout_posted_from_another_site_reaches_the_session(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    data = {"id_token_hint": there.redeem()["id_token"], "post_logout_redirect_uri": HOME}

    crossing = app.test_client(use_cookies=False).post("/oauth2/logout", data=data)
    response = there.browser.open(crossing.headers["Location"])

    assert leads_to(response) == HOME
    assert not is_signed_in(there)


def test_n8_a_logout_that_crosses_sites_carries_no_hint_in_its_address(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client, id_token_claims=["name", "email"])
    hint = there.redeem(scope="openid profile email")["id_token"]
    data = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": "s 1"}

    crossing = app.test_client(use_cookies=False).post("/oauth2/logout", data=data)

    address = unquote(crossing.headers["Location"])
    assert not any(part in address for part in hint.split("."))
    response = there.browser.open(crossing.headers["Location"])
    assert leads_to(response) == f"{HOME}?state=s+1"
    assert not is_signed_in(there)


def test_a_crossing_proves_no_more_than_its_hint_and_not_for_long(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    stranger = app.test_client(use_cookies=False)
    data = {"client_id": there.portal.client_id, "post_logout_redirect_uri": HOME}
    unproved = stranger.post("/oauth2/logout", data=data).headers["Location"]
    data["id_token_hint"] = there.redeem()["id_token"]
    proved = stranger.post("/oauth2/logout", data=data).headers["Location"]

    with later(minutes=2):
        late = there.browser.open(proved)
    assert there.browser.shows("logout-confirm")
    assert not leads_to(late)
    there.browser.open(proved + "x")
    assert there.browser.shows("logout-confirm")
    there.browser.open(unproved)
    assert there.browser.shows("logout-confirm")
    assert is_signed_in(there)
    assert leads_to(there.browser.open(proved)) == HOME


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("crossing", [False, True])
@pytest.mark.parametrize(
    "name", ["client_id", "post_logout_redirect_uri", "state", "id_token_hint", "other"]
)
def test_o2_a_repeated_parameter_ends_nothing_and_leads_nowhere(
    app: Flask, client: FlaskClient, method: str, name: str, *, crossing: bool
) -> None:
    there = world(client)
    asked = {
        "client_id": there.portal.client_id,
        "id_token_hint": there.redeem()["id_token"],
        "post_logout_redirect_uri": HOME,
        "state": "s",
        "other": "x",
    }
    pairs = urlencode([*asked.items(), (name, asked[name])])
    browser = app.test_client(use_cookies=False) if crossing else there.http
    sent = {"query_string": pairs} if method == "GET" else {"data": pairs}

    response = browser.open("/oauth2/logout", method=method, content_type=FORM, **sent)

    assert response.status_code == 400
    assert "Location" not in response.headers
    assert is_signed_in(there)


def test_an_expired_hint_is_still_a_hint(client: FlaskClient) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]

    with later(hours=3):
        response = logout(there, id_token_hint=hint, post_logout_redirect_uri=HOME)

    assert leads_to(response) == HOME


def test_a_hint_without_an_address_ends_on_a_page(client: FlaskClient) -> None:
    """RP-Initiated Logout §2: post_logout_redirect_uri is OPTIONAL."""
    there = world(client)

    page = logout(there, id_token_hint=there.redeem()["id_token"])

    assert page.status_code == 200
    assert there.browser.shows("logged-out")
    assert not is_signed_in(there)


def test_an_address_that_is_not_registered_to_the_letter_is_not_followed(
    client: FlaskClient,
) -> None:
    """RP-Initiated Logout §3: the address matches one of the registered exactly."""
    there = world(client)

    for uri in ("https://evil.example/", HOME + "x", HOME[:-1], HOME + "?", HOME.upper(), "é"):
        there.browser.sign_in_at_home("claire") if not is_signed_in(there) else None
        hint = there.redeem()["id_token"]
        response = logout(there, id_token_hint=hint, post_logout_redirect_uri=uri)
        assert not leads_to(response), uri
        assert response.status_code == 200


def forged(hint: str, key: RSAKey, **header: Any) -> str:
    import base64
    import json

    payload = hint.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return jwt.encode({"alg": "RS256", **header}, claims, key)


def test_missing_forged_unsigned_and_foreign_hints_ask_and_never_redirect(
    client: FlaskClient,
) -> None:
    """RP-Initiated Logout §4: what failed to validate leads nowhere."""
    there = world(client)
    hint = there.redeem()["id_token"]
    kid = (client.get("/oauth2/jwks").json or {})["keys"][0]["kid"]
    key = RSAKey.generate_key(2048, {"kid": kid})
    unsigned = "eyJhbGciOiJub25lIn0." + hint.split(".")[1] + "."
    wrong = [None, "", "x", "a.b.c", "é.é.é", unsigned, hint[:-4] + "AAAA", hint + ".x"]
    wrong += [forged(hint, key, kid=kid), forged(hint, key, kid="other"), forged(hint, key)]

    for text in wrong:
        page = logout(there, id_token_hint=text, post_logout_redirect_uri=HOME, state="s")
        assert page.status_code == 200, text
        assert there.browser.shows("logout-confirm"), text
        assert is_signed_in(there), text


def test_an_access_token_is_no_hint(client: FlaskClient) -> None:
    there = world(client)
    tokens = there.redeem(scope="openid offline_access")

    for text in (tokens["access_token"], tokens["refresh_token"]):
        logout(there, id_token_hint=text, post_logout_redirect_uri=HOME)
        assert there.browser.shows("logout-confirm")


def test_a_hint_of_another_application_does_not_open_this_ones_address(
    client: FlaskClient,
) -> None:
    there = world(client)
    other = there.other_portal(post_logout_redirect_uris=["https://other.example/"])
    hint = there.redeem()["id_token"]

    for uri in (HOME, "https://other.example/"):
        foreign_client = logout(
            there, id_token_hint=hint, client_id=other.client_id, post_logout_redirect_uri=uri
        )
        assert there.browser.shows("logout-confirm")
        assert not leads_to(foreign_client)
        assert not leads_to(there.browser.press("logout-submit"))
        there.browser.sign_in_at_home("claire")
    foreign_address = logout(
        there, id_token_hint=hint, post_logout_redirect_uri="https://other.example/"
    )
    assert not leads_to(foreign_address)


def test_a_hint_of_another_guardian_asks_before_it_signs_out(
    app: Flask, client: FlaskClient
) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]
    factories.account("paul")
    paul = Browser(app.test_client())
    paul.sign_in_at_home("paul")

    paul.open(f"/oauth2/logout?{urlencode({'id_token_hint': hint})}")

    assert paul.shows("logout-confirm")
    assert "code" in answer(paul.open(there.portal.authorize_path(prompt="none")))


def test_the_question_can_be_answered_both_ways(client: FlaskClient) -> None:
    there = world(client)

    logout(there, client_id=there.portal.client_id)
    there.browser.press("logout-stay")
    assert is_signed_in(there)
    logout(there, client_id=there.portal.client_id)
    page = there.browser.press("logout-submit")

    assert not leads_to(page)
    assert there.browser.shows("logged-out")
    assert not is_signed_in(there)


@pytest.mark.parametrize("hint", [None, "not-a-token-of-ours"])
def test_without_a_hint_the_application_that_names_itself_is_gone_back_to_after_the_question(
    client: FlaskClient, hint: str | None
) -> None:
    """RP-Initiated Logout §2: without a hint the person is asked; client_id says who asks."""
    there = world(client)
    named = {"client_id": there.portal.client_id, "post_logout_redirect_uri": HOME}

    asked = logout(there, **named, id_token_hint=hint, state="a b&c")
    assert there.browser.shows("logout-confirm")
    assert not leads_to(asked)
    assert is_signed_in(there)
    logout(there, **named, id_token_hint=hint, state="a b&c")
    done = there.browser.press("logout-submit")

    assert leads_to(done) == f"{HOME}?state=a+b%26c"
    assert not is_signed_in(there)


def test_where_no_session_is_left_the_way_back_needs_no_question(client: FlaskClient) -> None:
    there = world(client, signed_in=False)

    back = logout(there, client_id=there.portal.client_id, post_logout_redirect_uri=HOME, state="s")
    assert leads_to(back) == f"{HOME}?state=s"
    logout(there, client_id=there.portal.client_id)
    assert there.browser.shows("logged-out")


@pytest.mark.parametrize("signed_in", [True, False])
def test_without_a_hint_no_other_address_is_gone_to(client: FlaskClient, signed_in: bool) -> None:
    there = world(client, signed_in=signed_in)
    other = there.other_portal(post_logout_redirect_uris=["https://other.example/"])
    mine = there.portal.client_id

    for client_id, uri in (
        *((mine, uri) for uri in ("https://evil.example/", HOME + "x", HOME[:-1], HOME + "?", "é")),
        *((mine, "https://other.example/"), (other.client_id, HOME)),
        *((None, HOME), ("app_unknown", HOME), ("\0", HOME)),
    ):
        page = logout(there, client_id=client_id, post_logout_redirect_uri=uri, state="s")
        assert not leads_to(page), (client_id, uri)
        if signed_in:
            assert not leads_to(there.browser.press("logout-submit")), (client_id, uri)
            there.browser.sign_in_at_home("claire")


def test_a_sign_in_that_has_begun_elsewhere_outlives_a_logout_without_a_session(
    client: FlaskClient,
) -> None:
    there = world(client, signed_in=False)
    begun = there.ask()
    other_tab = there.browser.client.get(
        f"/oauth2/logout?{urlencode({'client_id': there.portal.client_id})}"
    )
    there.browser.page = begun

    assert "logged-out" in other_tab.text
    assert "code" in answer(there.browser.sign_in("claire"))


def test_the_answer_needs_the_pages_form_token(client: FlaskClient) -> None:
    there = world(client)

    response = there.http.post("/logout/confirm", data={"decision": "sign-out"})

    assert response.status_code == 400
    assert is_signed_in(there)


@pytest.mark.parametrize("value", ["https://evil.example/", "x.y.z", "é", "\0"])
def test_a_forged_return_address_in_the_form_is_not_followed(
    client: FlaskClient, value: str
) -> None:
    there = world(client)
    logout(there)

    response = there.browser.press("logout-submit", request=value)

    assert not leads_to(response)
    assert response.status_code == 200


def test_signing_out_twice_or_signed_out_does_no_harm(client: FlaskClient) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]

    for _ in range(2):
        response = logout(there, id_token_hint=hint, post_logout_redirect_uri=HOME)
        assert leads_to(response) == HOME
    page = logout(there)

    assert page.status_code == 200


def test_a_disabled_clients_address_is_not_followed(client: FlaskClient) -> None:
    from idp.clients import registration

    there = world(client)
    hint = there.redeem()["id_token"]
    registration.disable(there.portal.client_id)

    response = logout(there, id_token_hint=hint, post_logout_redirect_uri=HOME)

    assert not leads_to(response)


def test_odd_parameters_are_never_a_server_error(client: FlaskClient) -> None:
    there = world(client)
    hint = there.redeem()["id_token"]
    odd = ["\0", "é", "x" * 20000, '"><script>', "%FF", "\n"]

    for value in odd:
        for name in ("id_token_hint", "client_id", "post_logout_redirect_uri", "state"):
            given = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, name: value}
            response = there.http.get(f"/oauth2/logout?{urlencode(given)}")
            assert response.status_code < 500, (name, value)
            assert "<script>" not in response.text
    assert there.http.get("/oauth2/logout?id_token_hint=%FF%FE&state=%00").status_code == 200
