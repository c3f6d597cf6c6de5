"""What a parent hears and sees of their own account."""

import pytest

from idp.people.models import Account
from tests import factories
from tests.journey.walk import Journey
from tests.relying_party import Browser

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def claire(parents: Journey) -> tuple[Browser, Account]:
    guardian, _ = factories.family(
        parents.school, "Lina", username="claire", email="claire@dubois.example"
    )
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    return browser, guardian


class TestNewDevice:
    def test_the_first_sign_in_is_no_news_and_the_next_new_browser_is(
        self, parents: Journey, claire: tuple
    ) -> None:
        assert parents.post() == []
        phone = parents.browser()
        phone.client.environ_base["HTTP_USER_AGENT"] = "Mozilla Firefox/130 (Android)"
        phone.sign_in_at_home("claire")
        letter = parents.letter()
        assert letter.recipients == ["claire@dubois.example"]
        for words in (letter.text, letter.html):
            assert "Firefox, Android" in words
            assert "Mot de passe oublié" in words
            assert "127.0.0.1:8000" in words

    def test_a_browser_that_the_account_knows_is_no_news(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, _ = claire
        browser.sign_out()
        browser.open("/")
        browser.sign_in("claire")
        assert parents.post() == []

    def test_a_wrong_password_is_no_news(self, parents: Journey, claire: tuple) -> None:
        stranger = parents.browser()
        stranger.open("/")
        stranger.sign_in("claire", "certainly wrong")
        assert parents.post() == []
