"""What was typed, and where one was going, is kept: after a mistake, a proof, a sign-in."""

from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from idp.lifecycle import factor_changes
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, leads_to
from tests.times import later
from tests.twice import sent
from tests.web.places import Place, element

pytestmark = pytest.mark.quick_on("sqlite")


def end_sessions(here: Place) -> None:
    """The person's sessions end on the server, as after a day; the browser keeps its cookies."""
    for session in sessions.live(here.parent.id):
        factories.end_sessions(BrowserSession.id == session.id)


def answer_to(browser: Browser, form_id: str, **fields: str) -> TestResponse:
    """The answer itself, before the browser follows it."""
    action, data = sent(browser, form_id, **fields)
    return browser.client.open_once(action, method="POST", data=data)  # type: ignore[attr-defined,no-any-return]


class TestRefusals:
    @pytest.mark.parametrize(
        ("step", "form", "fields"),
        [
            ("login", "login-form", {"username": "claire", "password": "Not-The-Password-1"}),
            ("token", "token-form", {"token": "AAAA-BBBB"}),
            ("forgotten", "forgotten-form", {"email": "no address"}),
        ],
    )
    def test_n5_a_mistake_at_sign_in_is_answered_by_a_page_of_its_own(
        self, here: Place, step: str, form: str, fields: dict[str, str]
    ) -> None:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/{step}")

        answer = answer_to(here.browser, form, **fields)

        assert answer.status_code == 303
        for _reload in range(2):
            page = here.browser.open(answer.headers["Location"])
            assert page.status_code == 400
            assert here.browser.shows("error-summary")
            for name, typed in fields.items():
                assert element(page, name)["value"] == ("" if name == "password" else typed)
        assert "Not-The-Password-1" not in page.text

    def test_n5_the_page_brings_fresh_form_tokens_each_time(self, here: Place) -> None:
        here.at_sign_in()
        answer = answer_to(here.browser, "login-form", username="claire", password="no")
        keys = set()
        for _reload in range(2):
            here.browser.open(answer.headers["Location"])
            keys.add(sent(here.browser, "login-form")[1]["once"])
        assert len(keys) == 2
        assert leads_to(here.browser.sign_in("claire")).startswith("https://portal.example")

    def test_e4_too_many_attempts_say_so_at_the_page(self, here: Place) -> None:
        here.at_sign_in()
        for _ in range(6):
            here.browser.sign_in("claire", "Not-The-Password-1")

        answer = answer_to(here.browser, "login-form", username="claire", password="no")
        page = here.browser.open(answer.headers["Location"])

        assert answer.status_code == 303
        assert "Retry-After" not in answer.headers  # RFC 9110 §10.2.3: it would delay the page
        assert page.status_code == 429
        assert int(page.headers["Retry-After"]) >= 1

    def test_another_language_keeps_what_was_typed(self, here: Place) -> None:
        here.at_sign_in()
        here.browser.sign_in("claire.typed", "Not-The-Password-1")

        page = here.browser.press("language-nl")

        assert '<html lang="nl"' in page.text
        assert element(page, "username")["value"] == "claire.typed"
        assert page.status_code == 200

    def test_n5_an_hour_later_the_page_is_as_it_is_then(self, here: Place) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/email")
        answer = answer_to(here.browser, "email-form", new_email="no address")
        with later(minutes=61):
            page = here.browser.open(answer.headers["Location"])
        assert "no address" not in page.text


class TestProofs:
    def test_the_form_is_filled_after_the_proof(self, here: Place) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/email")
        with later(minutes=11):
            here.browser.submit("email-form", new_email="claire@new.example")
            assert here.browser.shows("confirm-form")
            here.browser.submit("confirm-form", current_password="wrong at first")
            page = here.browser.submit("confirm-form", current_password=PASSWORD)

        assert page.request.path == "/account/email"
        assert element(page, "new-email")["value"] == "claire@new.example"

    def test_a_session_that_ended_meanwhile_gives_the_text_back(self, here: Place) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/email")
        end_sessions(here)

        page = here.browser.submit("email-form", new_email="claire@new.example")
        assert "claire@new.example" not in page.text
        assert "ce que vous avez saisi est conservé" in page.text
        page = here.browser.sign_in("claire")

        assert page.request.path == "/account/email"
        assert element(page, "new-email")["value"] == "claire@new.example"

    def test_to_another_person_it_is_not_shown(self, here: Place) -> None:
        factories.account("paul")
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/email")
        end_sessions(here)

        here.browser.submit("email-form", new_email="claire@new.example")
        page = here.browser.sign_in("paul")

        assert page.request.path == "/account/email"
        assert "claire@new.example" not in page.text

    def test_a_page_that_was_open_for_too_long_keeps_the_text(self, here: Place) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/email")

        here.browser.submit("email-form", new_email="claire@new.example", csrf_token="old")

        assert here.browser.page is not None
        assert here.browser.page.request.path == "/account/email"
        assert element(here.browser.page, "new-email")["value"] == "claire@new.example"
        assert "trop longtemps" in here.browser.page.text


class TestWhereOneWasGoing:
    @pytest.mark.parametrize("wanted", ["/account/email", "/account/history", "/account/data"])
    def test_s5_a_page_of_ours_comes_after_the_sign_in(self, here: Place, wanted: str) -> None:
        here.browser.open(wanted)
        assert here.browser.sign_in("claire").request.path == wanted

    def test_s5_also_through_a_forgotten_address_of_the_desk(self, here: Place) -> None:
        here.browser.open("/admin/imports?of=here")
        page = here.browser.sign_in("claire")
        assert page.request.path == "/admin/imports"
        assert page.status_code == 404  # there is no desk for parents

    def test_s5_through_setting_up_a_second_factor(self, here: Place) -> None:
        factor_changes.grant_role(here.parent.id, "operator", None)
        here.browser.open("/admin/imports")
        here.browser.sign_in("claire")
        assert here.browser.shows("enrol-app")
        page = here.browser.press("enrol-app")
        assert urlsplit(page.request.path).path.endswith("/enrol/app")

    def test_s5_never_to_another_site(self, here: Place) -> None:
        here.browser.open("/?next=https://evil.example/")
        assert here.browser.sign_in("claire").request.path == "/"

    def test_an_expired_page_leads_back_to_its_application(self, here: Place) -> None:
        here.at_sign_in()
        at = here.interaction()
        with later(hours=2):
            page = here.browser.open(f"{at}/login")

        assert page.status_code == 404
        assert element(page, "start-application")["href"] == "https://portal.example/"

    def test_so_does_one_that_was_opened_in_another_browser(self, here: Place) -> None:
        here.at_sign_in()
        elsewhere = here.another_browser()

        page = elsewhere.open(f"{here.interaction()}/login")

        assert page.status_code == 404
        assert "bloque les cookies" not in page.text
        assert element(page, "start-application")["href"] == "https://portal.example/"

    def test_cookies_are_tried_once_before_they_are_called_blocked(self, here: Place) -> None:
        here.at_sign_in()
        without = here.another_browser(use_cookies=False)

        answer = without.client.open_once(f"{here.interaction()}/login")  # type: ignore[attr-defined]
        page = without.open(answer.headers["Location"])

        assert answer.status_code == 303
        assert answer.headers["Set-Cookie"]
        assert "bloque les cookies" in page.text
