"""Figure 5: « Mot de passe oublié », from the form to the application, over the real post."""

import pytest

from idp.lifecycle import endings
from tests import factories
from tests.factories import PASSWORD
from tests.journey.walk import (
    NEW,
    Journey,
    choose_password,
    follow_the_letter,
    link,
    page_of,
    path_of,
    send_twice,
    signed_in_as,
    typed,
)
from tests.relying_party import Browser, answer

pytestmark = pytest.mark.quick_on("postgresql")

ADDRESS = "claire@dubois.example"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def parent(parents: Journey, **changes: str) -> None:
    values = {"username": "claire", "email": ADDRESS, **changes}
    factories.family(parents.school, "Lina", **values)


def forget(browser: Browser, address: str = ADDRESS) -> None:
    """From the sign-in page that is open to « look in your mailbox »."""
    browser.open(path_of(browser).replace("/login", "/forgotten"))
    browser.submit("forgotten-form", email=address)
    assert browser.shows("forgotten-done")


def test_from_the_form_to_the_application_with_a_new_password(parents: Journey) -> None:
    parent(parents)
    browser = parents.at_portal()
    forget(browser)
    letter = parents.letter()
    assert letter.recipients == [ADDRESS]
    assert answer(follow_the_letter(browser, letter))["state"] == "from-the-portal"
    later = parents.at_portal()
    assert later.sign_in("claire", PASSWORD).status_code == 400
    assert "code" in answer(later.sign_in("claire", NEW))


def test_a_mail_tells_of_the_change_and_other_sessions_have_ended(parents: Journey) -> None:
    parent(parents, locale="nl")
    elsewhere = parents.browser()
    elsewhere.sign_in_at_home("claire")
    browser = parents.at_portal()
    forget(browser)
    follow_the_letter(browser, parents.letter())
    told = parents.letter()
    assert told.recipients == [ADDRESS]
    assert "wachtwoord" in told.text
    assert told.tokens == []
    assert not signed_in_as(elsewhere, "claire")


def test_a_shared_address_gets_one_mail_with_each_user_name_and_its_own_token(
    parents: Journey,
) -> None:
    for name, child in (("claire", "Lina"), ("paul", "Noé")):
        factories.family(parents.school, child, username=name, email="famille@dubois.example")
    forget(parents.at_portal(), "Famille@Dubois.Example")
    letter = parents.letter()
    assert len(letter.tokens) == 2
    for name, token in zip(("claire", "paul"), letter.tokens, strict=True):
        browser = parents.browser()
        browser.open(f"/welcome?token={token}")
        browser.submit("token-form", token=typed(browser, "token"))
        assert typed_name(browser) == name
        choose_password(browser)
        assert signed_in_as(browser, name)


@pytest.mark.parametrize("address", ["nobody@dubois.example", "gone@dubois.example", "a@b"])
def test_nobody_is_written_to_and_the_page_is_the_same(parents: Journey, address: str) -> None:
    gone = factories.account("gone", email="gone@dubois.example")
    endings.disable_account(gone.id)
    forget(parents.at_portal(), address)
    assert parents.post() == []


def test_somebody_who_never_signed_in_gets_a_first_token(parents: Journey) -> None:
    parent(parents, status="invited")
    browser = parents.at_portal()
    forget(browser)
    assert "code" in answer(follow_the_letter(browser, parents.letter()))


def test_only_the_newest_mail_works(parents: Journey) -> None:
    parent(parents)
    browser = parents.at_portal()
    for _time in range(2):
        browser.open(path_of(browser).replace("/login", "/forgotten").partition("/sent")[0])
        browser.submit("forgotten-form", email=ADDRESS)
        assert browser.shows("forgotten-done")
    first, second = parents.post()
    browser.open(link(first))
    page = browser.submit("token-form", token=typed(browser, "token"))
    assert page.status_code == 400
    assert "code" in answer(follow_the_letter(browser, second))


def test_n5_a_double_click_asks_for_one_mail(parents: Journey) -> None:
    parent(parents)
    browser = parents.at_portal()
    browser.open(path_of(browser).replace("/login", "/forgotten"))
    send_twice(browser, "forgotten-form", email=ADDRESS)
    assert browser.shows("forgotten-done")
    assert len(parents.post()) == 1


def test_reloading_the_answer_mails_nothing_more(parents: Journey) -> None:
    parent(parents)
    browser = parents.at_portal()
    forget(browser)
    for _ in range(3):
        browser.open(path_of(browser))
    assert len(parents.post()) == 1


@on_sqlite
@pytest.mark.parametrize("typo", ["", "claire", " ", "x" * 300 + "@x.example", "a\nb@x.example"])
def test_what_cannot_be_an_address_is_said_at_the_field(parents: Journey, typo: str) -> None:
    browser = parents.at_portal()
    browser.open(path_of(browser).replace("/login", "/forgotten"))
    page = browser.submit("forgotten-form", email=typo)
    assert page.status_code == 400
    assert browser.shows("email-problem")
    assert parents.post() == []


def test_on_the_phone_the_password_is_set_and_the_computer_goes_on(parents: Journey) -> None:
    parent(parents)
    computer, phone = parents.at_portal(), parents.browser()
    sign_in = path_of(computer)
    forget(computer)
    page = follow_the_letter(phone, parents.letter())
    assert signed_in_as(phone, "claire")
    assert "from-the-portal" not in page.text
    computer.open(sign_in)
    assert answer(computer.sign_in("claire", NEW))["state"] == "from-the-portal"


def test_the_old_password_works_until_a_new_one_is_set(parents: Journey) -> None:
    """A stranger who types somebody's address takes nothing from them."""
    parent(parents)
    stranger = parents.at_portal()
    forget(stranger)
    parents.letter()
    owner = parents.at_portal()
    assert "code" in answer(owner.sign_in("claire", PASSWORD))


def typed_name(browser: Browser) -> str:
    """The user name that the new password is for."""
    return page_of(browser).partition('id="username"')[2].partition('value="')[2].partition('"')[0]
