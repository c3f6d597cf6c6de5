"""The page of a signed-in parent: who I am, my children, my password, my sessions."""

import pytest
from werkzeug.test import TestResponse

from idp.lifecycle import endings
from idp.people.models import Account, Child
from tests import factories
from tests.factories import PASSWORD
from tests.journey.walk import NEW, Journey, page_of, path_of, send_twice, signed_in_as
from tests.relying_party import Browser, RelyingParty, answer

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at_home(parents: Journey, *children: str) -> tuple[Browser, Account, list[Child]]:
    """A parent who has just signed in without an application."""
    guardian, made = factories.family(
        parents.school, *children, username="claire", email="claire@dubois.example"
    )
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    return browser, guardian, made


def test_it_says_who_i_am_and_names_my_children_and_nobody_elses(parents: Journey) -> None:
    factories.family(parents.school, "Zoé", username="paul")
    browser, _, _ = at_home(parents, "Lina", "Noé")
    page = page_of(browser)
    for each in ("claire", "Claire", "Lina", "Noé", "Collège des Tilleuls"):
        assert each in page
    assert "Zoé" not in page


def test_an_ended_guardianship_is_gone_at_the_next_look(parents: Journey) -> None:
    browser, guardian, (lina, _noe) = at_home(parents, "Lina", "Noé")
    endings.end_guardianship(guardian.id, lina.id, "moved")
    page = browser.open("/").text
    assert "Noé" in page
    assert "Lina" not in page


def test_a_disabled_parent_is_out_at_the_next_click(parents: Journey) -> None:
    browser, guardian, _ = at_home(parents, "Lina")
    endings.disable_account(guardian.id)
    browser.open("/")
    assert browser.shows("login-form")
    assert browser.sign_in("claire").status_code == 400


@on_sqlite
@pytest.mark.parametrize("path", ["/", "/account/password"])
def test_whoever_is_not_signed_in_is_led_to_sign_in(parents: Journey, path: str) -> None:
    browser = parents.browser()
    browser.open(path)
    assert browser.shows("login-form")


def test_changing_the_password_ends_other_sessions_and_is_told_by_mail(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    other = parents.browser()
    other.sign_in_at_home("claire")
    parents.post()
    change(browser, PASSWORD, NEW)
    assert signed_in_as(browser, "claire")
    assert not signed_in_as(other, "claire")
    assert parents.letter().recipients == ["claire@dubois.example"]


@on_sqlite
@pytest.mark.parametrize(
    ("current", "new", "again", "field"),
    [
        ("", NEW, NEW, "current-password"),
        ("wrong-one-entirely", NEW, NEW, "current-password"),
        (PASSWORD, "", "", "new-password"),
        (PASSWORD, "short", "short", "new-password"),
        (PASSWORD, "claire-dubois-lina", "claire-dubois-lina", "new-password"),
        (PASSWORD, NEW, NEW + "x", "repeat-password"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_no_password_is_shown_again(
    parents: Journey, current: str, new: str, again: str, field: str
) -> None:
    browser, _, _ = at_home(parents, "Lina")
    page = change(browser, current, new, again)
    assert page.status_code == 400
    assert browser.shows(f"{field}-problem")
    for typed in filter(None, (current, new, again)):
        assert typed not in page.text
    assert parents.post() == []
    assert "code" in answer(parents.at_portal().sign_in("claire", PASSWORD))


def test_a_double_click_on_change_ends_at_home_or_asks_again(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    browser.open("/account/password")
    fields = {"current_password": PASSWORD, "new_password": NEW, "repeat_password": NEW}
    send_twice(browser, "password-form", **fields)
    assert signed_in_as(browser, "claire")
    assert "code" in answer(parents.at_portal().sign_in("claire", NEW))


def test_one_session_is_ended_and_the_others_stay(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    phone, library = parents.browser(), parents.browser()
    for each in (phone, library):
        each.sign_in_at_home("claire")
    browser.open("/account/sessions")
    browser.press("end-session-2")
    still_in = [signed_in_as(each, "claire") for each in (browser, phone, library)]
    assert still_in[0]
    assert still_in.count(True) == 2


def test_all_other_sessions_are_ended(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    phone = parents.browser()
    phone.sign_in_at_home("claire")
    browser.open("/account/sessions")
    browser.press("end-others")
    assert signed_in_as(browser, "claire")
    assert not signed_in_as(phone, "claire")


def test_after_signing_out_back_shows_nothing(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    browser.press("sign-out")
    assert "Lina" not in page_of(browser)
    for path in ("/", "/account/password"):
        page = browser.open(path)
        assert "Lina" not in page.text
        assert browser.shows("login-form")


def test_signing_out_ends_what_applications_got_through_the_session(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    fields = answer(browser.open(parents.portal.authorize_path(scope="openid child")))
    tokens = parents.portal.redeem(browser.client, fields["code"]).json or {}
    browser.open("/")
    browser.press("sign-out")
    refused = parents.portal.userinfo(browser.client, tokens["access_token"])
    assert refused.status_code == 401


def test_changing_the_child_makes_the_next_application_ask_again(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina", "Noé")
    ask = parents.portal.authorize_path(scope="openid child")
    browser.open(ask)
    browser.press("child-submit-1")
    assert "code" in answer(browser.open(ask))
    browser.open("/")
    browser.press("change-child")
    browser.open(ask)
    assert browser.shows("child-list")


def test_what_was_allowed_is_taken_back(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    canteen = RelyingParty.of(parents.school, first_party=False, client_name="Cantine")
    browser.open(canteen.authorize_path())
    tokens = canteen.redeem(browser.client, answer(browser.press("consent-allow"))["code"]).json
    assert "Cantine" in browser.open("/account/applications").text
    browser.press("withdraw-1")
    assert tokens is not None
    assert canteen.userinfo(browser.client, tokens["access_token"]).status_code == 401
    browser.open(canteen.authorize_path())
    assert browser.shows("consent-form")


def test_the_language_is_kept_over_sign_out_and_sign_in(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    browser.press("language-nl")
    browser.press("sign-out")
    assert '<html lang="nl"' in page_of(browser)
    browser.open("/")
    browser.sign_in("claire")
    assert '<html lang="nl"' in page_of(browser)


def test_an_old_tab_whose_form_expired_changes_nothing_and_shows_the_way(parents: Journey) -> None:
    browser, _, _ = at_home(parents, "Lina")
    answered = browser.client.post("/account/sessions/end-others", data={"csrf_token": "old"})
    assert answered.status_code == 400
    assert 'id="oauth-error">expired_form' in answered.text
    assert path_of(browser) == "/"


def change(browser: Browser, current: str, new: str, again: str | None = None) -> TestResponse:
    browser.open("/account/password")
    fields = {"current_password": current, "new_password": new}
    return browser.submit(
        "password-form", **fields, repeat_password=new if again is None else again
    )
