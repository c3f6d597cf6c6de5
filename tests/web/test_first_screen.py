"""What a parent on a phone sees first: who was here before the form, a newcomer the token."""

import pytest
from werkzeug.test import TestResponse

from tests.web.places import Place, elements

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def first_of(page: TestResponse) -> str:
    """Which pane of the sign-in page comes first."""
    ids = [attributes.get("id") for _tag, attributes in elements(page)]
    return min(("token-link", "login-form"), key=ids.index)


def test_a_newcomer_finds_the_token_first(here: Place) -> None:
    assert first_of(here.at_sign_in()) == "token-link"


def test_who_has_signed_in_in_this_browser_finds_the_form_first(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.sign_out()

    assert first_of(here.at_sign_in()) == "login-form"


def test_a_newcomer_from_a_mail_finds_the_token_in_a_known_browser_too(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.sign_out()

    here.browser.open("/welcome?token=AAAA")

    assert here.browser.shows("token-form")


def test_after_a_wrong_password_the_error_and_the_form_come_first(here: Place) -> None:
    here.at_sign_in()

    page = here.browser.submit("login-form", username="claire", password="wrong")

    assert first_of(page) == "login-form"
    assert page.text.index("error-summary") < page.text.index("login-form")


def test_whom_the_application_knows_by_name_finds_the_form_first(here: Place) -> None:
    assert first_of(here.at_sign_in(login_hint="claire")) == "login-form"
