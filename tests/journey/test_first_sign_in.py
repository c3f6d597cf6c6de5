"""Figures 1 to 3 of the parents' tutorial: from the invitation's mail to the application."""

from datetime import timedelta

import pytest
import time_machine

from idp import clock
from idp.credentials import one_time_tokens
from idp.credentials.models import OneTimeToken
from idp.database import transaction, update_all
from idp.lifecycle import endings
from idp.lifecycle.mails import requests as mail_requests
from idp.people.models import Account
from tests import factories
from tests.conftest import Measured
from tests.factories import PASSWORD
from tests.journey.walk import (
    NEW,
    Journey,
    choose_password,
    follow_the_letter,
    form_as_sent,
    link,
    page_of,
    path_of,
    send_twice,
    signed_in_as,
    typed,
)
from tests.relying_party import Browser, RelyingParty, answer, claims_of
from tests.smtp import Letter

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def invited(parents: Journey, *children: str, **changes: str) -> Account:
    """A guardian whom the school has just invited, for its portal."""
    values = {"username": "claire", "email": "claire@dubois.example", "status": "invited"}
    guardian, _ = factories.family(
        parents.school, *(children or ("Lina",)), **{**values, **changes}
    )
    mail_requests.invite(guardian.id, parents.portal.client_id)
    return guardian


def test_from_the_mail_to_the_application_which_learns_of_the_child(parents: Journey) -> None:
    invited(parents, "Lina")
    browser = parents.at_portal(scope="openid child", nonce="n-1")
    fields = answer(follow_the_letter(browser, parents.letter()))
    assert fields["state"] == "from-the-portal"
    tokens = parents.portal.redeem(browser.client, fields["code"]).json or {}
    claims = claims_of(browser.client, tokens["id_token"])
    assert claims["nonce"] == "n-1"
    assert claims["child"]["given_name"] == "Lina"
    assert signed_in_as(browser, "claire")


def test_the_letter_says_all_that_a_parent_needs(parents: Journey) -> None:
    invited(parents)
    letter = parents.letter()
    assert letter.recipients == ["claire@dubois.example"]
    for each in ("claire", "Collège des Tilleuls", "bureau@tilleuls.example", letter.tokens[0]):
        assert each in letter.text
        assert each in letter.html
    assert link(letter).replace("?token=", "#") in letter.html


def test_the_token_may_be_typed_by_hand_however_it_is_spelt(parents: Journey) -> None:
    invited(parents)
    (token,) = parents.letter().tokens
    browser = parents.at_portal()
    browser.open(path_of(browser).replace("/login", "/token"))
    browser.submit("token-form", token=f"  {token.lower().replace('-', ' ')} ")
    assert 'value="claire"' in page_of(browser)
    assert "code" in answer(choose_password(browser))


def test_in_another_browser_the_applications_start_page_is_offered(parents: Journey) -> None:
    invited(parents)
    computer = parents.at_portal()
    phone = parents.browser()
    page = follow_the_letter(phone, parents.letter())
    assert phone.shows("start-application")
    assert "https://portal.example/start" in page.text
    assert "from-the-portal" not in page.text
    computer.open(path_of(computer))
    assert answer(computer.sign_in("claire", NEW))["state"] == "from-the-portal"


def token_proved(parents: Journey, letter: Letter) -> Browser:
    """A browser that never was here, with the letter's token proved and the password page open."""
    browser = parents.browser()
    browser.open(link(letter))
    browser.submit("token-form", token=typed(browser, "token"))
    assert browser.shows("password-form")
    return browser


@on_sqlite
@pytest.mark.parametrize("meanwhile", ["spent", "replaced", "expired", "disabled"])
def test_a_password_that_is_not_saved_since_the_token_has_ended_is_said_not_to_be(
    parents: Journey, meanwhile: str
) -> None:
    guardian = invited(parents)
    letter = parents.letter()
    browser = token_proved(parents, letter)
    later_on = clock.now()
    if meanwhile == "spent":
        choose_password(token_proved(parents, letter))
    elif meanwhile == "replaced":
        one_time_tokens.mint(guardian.id, "first_sign_in")
    elif meanwhile == "disabled":
        endings.disable_account(guardian.id)
    else:
        tokens_end_soon(guardian.id)
        later_on += timedelta(minutes=2)

    with time_machine.travel(later_on):
        page = choose_password(browser, "Chaloupe-Muraille-Vent-7").text.replace("\xa0", " ")

    assert "que vous venez de taper n&#39;a pas été enregistré" in page
    newest = "Utilisez celui de l&#39;e-mail ou de la lettre les plus récents"
    reason = {"spent": "Ce jeton a déjà servi : connectez-vous", "expired": "a expiré entre-temps"}
    assert reason.get(meanwhile, newest) in page
    assert browser.shows("login-form" if meanwhile == "spent" else "token-form")


