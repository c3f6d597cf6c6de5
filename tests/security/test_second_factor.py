"""The second factor at sign-in: who is asked, what will do, and no way around (rules A3, P11)."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp.credentials import one_time_tokens, totp
from idp.credentials.models import Passkey, RecoveryCode, TotpSecret
from idp.database import db, transaction
from idp.lifecycle import endings, factor_changes, restored
from idp.people import accounts, staff
from idp.sessions import service as sessions
from idp.settings import Settings
from tests import factories
from tests.authenticator import Authenticator, make, options_of, use
from tests.conftest import Measured, settings_for_tests
from tests.relying_party import answer, claims_of
from tests.second_factors import (
    ISSUER,
    add_passkey,
    audited,
    begin_app,
    code_now,
    key_on,
    signed_in_with,
    switch_on,
    told,
    wrong_code,
)
from tests.times import later, standing_still
from tests.web.places import Place, element, place

pytestmark = pytest.mark.quick_on("sqlite")

NEW = "Brouette-Citadelle-Orage-9"


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)


@pytest.fixture
def secret(here: Place) -> str:
    """Claire's app: two-step sign-in is on."""
    return switch_on(here.parent.id)[0]


def make_staff(here: Place) -> None:
    factor_changes.grant_role(here.parent.id, "manager", here.school.id)


def is_signed_in(here: Place) -> bool:
    db.session.rollback()
    return bool(sessions.live(here.parent.id))


# Who is asked


def test_a_parent_without_two_step_sign_in_is_not_asked(here: Place) -> None:
    claims = signed_in_with(here, lambda: here.browser.sign_in("claire"))
    assert claims["acr"] == "urn:school-idp:acr:single-factor"


def test_with_an_app_the_code_is_asked_and_told_to_the_application(
    here: Place, secret: str
) -> None:
    def both() -> None:
        here.browser.sign_in("claire")
        assert here.browser.shows("second-factor-form")
        assert not is_signed_in(here)
        here.browser.submit("second-factor-form", code=code_now(secret))

    claims = signed_in_with(here, both)

    assert claims["acr"] == "urn:school-idp:acr:two-factor"
    assert claims["amr"] == ["pwd", "otp", "mfa"]


def test_each_factor_is_counted_by_one_name_whether_it_is_right_or_wrong(
    here: Place, measured: Measured
) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    here.browser.sign_out()
    secret = switch_on(here.parent.id)[0]

    here.browser.open("/")
    here.browser.sign_in("claire", "not her password")
    here.browser.sign_in("claire")
    here.browser.submit("second-factor-form", code=wrong_code(secret))
    here.browser.submit("second-factor-form", code=code_now(secret))
    here.browser.sign_out()
    here.browser.open("/")
    use(here.browser, "passkey-form", phone, origin="https://elsewhere.example")
    here.browser.open("/")
    use(here.browser, "passkey-form", phone)

    counted = {
        (way, outcome): measured("idp_sign_ins_total", way=way, outcome=outcome)
        for way in ("password", "otp", "passkey")
        for outcome in ("ok", "wrong")
    }
    assert counted == dict.fromkeys(counted, 1) | {("password", "ok"): 2}


def test_a_code_may_be_typed_with_a_space(here: Place, secret: str) -> None:
    here.browser.open("/")
    here.browser.sign_in("claire")
    code = code_now(secret)
    here.browser.submit("second-factor-form", code=f" {code[:3]} {code[3:]} ")
    assert here.browser.shows("sign-out")


def test_a_passkey_does_as_the_second_factor(here: Place) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    here.browser.sign_out()
    switch_on(here.parent.id)

    def both() -> None:
        here.browser.sign_in("claire")
        use(here.browser, "second-factor-passkey-form", phone)

    claims = signed_in_with(here, both)

    assert claims["acr"] == "phr"
    assert claims["amr"] == ["pwd", "hwk", "user", "mfa"]


def test_a_passkey_alone_is_two_factors(here: Place) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    make_staff(here)
    here.browser.open("/")
    use(here.browser, "passkey-form", phone)
    assert here.browser.shows("sign-out")


def test_a3_a_mailed_token_does_not_get_past_the_app(here: Place, secret: str) -> None:
    set_password_by_mail(here)
    assert here.browser.shows("second-factor-form")
    assert not is_signed_in(here)
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("sign-out")


def test_a3_a_mailed_token_does_not_get_past_staffs_only_passkey(here: Place) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    make_staff(here)
    set_password_by_mail(here)
    assert here.browser.shows("second-factor-passkey-form")
    assert not is_signed_in(here)


