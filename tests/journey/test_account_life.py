"""The pages about a parent's own account: profile, applications, sessions, history, data."""

import json

import pytest
from sqlalchemy import select

from idp.database import db
from idp.lifecycle import endings
from idp.people import staff
from idp.people.models import Account, Guardianship
from idp.privacy import erasure
from tests import factories
from tests.factories import PASSWORD
from tests.journey.walk import NEW, Journey, page_of, signed_in_as
from tests.relying_party import Browser, RelyingParty, answer
from tests.times import later

pytestmark = pytest.mark.quick_on("postgresql")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def claire(parents: Journey) -> tuple[Browser, Account]:
    guardian, _ = factories.family(
        parents.school, "Lina", username="claire", email="claire@dubois.example"
    )
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    return browser, guardian


class TestProfile:
    def test_it_tells_who_i_am_and_whom_to_ask(self, parents: Journey, claire: tuple) -> None:
        page = claire[0].open("/account/profile").text
        for each in ("Claire Dubois", "claire", "Lina Dubois", "Vous êtes parent de"):
            assert each in page
        assert "bureau@tilleuls.example" in page

    def test_the_language_of_pages_changes_at_once_and_that_of_mails_with_it(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, _ = claire
        browser.open("/account/profile")
        browser.submit("profile-language-form", locale="de")
        assert '<html lang="de"' in page_of(browser)
        change_password(browser)
        assert "Ihr Passwort" in parents.letter().subject

    def test_the_choice_goes_along_to_another_browser(
        self, parents: Journey, claire: tuple
    ) -> None:
        claire[0].open("/account/profile")
        claire[0].submit("profile-language-form", locale="nl")
        other = parents.browser()
        other.sign_in_at_home("claire")
        assert '<html lang="nl"' in other.open("/").text

    @on_sqlite
    @pytest.mark.parametrize("locale", ["", "xx", "fr-BE", "FR", "fr\0"])
    def test_no_other_language_is_kept(self, parents: Journey, claire: tuple, locale: str) -> None:
        browser, _ = claire
        browser.open("/account/profile")
        assert browser.submit("profile-language-form", locale=locale).status_code == 400


class TestApplications:
    def test_a_first_partys_grant_is_listed_with_what_it_sees_and_withdrawn(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, _ = claire
        fields = answer(browser.open(parents.portal.authorize_path(scope="openid child email")))
        tokens = parents.portal.redeem(browser.client, fields["code"]).json or {}
        page = browser.open("/account/applications").text
        for each in ("Portail", "Une application de votre école", "Lina", "adresse e-mail"):
            assert each in page
        assert "Voir votre nom, votre nom" not in page

        browser.press("withdraw-1")

        assert not browser.shows("account-applications")
        refused = parents.portal.userinfo(browser.client, tokens["access_token"])
        assert refused.status_code == 401
        assert signed_in_as(browser, "claire")

    def test_a_third_party_is_named_as_such_and_asks_again_after_the_end(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, _ = claire
        canteen = RelyingParty.of(parents.school, first_party=False, client_name="Cantine")
        browser.open(canteen.authorize_path(scope="openid profile"))
        browser.press("consent-allow")
        page = browser.open("/account/applications").text
        assert "application d'un tiers" in page
        browser.press("withdraw-1")
        browser.open(canteen.authorize_path(scope="openid profile"))
        assert browser.shows("consent-form")

    def test_a_child_whose_guardianship_ended_is_named_no_more(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, guardian = claire
        noah = factories.child(parents.school, "Noah")
        factories.guardianship(guardian, noah)
        browser.open(parents.portal.authorize_path(scope="openid child"))
        browser.press("child-submit-2")
        assert "Noah" in browser.open("/account/applications").text
        endings.end_guardianship(guardian.id, noah.id, "court")
        assert "Noah" not in browser.open("/account/applications").text

    def test_another_parents_applications_are_not_among_them(
        self, parents: Journey, claire: tuple
    ) -> None:
        factories.family(parents.school, "Zoé", username="paul")
        parents.portal.tokens(parents.browser(), "paul", scope="openid")
        claire[0].open("/account/applications")
        assert not claire[0].shows("account-applications")


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


class TestSessions:
    def test_each_says_how_and_where_it_began(self, parents: Journey, claire: tuple) -> None:
        phone = parents.browser()
        phone.client.environ_base["HTTP_USER_AGENT"] = "Mozilla Firefox/130 (Android)"
        phone.sign_in_at_home("claire")
        page = claire[0].open("/account/sessions").text
        assert "Firefox, Android" in page
        assert "Connexion avec le mot de passe" in page
        assert "127.0.0.1" not in page

    def test_ending_one_asks_for_a_proof_after_ten_minutes(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, _ = claire
        phone = parents.browser()
        phone.sign_in_at_home("claire")
        with later(minutes=11):
            browser.open("/account/sessions")
            browser.press("end-session-2")
            assert browser.shows("confirm-form")
            assert signed_in_as(phone, "claire")


class TestHistory:
    def test_it_tells_sign_ins_refusals_and_changes(self, parents: Journey, claire: tuple) -> None:
        browser, _ = claire
        stranger = parents.browser()
        stranger.open("/")
        stranger.sign_in("claire", "certainly wrong")
        change_password(browser)
        page = browser.open("/account/history").text
        for each in ("Connexion avec le mot de passe", "mot de passe était faux", "a été modifié"):
            assert each in page
        assert "127.0.0.1" not in page

    def test_it_is_mine_alone(self, parents: Journey, claire: tuple) -> None:
        _, paul = claire[1], factories.account("paul", status="invited")
        endings.disable_account(paul.id)
        parents.browser().open("/")
        before = claire[0].open("/account/history").text.count('class="row"')
        stranger = parents.browser()
        stranger.open("/")
        stranger.sign_in("paul", "certainly wrong")
        assert claire[0].open("/account/history").text.count('class="row"') == before

    def test_it_goes_on_to_older_events_and_each_stands_on_one_page(
        self, parents: Journey, claire: tuple
    ) -> None:
        from idp.audit import events

        browser, guardian = claire
        for _ in range(60):
            events.record("profile_changed", account_id=guardian.id)
        seen, path = 0, "/account/history"
        while path:
            page = browser.open(path).text
            seen += page.count("Vous avez choisi une autre langue")
            path = page.partition('id="history-older"')[2].partition('href="')[2].partition('"')[0]
        assert seen == 60

    @on_sqlite
    @pytest.mark.parametrize("before", ["", "x", "-1", "9" * 30, "1 OR 1=1", "٣", "%00"])
    def test_a7_whatever_is_no_number_shows_a_page(
        self, parents: Journey, claire: tuple, before: str
    ) -> None:
        assert claire[0].open(f"/account/history?before={before}").status_code == 200


class TestData:
    def test_the_download_is_a_file_about_me_that_no_cache_keeps(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, guardian = claire
        browser.open("/account/data")
        file = browser.press("data-download")
        assert file.headers["Content-Disposition"].startswith("attachment;")
        assert file.headers["Cache-Control"] == "no-store"
        document = json.loads(file.data)
        assert document["account"]["username"] == "claire"
        assert [child["given_name"] for child in document["children"]] == ["Lina"]
        assert document["sessions"][0]["id"]
        assert "data_downloaded" in [event["event"] for event in document["history"]]
        assert guardian.id == document["account"]["id"]

    def test_the_download_asks_for_a_proof_after_ten_minutes(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, _ = claire
        with later(minutes=11):
            browser.open("/account/data")
            browser.press("data-download")
            assert browser.shows("confirm-form")
            browser.submit("confirm-form", current_password=PASSWORD)
            assert browser.shows("data-download")

    def test_asking_to_be_erased_writes_to_the_school_once_and_deletes_nothing(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, guardian = claire
        browser.open("/account/data")
        browser.press("erasure-ask")
        assert browser.shows("erasure-open")
        letter = parents.letter()
        assert letter.recipients == ["bureau@tilleuls.example"]
        assert "Claire Dubois" in letter.text
        assert "claire@dubois.example" not in letter.text
        assert not erasure.request_erasure(guardian.id)
        assert parents.post() == []
        assert signed_in_as(browser, "claire")

    def test_a_request_is_taken_back_or_answered(self, parents: Journey, claire: tuple) -> None:
        browser, guardian = claire
        browser.open("/account/data")
        browser.press("erasure-ask")
        browser.press("erasure-take-back")
        assert browser.shows("erasure-closed")
        browser.press("erasure-ask")
        erasure.close(guardian.id, "declined")
        assert "refusé" in browser.open("/account/data").text

    def test_who_has_no_child_at_a_school_asks_the_operators(
        self, parents: Journey, claire: tuple
    ) -> None:
        browser, guardian = claire
        operator = factories.account("ingrid", email="ingrid@platform.example")
        staff.grant(operator.id, "operator")
        links = select(Guardianship.child_id).where(Guardianship.account_id == guardian.id)
        for child_id in db.session.scalars(links).all():
            endings.end_guardianship(guardian.id, child_id, "")
        parents.post()
        browser.open("/account/data")
        browser.press("erasure-ask")
        assert "plateforme" in browser.page.text
        assert "école a un mois" not in browser.page.text
        letter = parents.letter()
        assert letter.recipients == ["ingrid@platform.example"]
        assert "Claire Dubois" in letter.text
        erasure.close(guardian.id, "declined")
        assert "responsables de la plateforme" in parents.letter().text
        assert "plateforme ont refusé" in browser.open("/account/data").text


def change_password(browser: Browser) -> None:
    browser.open("/account/password")
    browser.submit(
        "password-form", current_password=PASSWORD, new_password=NEW, repeat_password=NEW
    )
