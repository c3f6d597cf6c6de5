"""What password managers, phones and hurried people find: well-known address, « show », link."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.second_factors import begin_app, code_now, key_on
from tests.web.places import Place, element, elements

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_well_known_address_leads_to_the_change_of_password(here: Place) -> None:
    here.browser.sign_in_at_home("claire")

    page = here.browser.open("/.well-known/change-password")

    assert page.request.path == "/account/password"
    assert here.browser.shows("password-form")


def test_an_address_that_is_not_there_is_not_found(here: Place) -> None:
    # W3C, A Well-Known URL for Changing Passwords: so that a manager can trust our statuses
    path = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"

    assert here.browser.client.get(path).status_code == 404


def test_show_the_password_waits_for_a_script(here: Place) -> None:
    page = here.at_sign_in()

    buttons = [each for tag, each in elements(page) if tag == "button" and "data-shows" in each]
    assert [each["data-shows"] for each in buttons] == ["password"]
    assert "hidden" in buttons[0]
    assert buttons[0]["type"] == "button"
    assert element(page, "password")["type"] == "password"


def test_the_apps_key_is_a_link_and_one_word_to_copy(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/two-factor")
    page = begin_app(here.browser)

    link = element(page, "totp-link")["href"] or ""
    key = key_on(page)

    assert urlsplit(link).scheme == "otpauth"
    assert parse_qs(urlsplit(link).query)["secret"] == [key]
    shown = page.text.split('id="totp-secret"')[1].partition(">")[2].partition("</code>")[0]
    assert re.fullmatch(r"(<span>\w{4}</span>)+", shown.strip()), "no spaces between the groups"
    assert element(page, "totp-copy")["data-copies"] == "totp-secret"

    codes = here.browser.submit("totp-form", code=code_now(key))
    assert element(codes, "recovery-copy")["data-copies"] == "recovery-codes"
    assert "hidden" in element(codes, "recovery-print")
