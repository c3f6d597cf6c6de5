"""OpenID Connect RP-Initiated Logout 1.0: an address that is not registered."""

from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.oidc import refusals
from tests.relying_party import World, leads_to, world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

UNREGISTERED = "The post_logout_redirect_uri is not registered"
ELSEWHERE = "https://portal.example/elsewhere"


def logout(there: World, **parameters: str) -> Any:
    return there.browser.open(f"/oauth2/logout?{urlencode(parameters)}")


def is_signed_in(there: World) -> bool:
    return "code" in there.answer(prompt="none")


def reasons(there: World) -> set[str]:
    return {each.reason for each in refusals.newest_refusals(there.portal.client_id)}


@pytest.mark.parametrize("by", ["GET", "POST from another site"])
def test_a_valid_hint_with_an_unregistered_address_asks_and_tells_the_developer(
    app: Flask, client: FlaskClient, by: str
) -> None:
    """RP-Initiated Logout §4: information that failed to validate is not used."""
    there = world(client)
    asked = {"id_token_hint": there.redeem()["id_token"], "post_logout_redirect_uri": ELSEWHERE}

    if by == "GET":
        page = logout(there, **asked)
    else:
        crossing = app.test_client(use_cookies=False).post("/oauth2/logout", data=asked)
        page = there.browser.open(crossing.headers["Location"])

    assert there.browser.shows("logout-confirm")
    assert not leads_to(page)
    assert UNREGISTERED in page.text
    assert UNREGISTERED in reasons(there)
    assert is_signed_in(there)


def test_whoever_confirms_is_signed_out_and_stays_with_us(client: FlaskClient) -> None:
    """RP-Initiated Logout §3: no redirection to a value that was not registered."""
    there = world(client)
    hint = there.redeem()["id_token"]

    logout(there, id_token_hint=hint, post_logout_redirect_uri=ELSEWHERE, state="s")
    done = there.browser.press("logout-submit")

    assert not leads_to(done)
    assert there.browser.shows("logged-out")
    assert not is_signed_in(there)


def test_where_nobody_is_signed_in_the_page_says_what_was_wrong(client: FlaskClient) -> None:
    """RP-Initiated Logout §4: an error is shown where the OP can't act on the request."""
    there = world(client, signed_in=False)

    page = logout(there, client_id=there.portal.client_id, post_logout_redirect_uri=ELSEWHERE)

    assert there.browser.shows("logged-out")
    assert not leads_to(page)
    assert UNREGISTERED in page.text


def test_a_sign_out_that_is_right_says_nothing_to_developers(client: FlaskClient) -> None:
    """RP-Initiated Logout §2: post_logout_redirect_uri is OPTIONAL."""
    there = world(client)

    logout(there, client_id=there.portal.client_id)
    assert there.browser.shows("logout-confirm")
    assert not there.browser.shows("for-developers")
    logout(there, id_token_hint=there.redeem()["id_token"])

    assert there.browser.shows("logged-out")
    assert not there.browser.shows("for-developers")
    assert reasons(there) == set()