@on_sqlite
def test_whoever_typed_no_password_hears_only_what_became_of_the_token(parents: Journey) -> None:
    invited(parents)
    letter = parents.letter()
    browser = token_proved(parents, letter)
    choose_password(token_proved(parents, letter))

    page = browser.open(path_of(browser)).text

    assert "Ce jeton a déjà servi" in page
    assert "venez de taper" not in page


@on_sqlite
def test_a_second_password_in_the_browser_that_is_signed_in_is_said_not_to_be_saved(
    parents: Journey,
) -> None:
    invited(parents)
    browser = token_proved(parents, parents.letter())
    action, other_tab = form_as_sent(
        browser, "password-form", new_password=NEW * 2, repeat_password=NEW * 2
    )
    browser.open(path_of(browser))
    choose_password(browser)

    page = browser._follow(browser.client.post(action, data=other_tab)).text

    assert "que vous venez de taper n&#39;a pas été enregistré" in page
    assert signed_in_as(browser, "claire")


def tokens_end_soon(account_id: str) -> None:
    soon = clock.now() + timedelta(minutes=1)
    with transaction():
        update_all(OneTimeToken, OneTimeToken.account_id == account_id, expires_at=soon)


def test_an_expired_token_becomes_a_fresh_one_at_one_click(parents: Journey) -> None:
    invited(parents)
    letter = parents.letter()
    with time_machine.travel(clock.now() + timedelta(days=14, seconds=1)):
        browser = parents.at_portal()
        browser.open(link(letter))
        browser.submit("token-form", token=typed(browser, "token"))
        browser.press("token-renew")
        assert browser.shows("token-renewed")
        fresh = parents.letter()
        assert fresh.recipients == letter.recipients
        assert fresh.tokens != letter.tokens
        assert answer(follow_the_letter(browser, fresh))["state"] == "from-the-portal"


def test_tokens_are_counted_by_what_comes_of_them(parents: Journey, measured: Measured) -> None:
    invited(parents)
    letter = parents.letter()
    browser = parents.browser()

    def tried(token: str) -> None:
        browser.open("/welcome")
        browser.submit("token-form", token=token)

    tried("0" * 28)
    with time_machine.travel(clock.now() + timedelta(days=15)):
        parents.browser().open("/")
        tried(*letter.tokens)
    tried(*letter.tokens)
    choose_password(browser)
    browser = parents.browser()
    tried(*letter.tokens)

    counted = {
        outcome: measured("idp_sign_ins_total", way="token", outcome=outcome)
        for outcome in ("wrong", "expired", "ok", "spent")
    }
    assert counted == dict.fromkeys(counted, 1)


def test_reloading_the_page_after_the_click_mails_nothing_more(parents: Journey) -> None:
    invited(parents)
    letter = parents.letter()
    with time_machine.travel(clock.now() + timedelta(days=15)):
        browser = parents.browser()
        browser.open(link(letter))
        browser.submit("token-form", token=typed(browser, "token"))
        browser.press("token-renew")
        for _ in range(3):
            browser.open(path_of(browser))
        assert len(parents.post()) == 1


@on_sqlite
@pytest.mark.parametrize("wrong", ["", "abc", "0" * 28, "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV"])
def test_a_token_that_does_not_work_stays_typed_and_says_what_to_do(
    parents: Journey, wrong: str
) -> None:
    browser = parents.at_portal()
    browser.open(path_of(browser).replace("/login", "/token"))
    page = browser.submit("token-form", token=wrong)
    assert page.status_code == 400
    assert browser.shows("token-problem")
    assert typed(browser, "token") == wrong
    assert "/forgotten" in page.text


@on_sqlite
@pytest.mark.parametrize(
    "weak", ["short", "motdepasse123", "claire-dubois-lina", "aaaaaaaaaaaaaaa"]
)
def test_a_weak_password_is_refused_at_its_field_and_the_next_one_is_taken(
    parents: Journey, weak: str
) -> None:
    invited(parents)
    browser = parents.at_portal()
    browser.open(link(parents.letter()))
    browser.submit("token-form", token=typed(browser, "token"))
    page = choose_password(browser, weak)
    assert page.status_code == 400
    assert browser.shows("new-password-problem")
    assert weak not in page.text
    assert "code" in answer(choose_password(browser))


def test_double_clicks_at_every_step_do_no_harm(parents: Journey) -> None:
    invited(parents, "Lina", "Noé")
    browser = parents.at_portal(scope="openid child")
    browser.open(link(parents.letter()))
    send_twice(browser, "token-form", token=typed(browser, "token"))
    send_twice(browser, "password-form", new_password=NEW, repeat_password=NEW)
    assert browser.shows("child-list")
    action, fields = form_as_sent(browser, "child-form")
    key = page_of(browser).partition('name="child"')[2].split('"')[1]
    first = [browser.client.post(action, data={**fields, "child": key}) for _ in range(2)]
    assert [each.status_code for each in first] == [303, 303]
    assert "code" in answer(browser.open(first[0].headers["Location"]))
    assert browser.open(first[1].headers["Location"]).status_code == 200  # answered already