def test_p14_a_password_by_mail_removes_a_parents_passkeys(here: Place) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    here.browser.sign_out()
    page = here.browser.open("/")
    set_password_by_mail(here)
    here.browser.sign_out()

    here.browser.page = page
    here.browser.open("/")
    page = use(here.browser, "passkey-form", phone)

    assert page.status_code == 400
    assert told("passkeys_removed_at_claim")


def test_p14_the_first_sign_in_removes_whatever_there_was(here: Place) -> None:
    invited = factories.account("nora", status="invited")
    _secret, _codes = switch_on(invited.id)
    token = one_time_tokens.mint(invited.id, "first_sign_in")
    set_password_by_mail(here, token)
    assert here.browser.shows("sign-out")
    for model in (TotpSecret, RecoveryCode, Passkey):
        assert not db.session.scalars(select(model).where(model.account_id == invited.id)).all()


# Staff


def test_a3_staff_are_led_through_enrolment_before_anything_else(here: Place) -> None:
    make_staff(here)
    here.at_sign_in()
    here.browser.sign_in("claire")
    assert here.browser.shows("enrol-app-form")
    assert not is_signed_in(here)
    at = here.interaction()
    for path in ("", "/consent", "/child", "/login"):
        page = here.browser.open(at + path)
        assert page.status_code == 200
        assert not is_signed_in(here)

    here.browser.open(f"{at}/second-factor")
    here.browser.press("enrol-app")
    key = shown_secret(here)
    here.browser.submit("totp-form", code=code_now(key))

    page = here.browser.page
    assert page is not None
    assert page.text.count("<code>") == 10
    assert is_signed_in(here)
    fields = answer(here.browser.open(element(page, "recovery-continue")["href"] or ""))
    tokens = here.portal.redeem(here.browser.client, fields["code"]).json or {}
    claims = claims_of(here.browser.client, tokens["id_token"])
    assert claims["acr"] == "urn:school-idp:acr:two-factor"
    assert told("two_step_on")


def test_a3_staff_may_enrol_with_a_passkey(here: Place) -> None:
    """Which is not phishing-resistant yet: it was allowed by what may have been phished (F9)."""
    make_staff(here)
    phone = Authenticator(synchronised=True)

    def both() -> None:
        here.browser.sign_in("claire")
        make(here.browser, "enrol-passkey-form", phone)

    claims = signed_in_with(here, both)

    assert claims["amr"] == ["pwd", "swk", "mfa"]
    assert claims["acr"] == "urn:school-idp:acr:two-factor"


def test_a3_a_bad_passkey_enrols_nobody(here: Place) -> None:
    make_staff(here)
    here.at_sign_in()
    here.browser.sign_in("claire")
    page = make(here.browser, "enrol-passkey-form", Authenticator(), origin="https://evil.example")
    assert page.status_code == 400
    assert here.browser.shows("enrol-app-form")
    assert not is_signed_in(here)


def test_a3_a_wrong_first_code_enrols_nobody(here: Place) -> None:
    make_staff(here)
    here.at_sign_in()
    here.browser.sign_in("claire")
    here.browser.press("enrol-app")
    key = shown_secret(here)
    for code in ("", wrong_code(key), "12345", "abcdef"):
        page = here.browser.submit("totp-form", code=code)
        assert page.status_code == 400
        assert shown_secret(here) == key
    assert not is_signed_in(here)


def test_the_secret_is_shown_in_the_browser_that_asked_for_it_only(here: Place) -> None:
    """Whoever knows the password does not slip their own secret under the owner's eyes."""
    make_staff(here)
    thief = here.another_browser()
    thief.open("/")
    thief.sign_in("claire")
    thief.press("enrol-app")
    here.at_sign_in()
    here.browser.sign_in("claire")
    page = here.browser.open(f"{here.interaction()}/enrol/app")
    assert "totp-secret" not in page.text
    assert here.browser.shows("enrol-app-form")


def test_a3_enrolment_is_not_for_who_has_a_second_factor(here: Place, secret: str) -> None:
    """Whoever knows the password only may not add a factor of their own."""
    make_staff(here)
    here.at_sign_in()
    here.browser.sign_in("claire")
    page = here.browser.page
    for path in ("enrol", "enrol/app", "enrol/passkey"):
        here.browser.page = page
        here.browser.client.post(
            f"{here.interaction()}/{path}", data={"csrf_token": csrf(here), "credential": "{}"}
        )
    assert totp.pending_secret(here.parent.id, "anything") is None
    options = here.browser.client.post(
        f"{here.interaction()}/enrol/passkey/options", data={"csrf_token": csrf(here)}
    )
    assert options.status_code == 404
    assert not is_signed_in(here)


