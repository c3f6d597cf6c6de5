"""The way back of an address that was proved, and of no other (security rule N1)."""

import re
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import update

from idp.cli.program import cli
from idp.credentials import one_time_tokens, passwords
from idp.credentials.models import OneTimeToken
from idp.database import transaction
from idp.lifecycle import email_change, endings
from idp.people import accounts, linking
from idp.people.models import Account, Child
from tests import factories
from tests.admin.places import Desk
from tests.factories import PASSWORD
from tests.journey.test_email_change import (
    OLD,
    OTHER,
    address_of,
    ask,
    by_recipient,
    changed,
    link_of,
    reset,
)
from tests.journey.walk import NEW, Journey, follow_the_letter, signed_in_as
from tests.relying_party import Browser
from tests.smtp import Letter
from tests.times import later

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVIL, WORSE = "first@evil.example", "second@evil.example"
UNDO = "/account/email/undo#"


@pytest.fixture
def desk(app: Flask, parents: Journey) -> Desk:
    return Desk(app, parents.school, factories.school("Athénée du Parc"))


def claire_of(parents: Journey, **values: Any) -> tuple[Account, Child]:
    having = {"username": "claire", "email": OLD, "proved": True, **values}
    claire, (lina,) = factories.family(parents.school, "Lina", **having)
    return claire, lina


def correct(manager: Browser, account: Account, email: str) -> None:
    manager.open(f"/admin/people/{account.id}/edit")
    manager.submit("email-form", email=email)
    assert address_of(account) == email


def undo(parents: Journey, letter: Letter) -> Browser:
    owner = parents.browser()
    owner.follow(link_of(letter))
    owner.submit("undo-email-form")
    return owner


def tokens_to(parents: Journey, address: str) -> list[str]:
    stranger = parents.at_portal()
    path = stranger.page.request.path if stranger.page else ""
    stranger.open("/".join([*path.split("/")[:3], "forgotten"]))
    stranger.submit("forgotten-form", email=address)
    return [token for letter in parents.post() for token in letter.tokens]


def test_n1_a_wrong_address_that_never_answered_gets_no_secret(
    parents: Journey, desk: Desk
) -> None:
    claire, _lina = claire_of(parents, proved=False)
    token = one_time_tokens.mint(claire.id, "password_reset", sent_to=OLD)
    manager = desk.browser("manager")
    correct(manager, claire, OTHER)

    told = by_recipient(parents.post())

    assert set(told) == {OLD, OTHER}
    assert not any(UNDO in letter.text + letter.html for letter in told.values())
    assert isinstance(one_time_tokens.find(token), one_time_tokens.Unknown)


def test_n1_a_token_that_came_back_has_proved_the_address(parents: Journey, desk: Desk) -> None:
    claire, _lina = claire_of(parents, proved=False)
    one_time_tokens.mint(claire.id, "first_sign_in", sent_to=OLD)
    with transaction() as writes:
        writes.execute(update(OneTimeToken).values(spent_at=OneTimeToken.created_at))
    correct(desk.browser("manager"), claire, OTHER)
    assert UNDO in by_recipient(parents.post())[OLD].text


def test_n1_on_the_own_page_an_unproved_address_can_not_stop_its_holder(parents: Journey) -> None:
    claire_of(parents, proved=False)
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    ask(browser)
    letters = by_recipient(parents.post())
    assert UNDO not in letters[OLD].text
    browser.follow(link_of(letters[OTHER]))
    browser.submit("confirm-email-form")
    assert UNDO not in by_recipient(parents.post())[OLD].text


def test_n1_a_second_correction_does_not_use_up_the_owners_way_back(
    parents: Journey, desk: Desk
) -> None:
    claire, _lina = claire_of(parents)
    manager, accomplice = desk.browser("manager"), parents.browser()
    correct(manager, claire, EVIL)
    first = by_recipient(parents.post())[OLD]
    reset(parents, accomplice, EVIL)
    assert signed_in_as(accomplice, "claire")
    correct(manager, claire, WORSE)
    told = by_recipient(parents.post())

    assert UNDO not in told[EVIL].text  # it proved nothing but what the school had given it
    assert UNDO in told[OLD].text
    undo(parents, first)

    assert address_of(claire) == OLD
    assert not signed_in_as(accomplice, "claire")
    assert not passwords.has_password(claire.id)
    follow_the_letter(parents.browser(), by_recipient(parents.post())[OLD])


def test_n1_the_second_letter_gives_the_oldest_proved_address_back(
    parents: Journey, desk: Desk
) -> None:
    claire, _lina = claire_of(parents)
    manager = desk.browser("manager")
    correct(manager, claire, EVIL)
    parents.post()
    correct(manager, claire, WORSE)
    undo(parents, by_recipient(parents.post())[OLD])
    assert address_of(claire) == OLD


@pytest.mark.parametrize("while_closed", [False, True])
def test_n1_closing_and_linking_again_leaves_the_way_back(
    parents: Journey, desk: Desk, while_closed: bool
) -> None:
    claire, lina = claire_of(parents)
    manager = desk.browser("manager")
    correct(manager, claire, EVIL)
    manager.open(f"/admin/people/{claire.id}/close")
    manager.submit("close-form", reason="family")
    letter = by_recipient(parents.post())[OLD]  # it leaves, although the account is closed
    if while_closed:
        undo(parents, letter)
    with transaction():
        endings.open_again(claire.id)
        linking.link_guardian(claire.id, lina.id, "parent")
    if not while_closed:
        undo(parents, letter)
    assert address_of(claire) == OLD
    assert accounts.get_account(claire.id).status == "active"


