"""The next user of a browser finds nothing of the one before (security rules S6 and P11)."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.credentials import one_time_tokens
from tests import factories
from tests.relying_party import Browser, RelyingParty, World, answer, world

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def opened(there: World, *, proved: bool) -> tuple[str, str]:
    """Nadia opens her invitation beside claire's session and leaves it; her page's path, token."""
    nadia = factories.account("nadia", status="invited")
    token = one_time_tokens.mint(nadia.id, "first_sign_in")
    there.browser.open(f"/welcome?token={token}")
    page = there.browser.page
    assert page is not None
    if proved:
        page = there.browser.submit("token-form", token=token)
        assert there.browser.shows("new-password")
    return page.request.path, token


@on_sqlite
def test_s6_an_opened_token_is_gone_after_sign_out(client: FlaskClient) -> None:
    there = world(client)
    path, token = opened(there, proved=False)
    there.browser.open(path)
    assert token in there.browser.page.text  # type: ignore[union-attr]

    there.browser.sign_out()

    assert token not in there.browser.open(path).text


@on_sqlite
def test_s6_a_proved_token_opens_no_password_page_after_sign_out(client: FlaskClient) -> None:
    there = world(client)
    path, token = opened(there, proved=True)

    there.browser.sign_out()
    there.browser.open(path)

    assert not there.browser.shows("new-password")
    assert isinstance(one_time_tokens.find(token), one_time_tokens.Live), "its holder can go on"


def test_s6_signing_out_by_an_application_forgets_opened_tokens_too(client: FlaskClient) -> None:
    there = world(client)
    path, token = opened(there, proved=False)

    there.browser.open("/oauth2/logout")
    there.browser.press("logout-submit")

    assert token not in there.browser.open(path).text


@on_sqlite
def test_s6_another_parent_who_signs_in_finds_no_opened_token(client: FlaskClient) -> None:
    there = world(client)
    path, token = opened(there, proved=False)
    there.ask(prompt="login")  # an interaction that waits is not the one of the mail
    factories.account("paul")

    there.browser.sign_in("paul")

    assert token not in there.browser.open(path).text


@on_sqlite
def test_s6_the_same_parent_who_signs_in_again_keeps_it(client: FlaskClient) -> None:
    there = world(client)
    path, token = opened(there, proved=False)
    there.ask(prompt="login")

    there.browser.sign_in("claire")

    assert token in there.browser.open(path).text


@on_sqlite
def test_s6_another_browsers_opened_token_stays(app: Flask, client: FlaskClient) -> None:
    there = world(client)
    elsewhere = Browser(app.test_client())
    nadia = factories.account("nadia", status="invited")
    token = one_time_tokens.mint(nadia.id, "first_sign_in")
    path = elsewhere.open(f"/welcome?token={token}").request.path

    there.browser.sign_out()

    assert token in elsewhere.open(path).text


def test_s6_a_waiting_request_goes_on_after_sign_out_and_asks_anew(client: FlaskClient) -> None:
    there = world(client, "Lina", "Noé")
    path = there.ask(scope="openid child", prompt="consent").request.path
    there.browser.press("child-submit-1")
    assert there.browser.shows("consent-form")
    there.browser.sign_out()
    paul = factories.account("paul")
    for each in there.children:
        factories.guardianship(paul, each)

    there.browser.open(path.rpartition("/")[0])
    there.browser.sign_in("paul")

    assert there.browser.shows("child-list"), "what claire chose is not paul's choice"
    there.browser.press("child-submit-2")
    assert "code" in answer(there.browser.press("consent-allow"))


@on_sqlite
def test_s6_an_offered_application_and_messages_are_gone(client: FlaskClient) -> None:
    elsewhere = RelyingParty.of(factories.school("Ailleurs"), client_uri="https://ailleurs.example")
    there = world(client, "Lina")
    there.browser.open("/")
    with client.session_transaction() as cookie:
        cookie["offered_application"] = elsewhere.client_id
        cookie["_flashes"] = [("message", "for claire alone")]

    signed_out = there.browser.press("sign-out").text
    there.browser.sign_in_at_home("claire")

    assert "for claire alone" not in signed_out
    assert "ailleurs.example" not in there.browser.page.text  # type: ignore[union-attr]
