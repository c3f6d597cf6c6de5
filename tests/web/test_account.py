"""The page of a signed-in parent without an application."""

import pytest
from flask import Flask

from idp.lifecycle import endings
from idp.people import guardianships
from tests import factories
from tests.factories import PASSWORD
from tests.relying_party import Browser, RelyingParty, answer
from tests.web.places import Place, element

pytestmark = pytest.mark.quick_on("sqlite")

NEW = "Violette-Ardoise-Cerceau-9"


@pytest.fixture
def home(here: Place) -> Place:
    here.browser.sign_in_at_home("claire")
    return here


def change_password(browser: Browser, current: str, new: str, again: str | None = None) -> int:
    browser.open("/account/password")
    page = browser.submit(
        "password-form", current_password=current, new_password=new, repeat_password=again or new
    )
    return page.status_code


def test_whoever_is_not_signed_in_goes_to_sign_in(app: Flask) -> None:
    browser = Browser(app.test_client())

    browser.open("/account/password")

    assert browser.shows("login-form")


def test_the_page_names_me_my_children_and_this_session(home: Place) -> None:
    other = factories.school("Institut Saint-Éloi")
    factories.guardianship(home.parent, factories.child(other, "Ada", class_name=""))

    page = home.browser.open("/")

    for words in ("Bonjour, Claire", "claire@example.org", "Lina", "Noé", "Ada", "3B"):
        assert words in page.text
    assert "Institut Saint-Éloi" in page.text
    assert "maintenant" in home.browser.open("/account/sessions").text
    assert not home.browser.shows("end-others")


def test_the_page_ends_other_sessions_too(home: Place) -> None:
    other = home.another_browser()
    other.sign_in_at_home("claire")
    home.browser.open("/")
    assert home.browser.shows("account-sessions")

    home.browser.press("end-others")

    other.open("/")
    assert other.shows("login-form")


def test_an_ended_guardianship_is_gone_at_once(home: Place) -> None:
    child = guardianships.live_children(home.parent.id)[0][0]
    endings.end_guardianship(home.parent.id, child.id, "court")

    assert child.given_name not in home.browser.open("/").text


def test_a_parent_without_children_is_told_so(app: Flask) -> None:
    factories.account("sans")
    browser = Browser(app.test_client())
    browser.sign_in_at_home("sans")

    assert browser.page is not None
    assert "aucun enfant" in browser.page.text
    assert not browser.shows("change-child")
    assert not browser.shows("start-application")


def test_the_applications_of_my_schools_can_be_started(home: Place) -> None:
    RelyingParty.of(
        home.school,
        client_name="Agenda",
        initiate_login_uri="https://agenda.example/start?from=idp",
    )
    page = home.browser.open("/")

    assert "Ouvrir Agenda" in page.text
    assert (
        "https://agenda.example/start?from=idp&amp;iss=http%3A%2F%2F127.0.0.1%3A8000" in page.text
    )
    assert element(page, "start-application")["href"]


def test_change_child_forgets_the_choice(home: Place) -> None:
    home.at_sign_in(scope="openid child")
    home.browser.press("child-submit-1")
    assert "code" in answer(home.at_sign_in(scope="openid child"))
    home.browser.open("/")

    page = home.browser.press("change-child")

    assert "vous demandera" in page.text
    home.at_sign_in(scope="openid child")
    assert home.browser.shows("child-list")


