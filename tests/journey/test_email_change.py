"""Another e-mail address: asked for, confirmed, undone, over real mail."""

import re
from typing import Any

import pytest

from idp.database import db
from idp.lifecycle import email_change
from idp.lifecycle.mails import requests as mail_requests
from idp.people import accounts
from idp.people.models import Account
from tests import factories
from tests.factories import PASSWORD
from tests.journey.walk import (
    NEW,
    Journey,
    choose_password,
    follow_the_letter,
    page_of,
    path_of,
    send_twice,
    signed_in_as,
    typed,
)
from tests.relying_party import Browser, answer, forms_of
from tests.smtp import Letter
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

OLD, OTHER = "claire@dubois.example", "claire@new.example"
_LINK = re.compile(r"http://127\.0\.0\.1:8000(/account/email/(?:confirm|undo)#\S+)")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at_home(parents: Journey, **account: Any) -> tuple[Browser, Account]:
    values = {"username": "claire", "email": OLD, "proved": True, **account}
    guardian, _ = factories.family(parents.school, "Lina", **values)
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    return browser, guardian


def ask(browser: Browser, address: str = OTHER) -> None:
    browser.open("/account/email")
    browser.submit("email-form", new_email=address)


def by_recipient(letters: list[Letter]) -> dict[str, Letter]:
    found = {letter.recipients[0]: letter for letter in letters}
    assert len(found) == len(letters), [letter.subject for letter in letters]
    return found


def link_of(letter: Letter) -> str:
    found = _LINK.search(letter.text)
    assert found is not None, letter.text
    assert found[1] in letter.html
    return found[1]


def asked(parents: Journey, browser: Browser) -> tuple[str, str]:
    """The links of the letters to the new and to the old address."""
    ask(browser)
    letters = by_recipient(parents.post())
    return link_of(letters[OTHER]), link_of(letters[OLD])


def form_as_sent_from(browser: Browser, page: str, action: str) -> tuple[str, dict[str, str]]:
    """A form of a page that stays open: where it goes, and all that it sends."""
    text = browser.open(page).text
    form = next(each for each in forms_of(text) if each.action == action)
    return action, form.hidden


def changed(parents: Journey, browser: Browser) -> str:
    """A change that was asked for and confirmed; the link of the letter that undoes it."""
    confirm, _ = asked(parents, browser)
    browser.follow(confirm)
    browser.submit("confirm-email-form")
    return link_of(by_recipient(parents.post())[OLD])


def reset(parents: Journey, browser: Browser, address: str) -> None:
    """Choose a new password by a token that is mailed to this address."""
    browser.open(parents.portal.authorize_path(state="from-the-portal"))
    browser.open("/".join([*path_of(browser).split("/")[:3], "forgotten"]))
    browser.submit("forgotten-form", email=address)
    browser.open("/welcome?token=" + parents.letter().tokens[0])
    browser.submit("token-form", token=typed(browser, "token"))
    choose_password(browser)
    parents.post()


def address_of(account: Account) -> str | None:
    db.session.rollback()
    fresh = accounts.find_account(account.id)
    assert fresh is not None
    db.session.refresh(fresh)
    return fresh.email


