"""What forms accept, and what bad input gets (security rule S3)."""

from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.relying_party import Form, forms_of, leads_to
from tests.times import later
from tests.web.places import Place, element, provider, title

pytestmark = pytest.mark.quick_on("sqlite")


def login_form(page: TestResponse) -> Form:
    """The sign-in form of a page."""
    return next(form for form in forms_of(page.text) if form.id == "login-form")


def post_login(here: Place, *, headers: dict[str, str] | None = None, **changes: str) -> int:
    """Send the sign-in form that is open; returns the status."""
    assert here.browser.page is not None
    form = login_form(here.browser.page)
    data = {**form.hidden, "username": "claire", "password": PASSWORD, **changes}
    here.browser.page = here.browser.client.post(form.action, data=data, headers=headers or {})
    return here.browser.page.status_code


class TestSignIn:
    def test_a_wrong_password_is_said_at_the_field_and_the_name_stays(self, here: Place) -> None:
        here.at_sign_in()

        page = here.browser.sign_in("claire", "Not-The-Password-1")

        assert page.status_code == 400
        assert title(page).startswith("Erreur")
        assert element(page, "username")["value"] == "claire"
        assert element(page, "password")["value"] == ""
        assert "Not-The-Password-1" not in page.text
        assert element(page, "password")["aria-invalid"] == "true"
        assert element(page, "password")["aria-describedby"] == "password-problem"
        assert "autofocus" in element(page, "error-summary")
        assert 'href="#password"' in page.text

    def test_empty_fields_are_named_one_by_one(self, here: Place) -> None:
        here.at_sign_in()

        page = here.browser.sign_in("", "")

        assert page.status_code == 400
        assert element(page, "username")["aria-invalid"] == "true"
        assert element(page, "password")["aria-invalid"] == "true"

    @pytest.mark.parametrize("name", ["cl\0aire", "x" * 255, "a\x1bb"])
    def test_impossible_names_are_refused_in_words(self, here: Place, name: str) -> None:
        here.at_sign_in()

        page = here.browser.sign_in(name, PASSWORD)

        assert page.status_code == 400
        assert element(page, "username")["aria-invalid"] == "true"
        assert "\0" not in page.text

    def test_invalid_utf_8_is_a_wrong_password(self, here: Place) -> None:
        here.at_sign_in()
        assert here.browser.page is not None
        form = login_form(here.browser.page)

        answer = here.browser.client.post(
            form.action,
            data=f"csrf_token={form.hidden['csrf_token']}&username=%ff%fe&password=%c3%28",
            content_type="application/x-www-form-urlencoded",
        )

        assert answer.status_code == 400
        assert "login-form" in answer.text

    def test_a_field_that_comes_twice_is_refused(self, here: Place) -> None:
        here.at_sign_in()
        assert here.browser.page is not None
        form = login_form(here.browser.page)

        answer = here.browser.client.post(
            form.action,
            data={**form.hidden, "username": ["claire", "anna"], "password": PASSWORD},
        )

        assert answer.status_code == 400
        assert element(answer, "oauth-error") is not None

    def test_an_oversize_body_is_refused(self, here: Place) -> None:
        here.at_sign_in()

        assert post_login(here, padding="x" * 70_000) == 413
        assert here.browser.shows("correlation-id")

    def test_another_content_type_changes_nothing(self, here: Place) -> None:
        here.at_sign_in()
        assert here.browser.page is not None
        form = login_form(here.browser.page)

        answer = here.browser.client.post(form.action, json={"username": "claire"})

        assert answer.status_code == 400

    def test_e4_throttled_sign_in_says_how_long_to_wait(self, here: Place) -> None:
        here.at_sign_in()
        for _ in range(7):
            page = here.browser.sign_in("claire", "Not-The-Password-1")

        assert page.status_code == 429
        assert int(page.headers["Retry-After"]) >= 1
        assert "trop de tentatives" in page.text
        assert element(page, "username")["value"] == "claire"

    def test_a_second_submission_of_a_finished_sign_in_goes_on(self, here: Place) -> None:
        here.at_sign_in()
        first_page = here.browser.page
        here.browser.sign_in("claire")
        here.browser.page = first_page

        assert post_login(here) == 303
        assert here.browser.page is not None
        here.browser.open(here.browser.page.headers["Location"])
        assert here.browser.shows("interaction-done")