def test_the_back_button_leads_on_from_every_page_that_is_done_with(parents: Journey) -> None:
    invited(parents)
    browser = parents.at_portal()
    sign_in, letter = path_of(browser), parents.letter()
    done = answer(follow_the_letter(browser, letter))
    assert "code" in done
    for step in ("login", "token", "password", "forgotten"):
        page = browser.open(sign_in.replace("login", step))
        assert page.status_code == 200, step
        assert "code=" not in page.text
        assert not browser.shows("password-form"), step
    browser.open(link(letter))
    page = browser.submit("token-form", token=typed(browser, "token"))
    assert page.status_code == 200  # a token that has done its work leads its holder on
    assert not browser.shows("token-problem")
    assert not browser.shows("password-form")


def test_two_tabs_two_applications_two_children(parents: Journey) -> None:
    factories.family(parents.school, "Lina", "Noé", username="claire")
    canteen = RelyingParty.of(parents.school, client_name="Cantine")
    browser = parents.browser()
    tab1 = browser.open(parents.portal.authorize_path(scope="openid child"))
    tab2 = browser.open(canteen.authorize_path(scope="openid child"))
    tab2 = browser.sign_in("claire")
    tab1 = browser.open(tab1.request.path)  # reloaded, as its sign-in page asks no more
    assert browser.shows("child-list")
    browser.page = tab2
    canteens = answer(browser.press("child-submit-2"))
    browser.page = tab1
    portals = answer(browser.press("child-submit-1"))
    for party, fields, name in ((parents.portal, portals, "Lina"), (canteen, canteens, "Noé")):
        tokens = party.redeem(browser.client, fields["code"]).json or {}
        claims = claims_of(browser.client, tokens["id_token"])
        assert claims["child"]["given_name"] == name


def test_the_visitors_language_is_kept_and_the_mail_speaks_the_readers(parents: Journey) -> None:
    invited(parents, locale="de")
    browser = parents.at_portal(ui_locales="en")
    assert 'lang="en"' in page_of(browser)
    browser.press("language-nl")
    letter = parents.letter()
    assert "Ihr Benutzername" in letter.text
    browser.open(link(letter))
    assert '<html lang="nl"' in page_of(browser)
    browser.submit("token-form", token=typed(browser, "token"))
    assert '<html lang="nl"' in page_of(browser)
    choose_password(browser)
    assert '<html lang="nl"' in browser.open("/").text


def test_the_tutorials_labels_stand_on_the_pages(parents: Journey) -> None:
    invited(parents)
    browser = parents.at_portal()
    words = page_of(browser)
    for label in ("Première connexion", "Connexions suivantes", "JETON DE CONNEXION", "CONNEXION"):
        assert label in words
    assert "pour définir votre mot de passe personnel" in words
    browser.open(link(parents.letter()))
    browser.submit("token-form", token=typed(browser, "token"))
    assert "MODIFIER" in page_of(browser)


def test_blocked_cookies_are_said(parents: Journey) -> None:
    browser = parents.browser(use_cookies=False)
    for start in (parents.portal.authorize_path(), "/", "/welcome?token=x"):
        page = browser.open(start)
        assert 'id="oauth-error">cookies_blocked' in page.text, start


def test_an_expired_form_keeps_the_name_that_was_typed(parents: Journey) -> None:
    factories.account("claire")
    browser = parents.at_portal()
    action, fields = form_as_sent(browser, "login-form", username="claire", password=PASSWORD)
    stale = {**fields, "csrf_token": "expired"}
    browser.page = browser.client.post(action, data=stale)
    assert browser.page.status_code == 400
    assert typed(browser, "username") == "claire"
    assert PASSWORD not in page_of(browser)
    assert "code" in answer(browser.sign_in("claire"))


def test_a_request_that_waited_too_long_says_so(parents: Journey) -> None:
    invited(parents)
    browser = parents.at_portal()
    path = path_of(browser)
    with time_machine.travel(clock.now() + timedelta(hours=1, minutes=1)):
        page = browser.open(path)
        assert page.status_code == 404
        assert 'id="oauth-error">expired_interaction' in page.text


def test_a_printed_letters_token_signs_in_too(parents: Journey) -> None:
    guardian, _ = factories.family(parents.school, "Lina", username="paul", status="invited")
    token = mail_requests.issue_letter_token(guardian.id)
    browser = parents.browser()
    browser.open("/")
    browser.open(path_of(browser).replace("/login", "/token"))
    browser.submit("token-form", token=token)
    choose_password(browser)
    assert signed_in_as(browser, "paul")


def test_cancelling_tells_the_application_and_keeps_the_token(parents: Journey) -> None:
    invited(parents)
    letter = parents.letter()
    browser = parents.at_portal()
    browser.open(link(letter))
    assert answer(browser.press("login-cancel"))["error"] == "access_denied"
    again = parents.browser()
    follow_the_letter(again, letter)
    assert signed_in_as(again, "claire")