def test_a_confirmed_change_takes_effect_and_both_addresses_hear_of_it(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _undo = asked(parents, browser)
    assert OTHER in page_of(browser).replace("<wbr>", "")
    assert address_of(guardian) == OLD

    browser.follow(confirm)
    assert "token=" not in path_of(browser)
    assert address_of(guardian) == OLD
    browser.submit("confirm-email-form")

    assert browser.shows("email-confirmed")
    assert address_of(guardian) == OTHER
    told = by_recipient(parents.post())
    assert set(told) == {OLD, OTHER}
    assert OTHER not in told[OLD].text + told[OLD].html
    assert OLD not in told[OTHER].text + told[OTHER].html
    assert signed_in_as(browser, "claire")


def test_no_letter_to_the_old_address_names_the_new_one(parents: Journey) -> None:
    browser, _ = at_home(parents)
    ask(browser)
    letters = by_recipient(parents.post())
    assert "new.example" not in letters[OLD].raw.decode()
    assert "dubois.example" not in letters[OTHER].raw.decode()


def test_the_link_is_followed_on_another_device_that_is_not_signed_in(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _ = asked(parents, browser)
    phone = parents.browser()
    phone.follow(confirm)
    phone.submit("confirm-email-form")
    assert address_of(guardian) == OTHER
    assert not signed_in_as(phone, "claire")


def test_a_forgotten_password_goes_to_the_new_address_only(parents: Journey) -> None:
    browser, _ = at_home(parents)
    changed(parents, browser)
    for address in (OLD, OTHER):
        stranger = parents.at_portal()
        stranger.open("/".join([*path_of(stranger).split("/")[:3], "forgotten"]))
        stranger.submit("forgotten-form", email=address)
    assert parents.letter().recipients == [OTHER]


def test_undoing_gives_the_address_back_and_puts_everybody_out(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    undo = changed(parents, browser)
    browser.sign_out()
    reset(parents, browser, OTHER)
    assert signed_in_as(browser, "claire")
    owner = parents.browser()
    owner.follow(undo)
    assert address_of(guardian) == OTHER
    owner.submit("undo-email-form")

    assert owner.shows("email-undone")
    assert address_of(guardian) == OLD
    assert not signed_in_as(browser, "claire")
    assert browser.sign_in("claire", NEW).status_code == 400
    letters = by_recipient(parents.post())
    assert set(letters) == {OLD, OTHER}
    assert letters[OTHER].tokens == []
    follow_the_letter(owner, letters[OLD])
    assert signed_in_as(owner, "claire")


@pytest.mark.parametrize("confirmed", [False, True])
def test_the_first_letter_to_the_old_address_stops_a_change_before_and_after(
    parents: Journey, confirmed: bool
) -> None:
    browser, guardian = at_home(parents)
    confirm, undo = asked(parents, browser)
    if confirmed:
        browser.follow(confirm)
        browser.submit("confirm-email-form")
    owner = parents.browser()
    owner.follow(undo)
    owner.submit("undo-email-form")
    assert owner.shows("email-undone")
    assert address_of(guardian) == OLD
    browser.follow(confirm)
    assert browser.shows("email-gone")


def test_the_pages_after_the_buttons_keep_the_schools_face(parents: Journey) -> None:
    browser, _ = at_home(parents)
    confirm, undo = asked(parents, browser)
    stranger = parents.browser()
    for link, form in ((confirm, "confirm-email-form"), (undo, "undo-email-form")):
        stranger.follow(link)

        page = stranger.submit(form)

        assert page.status_code == 200
        assert parents.school.name in page.text


def test_the_change_can_be_undone_for_seven_days_and_no_longer(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    undo = changed(parents, browser)
    owner = parents.browser()
    with later(days=7, minutes=1):
        assert owner.follow(undo).status_code == 404
        assert owner.shows("email-gone")
    with later(days=6, hours=23):
        owner.follow(undo)
        owner.submit("undo-email-form")
    assert address_of(guardian) == OLD


def test_a_link_that_was_not_followed_for_a_day_is_worth_nothing(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _ = asked(parents, browser)
    with later(hours=24, minutes=1):
        browser.follow(confirm)
        assert browser.shows("email-gone")
    assert address_of(guardian) == OLD


def test_a_double_click_on_confirm_says_that_it_was_done(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _ = asked(parents, browser)
    browser.follow(confirm)
    send_twice(browser, "confirm-email-form")
    assert browser.shows("email-confirmed") or browser.shows("email-gone")
    assert address_of(guardian) == OTHER
    assert len(parents.post()) == 2


def test_a_newer_wish_replaces_the_one_before(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _ = asked(parents, browser)
    ask(browser, "claire@third.example")
    browser.follow(confirm)
    assert browser.shows("email-gone")
    assert address_of(guardian) == OLD


def test_what_waits_can_be_taken_back(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _ = asked(parents, browser)
    browser.open("/account/email")
    browser.press("email-cancel")
    assert not browser.shows("waiting-email")
    browser.follow(confirm)
    assert browser.shows("email-gone")
    assert address_of(guardian) == OLD


@on_sqlite
@pytest.mark.parametrize(
    ("proved", "way_out"),
    [(True, "l’e-mail envoyé à votre adresse précédente"), (False, "prévenez tout de suite l")],
)
def test_a_change_that_was_confirmed_meanwhile_is_not_said_to_be_cancelled(
    parents: Journey, proved: bool, way_out: str
) -> None:
    browser, guardian = at_home(parents, proved=proved)
    ask(browser)
    confirm = link_of(by_recipient(parents.post())[OTHER])
    browser.open("/account/email")
    stranger = parents.browser()
    stranger.follow(confirm)
    stranger.submit("confirm-email-form")

    page = browser.press("email-cancel").text.replace("&#39;", "’")

    assert address_of(guardian) == OTHER
    assert "reste la même" not in page
    assert "Ce changement a été confirmé entre-temps" in page
    assert way_out in page.replace("'", "’")


@on_sqlite
@pytest.mark.parametrize("another_waits", [False, True])
def test_what_no_longer_waits_is_not_said_to_be_cancelled(
    parents: Journey, another_waits: bool
) -> None:
    browser, _ = at_home(parents)
    confirm, _undo = asked(parents, browser)
    path, data = form_as_sent_from(browser, "/account/email", "/account/email/cancel")
    if another_waits:
        browser.follow(confirm)
        browser.submit("confirm-email-form")
        ask(browser, "claire@third.example")
    else:
        browser.open("/account/email")
        browser.press("email-cancel")

    page = browser._follow(browser.client.post(path, data=data)).text

    assert "reste la même" not in page
    assert ("confirmé entre-temps" if another_waits else "Rien n&#39;a été annulé") in page
    browser.open("/account/email")
    assert not browser.shows("waiting-email")


def test_a_parent_without_an_address_gets_one(parents: Journey) -> None:
    guardian = factories.account("claire")
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    ask(browser)
    browser.follow(link_of(parents.letter()))
    page = browser.submit("confirm-email-form")
    assert address_of(guardian) == OTHER
    letter = parents.letter()
    assert letter.recipients == [OTHER]
    for text in (page.text, letter.text, letter.html):
        assert "sept jours" not in text, "nobody can undo it"


@pytest.mark.parametrize("proved", [False, True])
def test_an_undoing_is_promised_where_the_old_address_can_undo(
    parents: Journey, proved: bool
) -> None:
    browser, _ = at_home(parents, proved=proved)
    ask(browser)
    browser.follow(link_of(by_recipient(parents.post())[OTHER]))

    page = browser.submit("confirm-email-form")

    letter = by_recipient(parents.post())[OTHER]
    for text in (page.text, letter.text, letter.html):
        assert ("sept jours" in text) is proved


@on_sqlite
@pytest.mark.parametrize("address", ["", "claire", "a@b@c", "x" * 300 + "@y.example", f" {OLD} "])
def test_what_is_wrong_stands_at_the_field_and_nothing_is_sent(
    parents: Journey, address: str
) -> None:
    browser, _ = at_home(parents)
    browser.open("/account/email")
    page = browser.submit("email-form", new_email=address)
    assert page.status_code == 400
    assert browser.shows("new-email-problem")
    assert parents.post() == []


def test_an_old_sign_in_must_prove_itself_first(parents: Journey) -> None:
    browser, _ = at_home(parents)
    with later(minutes=11):
        browser.open("/account/email")
        assert browser.shows("confirm-form")
        browser.submit("confirm-form", current_password=PASSWORD)
        assert browser.shows("email-form")


def test_a_change_that_waits_ends_with_a_new_password(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    confirm, _ = asked(parents, browser)
    browser.open("/account/password")
    browser.submit(
        "password-form", current_password=PASSWORD, new_password=NEW, repeat_password=NEW
    )
    browser.follow(confirm)
    assert browser.shows("email-gone")
    assert address_of(guardian) == OLD


def test_a_thief_who_sets_a_password_is_not_safe_from_the_undoing(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    undo = changed(parents, browser)
    thief = parents.at_portal()
    reset(parents, thief, OTHER)
    owner = parents.browser()
    owner.follow(undo)
    owner.submit("undo-email-form")
    assert address_of(guardian) == OLD
    assert not signed_in_as(thief, "claire")
    assert thief.sign_in("claire", NEW).status_code == 400


def test_the_first_of_two_changes_undoes_both(parents: Journey) -> None:
    browser, guardian = at_home(parents)
    undo = changed(parents, browser)
    ask(browser, "mallory@evil.example")
    letters = by_recipient(parents.post())
    browser.follow(link_of(letters["mallory@evil.example"]))
    browser.submit("confirm-email-form")
    later_undo = link_of(by_recipient(parents.post())[OTHER])
    owner = parents.browser()
    owner.follow(undo)
    owner.submit("undo-email-form")
    assert address_of(guardian) == OLD
    owner.follow(later_undo)
    assert owner.shows("email-gone")


def test_two_parents_may_share_the_new_address(parents: Journey) -> None:
    factories.account("paul", email=OTHER)
    browser, guardian = at_home(parents)
    changed(parents, browser)
    assert address_of(guardian) == OTHER
    assert len(accounts.accounts_with_email(OTHER)) == 2


def test_an_address_is_proved_by_a_confirmation_and_not_by_the_school(parents: Journey) -> None:
    browser, guardian = at_home(parents, proved=False)
    assert claims(parents, browser)["email_verified"] is False
    ask(browser)
    browser.follow(link_of(by_recipient(parents.post())[OTHER]))
    browser.submit("confirm-email-form")
    told = claims(parents, browser)
    assert (told["email"], told["email_verified"]) == (OTHER, True)
    email_change.by_staff(guardian.id, "claire@school.example")
    told = claims(parents, browser)
    assert (told["email"], told["email_verified"]) == ("claire@school.example", False)


def test_an_address_is_proved_by_a_token_that_was_mailed_to_it(parents: Journey) -> None:
    guardian = factories.account("claire", email=OLD, status="invited")
    mail_requests.invite(guardian.id)
    browser = parents.browser()
    follow_the_letter(browser, parents.letter())
    assert claims(parents, browser)["email_verified"] is True


def test_an_address_is_not_proved_by_a_printed_token(parents: Journey) -> None:
    guardian = factories.account("claire", email=OLD, status="invited")
    token = mail_requests.issue_letter_token(guardian.id)
    browser = parents.browser()
    browser.open(f"/welcome?token={token}")
    browser.submit("token-form", token=token)
    choose_password(browser)
    assert claims(parents, browser)["email_verified"] is False


def claims(parents: Journey, browser: Browser) -> dict[str, object]:
    """What UserInfo tells of the address."""
    fields = answer(browser.open(parents.portal.authorize_path(scope="openid email")))
    tokens = parents.portal.redeem(browser.client, fields["code"]).json or {}
    found = parents.portal.userinfo(browser.client, tokens["access_token"])
    return dict(found.json or {})
