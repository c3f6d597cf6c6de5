"""What ends with a passkey, and with the undoing of what a thief did (P14, S1, O6)."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp import clock
from idp.credentials import email_changes, passwords
from idp.credentials.models import Passkey
from idp.database import db, transaction
from idp.lifecycle import email_change, factor_changes
from idp.oidc.models import Grant
from idp.settings import Settings
from tests.authenticator import Authenticator, use
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.relying_party import answer
from tests.second_factors import ISSUER, add_passkey, passkey_of
from tests.web.places import Place, place

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)


def added(account_id: str, name: str, ago: timedelta) -> None:
    with transaction() as writes:
        writes.add(
            Passkey(
                account_id=account_id,
                credential_id=name,
                public_key=b"x",
                name=name,
                created_at=clock.now() - ago,
            )
        )


def names() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Passkey.name)))


@pytest.mark.parametrize("signed_out", [False, True])
def test_with_a_stolen_key_ends_the_offline_access_that_it_gave(
    here: Place, signed_out: bool
) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    thief = here.another_browser()
    thief.open(here.portal.authorize_path(scope="openid offline_access"))
    fields = answer(use(thief, "passkey-form", phone))
    token = (here.portal.redeem(thief.client, fields["code"]).json or {})["refresh_token"]
    if signed_out:
        thief.sign_out()

    here.browser.open("/account/passkeys")
    factor_changes.remove_passkey(here.parent.id, passkey_of(here).id, keep_session="")

    assert here.portal.refresh(thief.client, token).status_code == 400
    db.session.rollback()
    assert [each.ended_reason for each in db.session.scalars(select(Grant))] == ["passkey removed"]


def test_p14_undoing_a_change_of_address_takes_the_thiefs_passkey_from_staff(here: Place) -> None:
    """Staff keep the passkey of before: the mailbox alone must not get past it."""
    account_id = here.parent.id
    factor_changes.grant_role(account_id, "manager", here.school.id)
    added(account_id, "owner's", timedelta(days=30))
    with transaction():
        change = email_changes.begin_change(
            account_id, "claire@example.org", "thief@evil.example", proved=True
        )
        secret = email_changes.mint_link(change, "undo", "m_1")
    added(account_id, "thief's", timedelta(0))

    email_change.undo(secret)

    assert names() == ["owner's"]


def test_a_password_that_is_withdrawn_opens_nothing(here: Place) -> None:
    with transaction():
        change = email_changes.begin_change(
            here.parent.id, "claire@example.org", "thief@evil.example", proved=True
        )
        secret = email_changes.mint_link(change, "undo", "m_1")
    passwords.set_password(here.parent.id, PASSWORD)  # by a token that was mailed to the thief
    email_change.undo(secret)
    here.browser.open("/")
    assert here.browser.sign_in("claire", PASSWORD).status_code == 400