class TestFormToken:
    def test_s3_an_expired_sign_in_form_is_shown_again_with_what_was_typed(
        self, here: Place
    ) -> None:
        here.at_sign_in()

        assert post_login(here, csrf_token="wrong") == 400

        page = here.browser.page
        assert page is not None
        assert element(page, "username")["value"] == "claire"
        assert "trop longtemps" in page.text
        assert leads_to(here.browser.sign_in("claire"))

    @pytest.mark.parametrize(
        ("step", "form", "field"),
        [("token", "token-form", "token"), ("forgotten", "forgotten-form", "email")],
    )
    def test_s3_so_are_the_other_sign_in_forms(
        self, here: Place, step: str, form: str, field: str
    ) -> None:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/{step}")

        page = here.browser.submit(form, **{field: "what I typed", "csrf_token": ""})

        assert page.status_code == 400
        assert element(page, field)["value"] == "what I typed"

    def test_s3_an_expired_password_form_leads_back_to_the_token(self, here: Place) -> None:
        here.at_sign_in()
        here.browser.open(f"{here.interaction()}/token")
        answer = here.browser.client.post(f"{here.interaction()}/password", data={})

        assert answer.status_code == 303
        assert answer.headers["Location"].endswith("/token")

    def test_s3_another_expired_form_gives_a_page_with_a_way_on(self, here: Place) -> None:
        here.browser.sign_in_at_home("claire")

        page = here.browser.submit("language-form", csrf_token="old")
        assert page.status_code == 400
        assert "Ce formulaire a expiré" in page.text
        page = here.browser.client.post("/account/password", data={"csrf_token": "old"})

        assert element(page, "try-again")["href"] == "/account/password"

    def test_s3_a_repeated_field_in_an_expired_form_is_refused_too(self, here: Place) -> None:
        here.at_sign_in()
        answer = here.browser.client.post(
            f"{here.interaction()}/login", data={"username": ["a", "b"]}
        )

        assert answer.status_code == 400
        assert element(answer, "oauth-error") is not None

    def test_s3_the_renewal_of_a_token_needs_a_form_token(self, here: Place) -> None:
        here.at_sign_in()

        answer = here.browser.client.post(f"{here.interaction()}/token/renew")

        assert answer.status_code == 400
        assert element(answer, "try-again")["href"] == f"{here.interaction()}/token"

    def test_s3_a_form_token_ends_with_its_interaction(self, here: Place) -> None:
        here.at_sign_in()
        with later(hours=2):
            status = post_login(here)

        assert status in {400, 404}
        assert here.browser.shows("correlation-id")


class TestForeignForms:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "http://127.0.0.1:9999"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": "null"},
        ],
    )
    def test_s3_a_form_of_another_site_is_refused_whatever_it_carries(
        self, here: Place, headers: dict[str, str]
    ) -> None:
        here.at_sign_in()

        assert post_login(here, headers=headers) == 403
        assert here.browser.page is not None
        assert "autre site" in here.browser.page.text

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "http://127.0.0.1:8000"},
            {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
            {"Origin": "http://localhost"},
        ],
    )
    def test_s3_our_own_forms_pass(self, here: Place, headers: dict[str, str]) -> None:
        here.at_sign_in()

        assert post_login(here, headers=headers) == 303


class TestCookies:
    def test_blocked_cookies_are_said_when_a_form_is_sent(self, here: Place) -> None:
        here.at_sign_in()
        without = here.another_browser(use_cookies=False)

        page = without.client.post(
            f"{here.interaction()}/login", data={"username": "claire"}, follow_redirects=True
        )

        assert page.status_code in {400, 404}
        assert "bloque les cookies" in page.text

    def test_blocked_cookies_are_said_on_the_way_to_a_page(self, here: Place) -> None:
        here.at_sign_in()
        without = here.another_browser(use_cookies=False)

        tried = without.client.get(f"{here.interaction()}/login")
        page = without.client.get(tried.location)

        assert tried.status_code == 303  # one try, before it is told as a fact
        assert "bloque les cookies" in page.text

    def test_s10_an_address_sent_to_somebody_else_is_worth_nothing(self, here: Place) -> None:
        here.at_sign_in()
        other = here.another_browser()
        other.open("/")

        page = other.open(f"{here.interaction()}/login")

        assert page.status_code == 404
        assert "Cette page a expiré" in page.text


def test_forms_work_behind_tls_where_browsers_send_no_referer(
    here: Place, database_url: str, keys_folder: Path
) -> None:
    behind_tls = settings_for_tests(database_url, keys_folder, issuer="https://id.example")
    base = "https://id.example/"
    with provider(behind_tls) as client:
        page = client.get("/", base_url=base, follow_redirects=True)
        form = login_form(page)

        answer = client.post(
            form.action,
            base_url=base,
            data={**form.hidden, "username": "claire", "password": PASSWORD},
            headers={"Origin": "null", "Sec-Fetch-Site": "same-origin"},
        )

    assert answer.status_code == 303
    assert "__Host-idp_session" in str(answer.headers.getlist("Set-Cookie"))