def test_a_new_role_ends_the_sessions_of_before(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    make_staff(here)
    here.browser.open("/")
    assert here.browser.shows("login-form")
    assert staff.is_staff(here.parent.id)


# No way around (P11)


def test_p11_the_page_needs_a_first_factor_of_this_interaction(here: Place, secret: str) -> None:
    here.at_sign_in()
    here.browser.open(f"{here.interaction()}/second-factor")
    assert here.browser.shows("login-form")


def test_p11_a_first_factor_of_another_interaction_does_not_count(here: Place, secret: str) -> None:
    here.at_sign_in()
    elsewhere = here.interaction()
    here.at_sign_in(state="other")
    here.browser.sign_in("claire")
    here.browser.open(f"{elsewhere}/second-factor")
    assert here.browser.shows("login-form")


def test_p11_another_browser_does_not_get_there(here: Place, secret: str) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire")
    page = here.another_browser().open(f"{here.interaction()}/second-factor")
    assert page.status_code == 404


def test_p11_a_first_factor_waits_for_ten_minutes(here: Place, secret: str) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire")
    with later(minutes=10, seconds=1):
        here.browser.submit("second-factor-form", code=code_now(secret))
        assert here.browser.shows("login-form")
        assert not is_signed_in(here)


def test_p11_signing_out_forgets_a_first_factor_that_waits(here: Place, secret: str) -> None:
    factories.account("marc")
    here.browser.sign_in_at_home("marc")
    here.at_sign_in(prompt="login")
    page = here.browser.sign_in("claire")
    here.browser.sign_out()
    here.browser.page = page
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("login-form")
    assert not is_signed_in(here)


def test_p11_a_first_factor_opens_one_session(here: Place, secret: str) -> None:
    here.browser.open("/")
    page = here.browser.sign_in("claire")
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("sign-out")
    here.browser.page = page
    with later(seconds=31):
        here.browser.submit("second-factor-form", code=code_now(secret))
    db.session.rollback()
    assert len(sessions.live(here.parent.id)) == 1


def test_p15_a_password_set_in_the_meantime_ends_the_first_factor(here: Place, secret: str) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire")
    with transaction():
        account = accounts.lock_account(here.parent.id)
        assert account is not None
        accounts.move_epochs([account.id])
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("login-form")
    assert not is_signed_in(here)


def test_f8_an_account_disabled_in_the_meantime_stays_out(here: Place, secret: str) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire")
    endings.disable_account(here.parent.id)
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("login-form")
    assert not is_signed_in(here)


def test_it_cannot_be_declined_at_sign_in(here: Place, secret: str) -> None:
    here.at_sign_in(acr_values="urn:school-idp:acr:two-factor")
    here.browser.sign_in("claire")
    assert not here.browser.shows("second-factor-without")
    token = {"csrf_token": csrf(here)}
    here.browser.client.post(f"{here.interaction()}/second-factor/without", data=token)
    assert not is_signed_in(here)


def test_another_accounts_passkey_is_no_second_factor(here: Place, secret: str) -> None:
    marcs = Authenticator()
    factories.account("marc")
    here.browser.sign_in_at_home("marc")
    add_passkey(here.browser, marcs)
    here.browser.sign_out()
    own = Authenticator()
    with transaction() as writes:
        writes.add(
            Passkey(account_id=here.parent.id, credential_id="AA", public_key=b"x", name="x")
        )
    here.at_sign_in()
    here.browser.sign_in("claire")
    options, _form = options_of(here.browser, "second-factor-passkey-form")
    assert [each["id"] for each in options["allowCredentials"]] == ["AA"]
    here.browser.submit("second-factor-passkey-form", credential=marcs.get(options))
    assert here.browser.shows("second-factor-form")
    assert audited("factor_refused")[-1].detail["why"] == "foreign credential"
    assert not is_signed_in(here)
    assert own.keys == []


# Codes


def test_a_wrong_code_is_refused_at_its_field(here: Place, secret: str) -> None:
    here.at_sign_in()
    here.browser.sign_in("claire")
    for code in ("", wrong_code(secret), "12345", "1234567", "１２３４５６"):
        page = here.browser.submit("second-factor-form", code=code)
        assert page.status_code == 400
        assert element(page, "code")["aria-invalid"] == "true"
    assert not is_signed_in(here)


def test_a_code_works_once(here: Place, secret: str) -> None:
    code = code_now(secret)
    here.browser.open("/")
    here.browser.sign_in("claire")
    here.browser.submit("second-factor-form", code=code)
    here.browser.sign_out()
    here.browser.open("/")
    here.browser.sign_in("claire")
    page = here.browser.submit("second-factor-form", code=code)
    assert page.status_code == 400


def test_a_code_of_before_the_last_one_works_no_more(here: Place, secret: str) -> None:
    before, now = code_now(secret, -1), code_now(secret)
    assert totp.spend(here.parent.id, now)
    assert not totp.spend(here.parent.id, before)


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (1, True), (2, False)])
def test_the_phones_clock_may_be_wrong_by_one_step(
    here: Place, secret: str, steps: int, accepted: bool
) -> None:
    from datetime import UTC, datetime

    import time_machine

    with time_machine.travel(datetime(2026, 11, 24, 12, 0, 15, tzinfo=UTC), tick=False):
        assert totp.spend(here.parent.id, code_now(secret, steps)) is accepted


