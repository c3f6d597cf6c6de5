"""« My passkeys », « Two-step sign-in » and « Is it really you? » of a signed-in parent."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from idp.credentials.models import Password, TotpSecret
from idp.database import db, transaction
from idp.lifecycle import endings, factor_changes
from idp.lifecycle.step_up import ways_in
from idp.people import accounts
from idp.privacy import export_sections
from idp.sessions import service as sessions
from idp.settings import Settings
from tests import factories
from tests.authenticator import Authenticator, make, options_of, use
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.second_factors import (
    ISSUER,
    add_passkey,
    audited,
    begin_app,
    code_now,
    key_on,
    passkey_of,
    switch_on,
    told,
    wrong_code,
)
from tests.times import later, standing_still
from tests.web.places import Place, element, place

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def here(app: Flask) -> Place:
    made = place(app)
    made.browser.sign_in_at_home("claire")
    return made


@pytest.fixture
def phone(here: Place) -> Authenticator:
    authenticator = Authenticator()
    add_passkey(here.browser, authenticator)
    return authenticator


def text(here: Place) -> str:
    assert here.browser.page is not None
    return here.browser.page.text


# Passkeys


def test_a_passkey_has_the_devices_name_unless_its_owner_has_a_better_one(here: Place) -> None:
    agent = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"
    here.browser.client.environ_base["HTTP_USER_AGENT"] = agent
    here.browser.open("/account/passkeys")
    make(here.browser, "passkey-add-form", Authenticator(), fields={"name": " "})
    assert "Chrome, Android" in text(here)
    make(here.browser, "passkey-add-form", Authenticator(), fields={"name": "Ma <clé>"})
    assert "Ma &lt;clé&gt;" in text(here)


def test_a_name_has_sixty_characters_at_most(here: Place) -> None:
    here.browser.open("/account/passkeys")
    page = make(here.browser, "passkey-add-form", Authenticator(), fields={"name": "x" * 61})
    assert page.status_code == 400
    assert here.browser.shows("passkey-none")


def test_a_passkey_gets_another_name(here: Place, phone: Authenticator) -> None:
    form = rename_form(here)
    here.browser.client.post(form.action, data={**form.hidden, "name": "Téléphone de Claire"})
    here.browser.open("/account/passkeys")
    assert "Téléphone de Claire" in text(here)


def test_nobody_renames_or_removes_the_passkey_of_another(
    here: Place, phone: Authenticator
) -> None:
    theirs = passkey_of(here)
    other = here.another_browser()
    factories.account("marc")
    other.sign_in_at_home("marc")
    other.open("/account/passkeys")
    token = other._form("passkey-add-form").hidden["csrf_token"]
    for path in ("rename", "remove"):
        other.client.post(
            f"/account/passkeys/{path}",
            data={"csrf_token": token, "passkey": theirs.id, "name": "mine"},
        )
    assert passkey_of(here).name == theirs.name != "mine"


def test_when_a_passkey_was_used_last_is_shown(here: Place, phone: Authenticator) -> None:
    assert passkey_of(here).last_used_at is None
    here.browser.sign_out()
    here.browser.open("/")
    use(here.browser, "passkey-form", phone)
    assert passkey_of(here).last_used_at is not None


def test_removing_a_passkey_ends_what_it_began_and_tells_its_owner(
    here: Place, phone: Authenticator
) -> None:
    elsewhere = here.another_browser()
    elsewhere.open("/")
    use(elsewhere, "passkey-form", phone)
    assert elsewhere.shows("sign-out")
    epoch = epoch_of(here)

    here.browser.open("/account/passkeys")
    here.browser.press("passkey-remove-1")

    assert here.browser.shows("passkey-none")
    elsewhere.open("/")
    assert elsewhere.shows("login-form")
    assert epoch_of(here) == epoch + 1
    assert told("passkey_removed")
    assert audited("passkey_removed")
    assert len(sessions.live(here.parent.id)) == 1


def test_a_double_click_on_remove_says_the_same(here: Place, phone: Authenticator) -> None:
    here.browser.open("/account/passkeys")
    page = here.browser.page
    here.browser.press("passkey-remove-1")
    here.browser.page = page
    here.browser.press("passkey-remove-1")
    assert here.browser.shows("passkey-none")


def test_the_last_way_in_is_not_removed(here: Place, phone: Authenticator) -> None:
    with transaction() as writes:
        writes.execute(delete(Password).where(Password.account_id == here.parent.id))
    assert ways_in(here.parent.id).count == 1
    here.browser.open("/account/passkeys")
    page = here.browser.press("passkey-remove-1")
    assert page.status_code == 400
    assert passkey_of(here)


def test_a3_staffs_last_second_factor_is_not_removed(here: Place, phone: Authenticator) -> None:
    make_staff(here, phone)
    here.browser.open("/account/passkeys")
    page = here.browser.press("passkey-remove-1")
    assert page.status_code == 400
    assert passkey_of(here)
    switch_on(here.parent.id)
    here.browser.open("/account/passkeys")
    here.browser.press("passkey-remove-1")
    assert here.browser.shows("passkey-none")


def test_f8_an_account_disabled_in_the_meantime_adds_no_passkey(here: Place) -> None:
    here.browser.open("/account/passkeys")
    options, _form = options_of(here.browser, "passkey-add-form")
    endings.disable_account(here.parent.id)
    here.browser.submit("passkey-add-form", credential=Authenticator().create(options))
    assert here.browser.shows("login-form")
    assert not ways_in(here.parent.id).passkeys


# The suggestion


def test_a_passkey_is_suggested_once_and_never_again_after_not_now(here: Place) -> None:
    here.browser.open("/")
    assert here.browser.shows("passkey-offer")
    here.browser.press("passkey-offer-later")
    assert not here.browser.shows("passkey-offer")
    here.browser.sign_out()
    here.browser.sign_in_at_home("claire")
    assert not here.browser.shows("passkey-offer")


def test_who_has_a_passkey_is_left_in_peace(here: Place, phone: Authenticator) -> None:
    here.browser.open("/")
    assert not here.browser.shows("passkey-offer")


# Two-step sign-in


def test_two_step_sign_in_is_switched_on_and_off(here: Place) -> None:
    here.browser.open("/account/two-factor")
    begin_app(here.browser)
    page = here.browser.page
    assert page is not None
    assert "<svg" in page.text
    assert "style=" not in page.text.split("<svg")[-1].split("</svg>")[0]
    key = shown_secret(here)
    assert key not in page.request.url
    page = here.browser.submit("totp-form", code=code_now(key))
    assert page.text.count("<code>") == 10
    here.browser.open("/account/two-factor")
    assert here.browser.shows("two-factor-off")
    assert "10" in text(here)
    here.browser.press("two-factor-off")
    assert here.browser.shows("two-factor-begin")
    assert [len(told(what)) for what in ("two_step_on", "two_step_off")] == [1, 1]
    here.browser.sign_out()
    here.browser.sign_in_at_home("claire")


def test_a_code_that_switched_it_on_does_not_sign_in_too(here: Place) -> None:
    here.browser.open("/account/two-factor")
    begin_app(here.browser)
    code = code_now(shown_secret(here))
    here.browser.submit("totp-form", code=code)
    here.browser.sign_out()
    here.browser.open("/")
    here.browser.sign_in("claire")
    page = here.browser.submit("second-factor-form", code=code)
    assert page.status_code == 400


def test_the_secret_waits_for_a_quarter_of_an_hour(here: Place) -> None:
    here.browser.open("/account/two-factor")
    begin_app(here.browser)
    key = shown_secret(here)
    with later(minutes=16):
        here.browser.open("/account/confirm?next=/account/two-factor/app")
        here.browser.submit("confirm-form", current_password=PASSWORD)
        assert here.browser.shows("two-factor-begin")
        assert not here.browser.shows("totp-form")
    assert key


@pytest.mark.parametrize("code", ["", "12345", "nonsense"])
def test_a_wrong_first_code_switches_nothing_on(here: Place, code: str) -> None:
    here.browser.open("/account/two-factor")
    begin_app(here.browser)
    page = here.browser.submit("totp-form", code=code)
    assert page.status_code == 400
    assert element(page, "code")["aria-invalid"] == "true"
    assert db.session.get(TotpSecret, here.parent.id) is None


def test_new_recovery_codes_end_the_older_ones(here: Place) -> None:
    _secret, old = switch_on(here.parent.id)
    here.browser.open("/account/two-factor")
    page = here.browser.press("recovery-replace")
    new = [part.split("</code>")[0] for part in page.text.split("<code>")[1:]]
    assert not set(new) & set(old)
    assert told("recovery_codes_replaced")
    here.browser.sign_out()
    here.browser.open("/")
    here.browser.sign_in("claire")
    assert here.browser.submit("second-factor-form", code=old[0]).status_code == 400
    here.browser.submit("second-factor-form", code=new[0])
    assert here.browser.shows("sign-out")


def test_a_double_click_on_off_says_the_same(here: Place) -> None:
    switch_on(here.parent.id)
    here.browser.open("/account/two-factor")
    page = here.browser.page
    here.browser.press("two-factor-off")
    here.browser.page = page
    here.browser.press("two-factor-off")
    assert here.browser.shows("two-factor-begin")
    assert len(told("two_step_off")) == 1


def test_recovery_codes_need_an_app(here: Place) -> None:
    switch_on(here.parent.id)
    here.browser.open("/account/two-factor")
    page = here.browser.page
    factor_changes.switch_off(here.parent.id)
    here.browser.page = page
    here.browser.press("recovery-replace")
    assert here.browser.shows("two-factor-begin")


def test_a3_staffs_only_app_is_not_switched_off(here: Place) -> None:
    switch_on(here.parent.id)
    make_staff(here)
    here.browser.open("/account/two-factor")
    page = here.browser.press("two-factor-off")
    assert page.status_code == 400
    assert db.session.get(TotpSecret, here.parent.id) is not None


# Is it really you?


def test_changes_ask_for_a_fresh_proof(here: Place, phone: Authenticator) -> None:
    with later(minutes=11):
        for path in ("/account/passkeys", "/account/two-factor"):
            here.browser.open(path)
            assert here.browser.shows("confirm-form")
            assert f'value="{path}"' in text(here)


def test_a_passkey_confirms(here: Place, phone: Authenticator) -> None:
    with later(minutes=11):
        here.browser.open("/account/passkeys")
        use(here.browser, "confirm-passkey-form", phone)
        assert here.browser.shows("passkey-list")
        (session,) = sessions.live(here.parent.id)
        assert session.acr == "phr"


def test_a_code_confirms_and_where_it_is_needed_a_password_does_not(here: Place) -> None:
    secret, _codes = switch_on(here.parent.id)
    with later(minutes=11):
        here.browser.open("/account/two-factor")
        assert not here.browser.shows("confirm-form")
        token = here.browser._form("confirm-code-form").hidden
        page = here.browser.client.post(
            "/account/confirm", data={**token, "current_password": PASSWORD}
        )
        assert "Location" not in page.headers
        page = here.browser.submit("confirm-code-form", code=wrong_code(secret))
        assert page.status_code == 400
        here.browser.submit("confirm-code-form", code="")
        here.browser.submit("confirm-code-form", code=code_now(secret))
        assert here.browser.shows("two-factor-off")


def test_e7_codes_that_confirm_are_counted(here: Place) -> None:
    secret, _codes = switch_on(here.parent.id)
    here.browser.open("/account/confirm")
    with standing_still():
        for _ in range(7):
            page = here.browser.submit("confirm-code-form", code=wrong_code(secret))
        assert page.status_code == 429


@pytest.mark.parametrize("bent", [{"origin": "https://evil.example"}, {"flags": 1}])
def test_a_bad_passkey_confirms_nothing(
    here: Place, phone: Authenticator, bent: dict[str, Any]
) -> None:
    with later(minutes=11):
        here.browser.open("/account/passkeys")
        page = use(here.browser, "confirm-passkey-form", phone, **bent)
        assert page.status_code == 400
        assert here.browser.shows("confirm-form")


def test_the_passkey_of_another_confirms_nothing(here: Place, phone: Authenticator) -> None:
    marcs = Authenticator()
    factories.account("marc")
    other = here.another_browser()
    other.sign_in_at_home("marc")
    add_passkey(other, marcs)
    here.browser.open("/account/confirm")
    page = use(here.browser, "confirm-passkey-form", marcs)
    assert page.status_code == 400
    assert audited("factor_refused")[-1].detail["why"] == "foreign credential"


# What is kept


def test_an_owner_can_read_what_we_keep(here: Place, phone: Authenticator) -> None:
    switch_on(here.parent.id)
    kept = export_sections.second_factors(here.parent)
    assert [each["name"] for each in kept["passkeys"]]
    assert kept["authenticator_app_since"]
    assert kept["recovery_codes_left"] == 10
    assert "public_key" not in str(kept)


def shown_secret(here: Place) -> str:
    return key_on(here.browser.page)


def epoch_of(here: Place) -> int:
    db.session.rollback()
    db.session.expire_all()
    account = accounts.find_account(here.parent.id)
    assert account is not None
    return account.credentials_epoch


def make_staff(here: Place, phone: Authenticator | None = None) -> None:
    """Claire becomes staff and signs in once more, since a new role ends her sessions."""
    factor_changes.grant_role(here.parent.id, "operator", None)
    here.browser.open("/")
    if phone is not None:
        use(here.browser, "passkey-form", phone)
        return
    secret, _codes = switch_on_again(here)
    here.browser.sign_in("claire")
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("sign-out")


def switch_on_again(here: Place) -> tuple[str, list[str]]:
    with transaction() as writes:
        writes.execute(delete(TotpSecret).where(TotpSecret.account_id == here.parent.id))
    return switch_on(here.parent.id)


def rename_form(here: Place) -> Any:
    from tests.relying_party import forms_of

    here.browser.open("/account/passkeys")
    return next(form for form in forms_of(text(here)) if form.action.endswith("/rename"))
