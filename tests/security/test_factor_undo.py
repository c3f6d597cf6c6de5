"""A minute at an open session locks nobody out: E4's factors (rules A3, P5, N1)."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp.credentials import passwords, totp
from idp.database import db, transaction
from idp.lifecycle import factor_changes
from idp.lifecycle.mails import tokens as token_mails
from idp.mail.models import OutboxMessage
from idp.sessions import service as sessions
from idp.settings import Settings
from tests.authenticator import Authenticator
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.relying_party import Browser
from tests.second_factors import ISSUER, add_passkey, begin_app, code_now
from tests.times import later
from tests.web.places import Place, place

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def here(app: Flask) -> Place:
    made = place(app)
    made.browser.sign_in_at_home("claire")
    return made


def switch_app_on(here: Place) -> None:
    here.browser.open("/account/two-factor")
    begin_app(here.browser)
    secret = totp.pending_secret(here.parent.id, _browser_id(here))
    assert secret is not None
    here.browser.submit("totp-form", code=code_now(secret))
    db.session.rollback()
    assert totp.is_on(here.parent.id)


def _browser_id(here: Place) -> str:
    with here.browser.client.session_transaction() as session:
        return str(session["b"])


def link_in(kind: str) -> str:
    with transaction():
        query = select(OutboxMessage).where(OutboxMessage.kind == kind)
        (letter,) = token_mails.COMPOSERS[kind](db.session.scalars(query).one())
    _, found, rest = letter.text.partition("/account/factor/undo#")
    return found + rest.split()[0] if found else ""


def test_a3_a_sign_in_alone_switches_no_second_step_on(here: Place) -> None:
    here.browser.open("/account/two-factor")
    here.browser.press("two-factor-begin")
    assert here.browser.shows("confirm-form")
    here.browser.open("/account/two-factor/app")
    assert here.browser.shows("confirm-form")
    db.session.rollback()
    assert not totp.is_on(here.parent.id)


@pytest.mark.parametrize("kind", ["two_step_on", "passkey_added"])
def test_n1_the_owner_takes_it_back_by_mail_and_password(here: Place, kind: str) -> None:
    if kind == "two_step_on":
        switch_app_on(here)
    else:
        add_passkey(here.browser, Authenticator())
    owner = here.another_browser()
    page = owner.follow(link_in(kind))
    assert link_in(kind).partition("#")[2] not in page.request.path
    assert owner.submit("factor-undo-form", current_password="wrong").status_code == 400

    owner.submit("factor-undo-form", current_password=PASSWORD)

    assert owner.shows("factor-undone")
    db.session.rollback()
    assert not totp.is_on(here.parent.id)
    assert sessions.live(here.parent.id) == []
    owner.sign_in_at_home("claire")
    assert owner.open(link_in(kind) or "/account/factor/undo?token=x.y.z").status_code == 404


def test_a3_a_mailbox_alone_takes_no_second_step_away(here: Place) -> None:
    """Whoever reads the mail may set a password by a token; that one does not count here."""
    switch_app_on(here)
    link = link_in("two_step_on")
    passwords.set_password(here.parent.id, "Another-Password-7")
    reader = here.another_browser()
    reader.follow(link)
    assert reader.shows("factor-not-provable")
    db.session.rollback()
    assert totp.is_on(here.parent.id)


def test_n1_it_is_taken_back_for_seven_days(here: Place) -> None:
    switch_app_on(here)
    link = link_in("two_step_on")
    with later(days=7, minutes=1):
        assert here.another_browser().follow(link).status_code == 404


def test_p12_a_link_about_one_thing_takes_no_other_back(here: Place) -> None:
    switch_app_on(here)
    link = link_in("two_step_on")
    factor_changes.switch_off(here.parent.id)
    here.browser.open("/account/two-factor")
    with later(minutes=1):
        switch_app_on(here)
        reader: Browser = here.another_browser()
        assert reader.follow(link).status_code == 404