def test_n1_what_a_file_disables_keeps_the_way_back(parents: Journey) -> None:
    claire, _lina = claire_of(parents)
    email_change.by_staff(claire.id, EVIL)
    letter = by_recipient(parents.post())[OLD]
    endings.disable_account(claire.id)
    endings.enable_account(claire.id)
    undo(parents, letter)
    assert address_of(claire) == OLD


def left(parents: Journey) -> tuple[Account, Letter]:
    """She has left the couple's mailbox, and then changed her password; what he finds in it."""
    claire, _lina = claire_of(parents)
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    changed_letter = changed_with_letter(parents, browser)
    browser.open("/account/password")
    browser.submit(
        "password-form", current_password=PASSWORD, new_password=NEW, repeat_password=NEW
    )
    parents.post()
    return claire, changed_letter


def changed_with_letter(parents: Journey, browser: Browser) -> Letter:
    ask(browser)
    browser.follow(link_of(by_recipient(parents.post())[OTHER]))
    browser.submit("confirm-email-form")
    return by_recipient(parents.post())[OLD]


def test_n1_an_undoing_keeps_a_password_that_is_still_proved(parents: Journey) -> None:
    claire, letter = left(parents)
    ex = undo(parents, letter)

    assert address_of(claire) == OLD
    assert not signed_in_as(ex, "claire")
    assert by_recipient(parents.post())[OLD].tokens == []
    her = parents.browser()
    her.open("/")
    her.sign_in("claire", NEW)
    assert signed_in_as(her, "claire")


def test_n1_after_an_undoing_neither_side_gains_the_account_and_the_school_decides(
    parents: Journey, desk: Desk
) -> None:
    claire, letter = left(parents)
    undo(parents, letter)
    parents.post()
    assert tokens_to(parents, OLD) == []
    her = parents.browser()
    her.open("/")
    her.sign_in("claire", NEW)
    ask(her, "claire@third.example")
    assert her.shows("new-email-problem")

    helper = desk.browser("helper")
    helper.open(f"/admin/people/{claire.id}")
    helper.press("send-token")
    (mailed,) = [letter for letter in parents.post() if letter.tokens]
    follow_the_letter(parents.browser(), mailed)
    parents.post()

    assert tokens_to(parents, OLD) != []


def test_n1_a_dispute_ends_after_a_week(parents: Journey) -> None:
    _claire, letter = left(parents)
    undo(parents, letter)
    parents.post()
    with later(days=7, minutes=1):
        assert tokens_to(parents, OLD) != []


def open_right(browser: Browser) -> bool:
    browser.open("/account/email")
    return browser.shows("end-right-1")


def test_n1_the_owner_ends_the_way_back_of_a_correction(parents: Journey, desk: Desk) -> None:
    claire, _lina = claire_of(parents)
    correct(desk.browser("manager"), claire, OTHER)
    letter = by_recipient(parents.post())[OLD]
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    assert open_right(browser)

    browser.press("end-right-1")

    assert not open_right(browser)
    (told,) = parents.post()
    assert told.recipients == [OLD]
    assert OTHER not in told.text
    assert parents.browser().follow(link_of(letter)).status_code == 404


def test_n1_whoever_came_in_by_the_new_address_can_not_end_it(parents: Journey, desk: Desk) -> None:
    claire, _lina = claire_of(parents)
    correct(desk.browser("manager"), claire, EVIL)
    parents.post()
    accomplice = parents.browser()
    reset(parents, accomplice, EVIL)
    assert not open_right(accomplice)
    shown = accomplice.page.text if accomplice.page else ""
    assert re.search(r"(?<![\w-])e_[\w-]{22}(?![\w-])", shown) is None


def test_n1_the_own_change_can_be_objected_to_for_a_day_at_least(parents: Journey) -> None:
    claire_of(parents)
    browser = parents.browser()
    browser.sign_in_at_home("claire")
    changed(parents, browser)
    assert not open_right(browser)
    with later(days=1, minutes=1):
        again = parents.browser()
        again.sign_in_at_home("claire")
        assert open_right(again)


def test_n1_an_operator_ends_a_way_back_and_a_manager_sees_it(parents: Journey, desk: Desk) -> None:
    claire, _lina = claire_of(parents)
    manager = desk.browser("manager")
    correct(manager, claire, OTHER)
    letter = by_recipient(parents.post())[OLD]
    page = manager.open(f"/admin/people/{claire.id}").text
    assert "way-back" in page
    assert not manager.shows("end-way-back-1")

    operator = desk.browser("operator")
    operator.open(f"/admin/people/{claire.id}")
    operator.press("end-way-back-1")

    assert not operator.shows("end-way-back-1")
    assert parents.browser().follow(link_of(letter)).status_code == 404


def test_n1_the_way_back_ends_with_its_week(parents: Journey, desk: Desk) -> None:
    claire, _lina = claire_of(parents)
    correct(desk.browser("manager"), claire, EVIL)
    letter = by_recipient(parents.post())[OLD]
    with later(days=7, minutes=1):
        assert parents.browser().follow(link_of(letter)).status_code == 404


def test_n1_a_final_correction_at_the_terminal_leaves_no_way_back(
    app: Flask, parents: Journey
) -> None:
    claire, _lina = claire_of(parents)
    info = ScriptInfo(create_app=lambda: app, set_debug_flag=False)
    result = CliRunner().invoke(cli, ["user", "email", "--final", "claire", OTHER], obj=info)
    assert result.exit_code == 0, result.output
    letters = parents.post()
    assert address_of(claire) == OTHER
    assert not any(UNDO in letter.text for letter in letters)