class TestPassword:
    def test_p5_the_new_password_works_and_other_sessions_end(self, home: Place) -> None:
        other = home.another_browser()
        other.sign_in_at_home("claire")

        assert change_password(home.browser, PASSWORD, NEW) == 200

        assert home.browser.shows("sign-out")
        other.open("/")
        assert other.shows("login-form")
        assert other.sign_in("claire", NEW).status_code == 200

    @pytest.mark.parametrize(
        ("current", "new", "again", "field"),
        [
            ("", NEW, NEW, "current-password"),
            ("Not-The-Password-1", NEW, NEW, "current-password"),
            (PASSWORD, "court", "court", "new-password"),
            (PASSWORD, NEW, "another", "repeat-password"),
        ],
    )
    def test_p5_what_is_wrong_is_said_at_its_field(
        self, home: Place, current: str, new: str, again: str, field: str
    ) -> None:
        assert change_password(home.browser, current, new, again) == 400

        assert home.browser.page is not None
        assert element(home.browser.page, field)["aria-invalid"] == "true"
        assert PASSWORD not in home.browser.page.text

    def test_e7_guesses_of_the_current_password_are_slowed_down(self, home: Place) -> None:
        statuses = [change_password(home.browser, f"guess-{n}-Xy", NEW) for n in range(8)]

        assert statuses[0] == 400
        assert statuses[-1] == 429


class TestSessions:
    def test_one_session_can_be_ended(self, home: Place) -> None:
        other = home.another_browser()
        other.sign_in_at_home("claire")
        home.browser.open("/account/sessions")
        ended = 2 if "end-session-2" in home.browser.page.text else 1  # type: ignore[union-attr]

        page = home.browser.press(f"end-session-{ended}")

        assert "déconnecté" in page.text
        assert home.browser.shows("account-sessions")
        other.open("/")
        assert other.shows("login-form")

    def test_all_others_can_be_ended(self, home: Place) -> None:
        others = [home.another_browser() for _ in range(2)]
        for other in others:
            other.sign_in_at_home("claire")
        home.browser.open("/account/sessions")

        home.browser.press("end-others")

        assert home.browser.shows("account-sessions")
        for other in others:
            other.open("/")
            assert other.shows("login-form")

    def test_ending_this_session_signs_out(self, home: Place) -> None:
        from idp.sessions import service as sessions

        (session,) = sessions.live(home.parent.id)
        form, _button = home.browser._button("sign-out")

        ended = home.browser.client.post(f"/account/sessions/{session.id}/end", data=form.hidden)

        assert ended.headers["Location"].partition("?")[0] == "/account/signed-out"
        home.browser.open("/")
        assert home.browser.shows("login-form")

    @pytest.mark.parametrize("session_id", ["b_unknown", "%00", "x" * 40])
    def test_c7_a_strangers_session_is_not_ended(self, home: Place, session_id: str) -> None:
        form, _button = home.browser._button("sign-out")

        done = home.browser.client.post(f"/account/sessions/{session_id}/end", data=form.hidden)

        assert done.status_code in {303, 404}
        home.browser.open("/")
        assert home.browser.shows("sign-out")

    def test_signing_out_twice_says_the_same(self, home: Place) -> None:
        form, _button = home.browser._button("sign-out")
        for _ in range(2):
            home.browser.client.post("/account/sign-out", data=form.hidden)
        page = home.browser.open("/account/signed-out")

        assert "Votre session est fermée" in page.text


class TestApplications:
    def allow(self, home: Place) -> RelyingParty:
        foreign = RelyingParty.of(home.school, client_name="Cantine", first_party=False)
        home.browser.open(foreign.authorize_path(scope="openid profile"))
        home.browser.press("consent-allow")
        return foreign

    def test_what_i_allowed_can_be_withdrawn(self, home: Place) -> None:
        foreign = self.allow(home)
        page = home.browser.open("/account/applications")
        assert home.browser.shows("account-applications")
        assert "Cantine" in page.text

        home.browser.press("withdraw-1")

        assert not home.browser.shows("account-applications")
        home.browser.open(foreign.authorize_path(scope="openid profile"))
        assert home.browser.shows("consent-form")

    @pytest.mark.parametrize("client_id", ["unknown", "%00", "x" * 70])
    def test_an_unknown_application_changes_nothing(self, home: Place, client_id: str) -> None:
        self.allow(home)
        home.browser.open("/")
        form, _button = home.browser._button("sign-out")

        done = home.browser.client.post(
            f"/account/applications/{client_id}/withdraw", data=form.hidden
        )

        assert done.status_code in {303, 404}
        home.browser.open("/account/applications")
        assert home.browser.shows("account-applications")