def test_e7_codes_are_guessed_slowly_and_a_right_password_gives_no_new_budget(
    here: Place, secret: str
) -> None:
    statuses = []
    with standing_still():
        for _ in range(4):
            here.browser.open("/")
            here.browser.sign_in("claire")
            for _ in range(3):
                page = here.browser.submit("second-factor-form", code=wrong_code(secret))
                statuses.append(page.status_code)
        assert statuses == [400] * 5 + [429] * 7
        assert page.headers["Retry-After"]
        page = here.browser.submit("second-factor-form", code=code_now(secret))
        assert page.status_code == 429


def test_e7_the_right_code_gives_the_budget_back(here: Place, secret: str) -> None:
    here.browser.open("/")
    here.browser.sign_in("claire")
    for _ in range(4):
        here.browser.submit("second-factor-form", code=wrong_code(secret))
    here.browser.submit("second-factor-form", code=code_now(secret))
    here.browser.sign_out()
    here.browser.open("/")
    here.browser.sign_in("claire")
    page = here.browser.submit("second-factor-form", code=wrong_code(secret))
    assert page.status_code == 400


def test_a_recovery_code_works_once_and_is_told(here: Place) -> None:
    _secret, codes = switch_on(here.parent.id)
    here.browser.open("/")
    here.browser.sign_in("claire")
    here.browser.submit("second-factor-form", code=codes[3].lower().replace("-", " "))
    assert here.browser.shows("sign-out")
    assert told("recovery_code_used")[0].about["left"] == 9
    here.browser.sign_out()
    here.browser.open("/")
    here.browser.sign_in("claire")
    page = here.browser.submit("second-factor-form", code=codes[3])
    assert page.status_code == 400


def test_r9_after_a_restore_no_recovery_code_works_again(here: Place) -> None:
    _secret, codes = switch_on(here.parent.id)
    restored.end_what_came_back()
    here.browser.open("/")
    here.browser.sign_in("claire")
    page = here.browser.submit("second-factor-form", code=codes[0])
    assert page.status_code == 400


def test_p12_a_recovery_code_of_somebody_else_is_worth_nothing(here: Place, secret: str) -> None:
    other = factories.account("marc")
    _secret, codes = switch_on(other.id)
    here.browser.open("/")
    here.browser.sign_in("claire")
    page = here.browser.submit("second-factor-form", code=codes[0])
    assert page.status_code == 400


def test_p6_neither_secret_nor_codes_stand_in_the_database(here: Place) -> None:
    from tests.security.whole_site import everything

    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/two-factor")
    begin_app(here.browser)
    key = shown_secret(here)
    waiting = str(everything())
    page = here.browser.submit("totp-form", code=code_now(key))
    codes = [part.split("</code>")[0] for part in page.text.split("<code>")[1:]]
    assert len(codes) == 10
    stored = waiting + str(everything())
    assert key not in stored
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in stored


def test_a_sealed_secret_opens_nothing_in_another_row(here: Place, secret: str) -> None:
    other = factories.account("marc")
    with transaction() as writes:
        mine = writes.get(TotpSecret, here.parent.id)
        assert mine is not None
        writes.add(TotpSecret(account_id=other.id, sealed_secret=mine.sealed_secret))
    assert not totp.spend(other.id, code_now(secret))


def shown_secret(here: Place) -> str:
    return key_on(here.browser.page)


def csrf(here: Place) -> str:
    from tests.relying_party import form_of

    assert here.browser.page is not None
    return form_of(here.browser.page.text, "language-form")[1]["csrf_token"]


def set_password_by_mail(here: Place, token: str | None = None) -> None:
    clear = token or one_time_tokens.mint(here.parent.id, "password_reset")
    here.browser.open(f"/welcome?token={clear}")
    here.browser.submit("token-form", token=clear)
    here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)
