"""Passkeys over HTTP: what lets somebody in, and every answer that must not."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from idp.credentials import passkeys
from idp.lifecycle import endings
from idp.settings import Settings
from tests import factories
from tests.authenticator import UP, UV, Authenticator, Key, b64, make, options_of, use
from tests.conftest import settings_for_tests
from tests.entrance import enter
from tests.relying_party import answer, claims_of
from tests.second_factors import ISSUER, add_passkey, audited, passkey_of, signed_in_with, told
from tests.times import later, standing_still
from tests.web.places import Place, element, place

pytestmark = pytest.mark.quick_on("sqlite")

SIGN_IN = "passkey-form"


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)


@pytest.fixture
def device(here: Place) -> Authenticator:
    """Claire's phone, with her passkey on it, which she has added in another browser."""
    authenticator = Authenticator()
    browser = here.another_browser()
    enter(browser.client, here.parent)
    add_passkey(browser, authenticator)
    return authenticator


def refused(here: Place, why: str) -> None:
    """The page says one and the same thing, nobody is signed in, the audit trail knows why."""
    page = here.browser.page
    assert page is not None
    assert page.status_code == 400
    assert element(page, "form-notice")
    assert audited("factor_refused")[-1].detail["why"] == why
    here.browser.open("/")
    assert here.browser.shows("login-form")


@pytest.mark.parametrize(
    ("synchronised", "method"), [(False, "hwk"), (True, "swk")], ids=["bound", "synchronised"]
)
def test_a_passkey_signs_in_and_says_how(here: Place, synchronised: bool, method: str) -> None:
    phone = Authenticator(synchronised=synchronised)
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    here.browser.sign_out()

    claims = signed_in_with(here, lambda: use(here.browser, SIGN_IN, phone))

    assert claims["amr"] == [method, "user"]
    assert claims["acr"] == "phr"
    assert passkey_of(here).backup_eligible is synchronised
    assert passkey_of(here).backed_up is synchronised


@pytest.mark.parametrize("alg", [-7, -8, -257], ids=["ES256", "EdDSA", "RS256"])
def test_each_algorithm_that_we_ask_for_works(here: Place, alg: int) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone, alg=alg)
    here.browser.sign_out()
    here.browser.open("/")

    use(here.browser, SIGN_IN, phone)

    assert here.browser.shows("sign-out")


def test_what_a_browser_is_asked_to_make(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/passkeys")

    options, _form = options_of(here.browser, "passkey-add-form")

    assert options["rp"]["id"] == "localhost"
    assert {each["alg"] for each in options["pubKeyCredParams"]} == {-7, -8, -257}
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert options["attestation"] == "none"
    assert "claire" not in str(b64_decoded(options["user"]["id"]))


def test_e1_what_a_browser_is_asked_at_sign_in_names_nobody(
    here: Place, device: Authenticator
) -> None:
    here.at_sign_in(login_hint="claire")

    options, _form = options_of(here.browser, SIGN_IN)

    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"


def test_e1_the_sign_in_page_is_the_same_with_and_without_a_passkey(
    here: Place, device: Authenticator
) -> None:
    factories.account("marc")
    pages = []
    for username in ("claire", "marc", "nobody"):
        here.at_sign_in()
        page = here.browser.submit("login-form", username=username, password="wrong password")
        pages.append(page.text.replace(username, "…").replace(here.interaction(), "…"))
    assert len({len(page) for page in pages}) == 1


BENT: list[tuple[str, dict[str, Any], str]] = [
    ("origin", {"origin": "http://localhost:9999"}, "unproved"),
    ("foreign origin", {"origin": "https://evil.example"}, "unproved"),
    ("relying party", {"rp_id": "evil.example"}, "unproved"),
    ("challenge", {"challenge": b64(b"x" * 32)}, "challenge"),
    ("kind", {"type": "webauthn.create"}, "unproved"),
    ("frame", {"cross_origin": True}, "unproved"),
    ("user verification", {"flags": UP}, "unproved"),
    ("user presence", {"flags": UV}, "unproved"),
    ("signature", {"signature": b"\x30\x06\x02\x01\x01\x02\x01\x01"}, "unproved"),
    ("no user handle", {"user_handle": None}, "user handle"),
    ("foreign user handle", {"user_handle": b"a_somebody"}, "user handle"),
    ("backup eligibility", {"flags": UP | UV | 0x08}, "backup eligibility"),
]


@pytest.mark.parametrize(("bent", "why"), [each[1:] for each in BENT], ids=[e[0] for e in BENT])
def test_an_answer_that_breaks_one_rule_is_refused(
    here: Place, device: Authenticator, bent: dict[str, Any], why: str
) -> None:
    here.at_sign_in()

    use(here.browser, SIGN_IN, device, **bent)

    refused(here, why)


def test_a_key_that_nobody_registered_is_refused(here: Place, device: Authenticator) -> None:
    stranger = Key(user_handle=device.keys[0].user_handle)
    here.at_sign_in()
    use(here.browser, SIGN_IN, device, key=stranger)
    refused(here, "unknown credential")


def test_a_key_under_a_registered_id_is_refused(here: Place, device: Authenticator) -> None:
    registered = device.keys[0]
    forged = Key(credential_id=registered.credential_id, user_handle=registered.user_handle)
    here.at_sign_in()
    use(here.browser, SIGN_IN, device, key=forged)
    refused(here, "unproved")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 9000,
        '{"id": 1}',
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
        (
            '{"id": "é", "rawId": "é", "type": "public-key", "response": {"clientDataJSON": "AA",'
            ' "authenticatorData": "AA", "signature": "AA"}}'
        ),
        (
            '{"id": "AA", "rawId": "AA", "type": "public-key", "response":'
            ' {"clientDataJSON": "bnVsbA", "authenticatorData": "AA", "signature": "AA"}}'
        ),
        "x" * 20_000,
    ],
)
def test_what_is_no_answer_is_refused(here: Place, device: Authenticator, text: str) -> None:
    here.at_sign_in()
    here.browser.submit(SIGN_IN, credential=text)
    refused(here, "malformed")


def test_an_answer_works_once(here: Place, device: Authenticator) -> None:
    here.at_sign_in()
    options, form = options_of(here.browser, SIGN_IN)
    credential = device.get(options)
    page = here.browser.page
    here.browser.submit(SIGN_IN, credential=credential)
    here.browser.sign_out()
    here.browser.page = page

    here.at_sign_in()
    here.browser.submit(SIGN_IN, credential=credential)

    refused(here, "challenge")
    assert form.action


def test_a_challenge_works_for_five_minutes(here: Place, device: Authenticator) -> None:
    here.at_sign_in()
    options, _form = options_of(here.browser, SIGN_IN)
    with later(minutes=5, seconds=1):
        here.browser.submit(SIGN_IN, credential=device.get(options))
        refused(here, "challenge")


def test_a_challenge_works_in_the_browser_that_asked_for_it(
    here: Place, device: Authenticator
) -> None:
    other = here.another_browser()
    other.open(here.portal.authorize_path())
    options, _form = options_of(other, SIGN_IN)
    here.at_sign_in()
    here.browser.submit(SIGN_IN, credential=device.get(options))
    refused(here, "challenge")


def test_p12_a_challenge_works_for_its_purpose_only(here: Place, device: Authenticator) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/confirm")
    options, _form = options_of(here.browser, "confirm-passkey-form")
    here.browser.sign_out()
    here.at_sign_in()
    here.browser.submit(SIGN_IN, credential=device.get(options))
    refused(here, "challenge")


def test_a_counter_that_goes_back_is_refused_and_audited(
    here: Place, device: Authenticator
) -> None:
    here.at_sign_in()
    use(here.browser, SIGN_IN, device, counter=7)
    here.browser.sign_out()
    for counter in (7, 6, 0):
        here.at_sign_in()
        use(here.browser, SIGN_IN, device, counter=counter)
        refused(here, "counter")
    assert audited("factor_refused")[-1].account_id == here.parent.id


def test_an_authenticator_that_does_not_count_is_fine(here: Place) -> None:
    phone = Authenticator(counts=False)
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    for _ in range(2):
        here.browser.sign_out()
        here.browser.open("/")
        use(here.browser, SIGN_IN, phone)
        assert here.browser.shows("sign-out")


def test_f8_a_disabled_account_stays_out(here: Place, device: Authenticator) -> None:
    endings.disable_account(here.parent.id)
    here.at_sign_in()
    use(here.browser, SIGN_IN, device)
    refused(here, "disabled")


def test_m2_the_owner_is_told_of_a_new_passkey(here: Place, device: Authenticator) -> None:
    assert len(told("passkey_added")) == 1
    assert audited("passkey_added")[0].account_id == here.parent.id


REGISTERED: list[tuple[str, dict[str, Any]]] = [
    ("origin", {"origin": "http://localhost:9999"}),
    ("relying party", {"rp_id": "evil.example"}),
    ("challenge", {"challenge": b64(b"x" * 32)}),
    ("kind", {"type": "webauthn.get"}),
    ("frame", {"cross_origin": True}),
    ("user verification", {"flags": UP | 0x40}),
    ("user presence", {"flags": UV | 0x40}),
    ("no credential", {"flags": UP | UV}),
    ("algorithm", {"alg": -35}),
    ("attestation", {"attestation": {"fmt": "tpm", "attStmt": {}}}),
    ("certificates", {"attestation": {"fmt": "packed", "attStmt": {"x5c": [b"x"], "sig": b"x"}}}),
    ("backed up, but not eligible", {"flags": UP | UV | 0x40 | 0x10}),
]


@pytest.mark.parametrize("bent", [e[1] for e in REGISTERED], ids=[e[0] for e in REGISTERED])
def test_a_registration_that_breaks_one_rule_is_refused(here: Place, bent: dict[str, Any]) -> None:
    here.browser.sign_in_at_home("claire")
    here.browser.open("/account/passkeys")

    page = make(here.browser, "passkey-add-form", Authenticator(), **bent)

    assert page.status_code == 400
    assert element(page, "form-notice")
    here.browser.open("/account/passkeys")
    assert here.browser.shows("passkey-none")


def test_a_credential_is_registered_once(here: Place, device: Authenticator) -> None:
    """WebAuthn Level 3 §7.1 step 26: nobody takes over the id of another's passkey."""
    factories.account("marc")
    here.browser.sign_in_at_home("marc")
    here.browser.open("/account/passkeys")
    options, _form = options_of(here.browser, "passkey-add-form")
    thief = Authenticator()
    key = device.keys[0]
    thief_answer = _create_with_id(thief, options, key.credential_id)

    page = here.browser.submit("passkey-add-form", credential=thief_answer)

    assert page.status_code == 400
    assert passkey_of(here).account_id == here.parent.id


def test_ten_passkeys_and_no_more(here: Place) -> None:
    here.browser.sign_in_at_home("claire")
    for _ in range(9):
        add_passkey(here.browser, Authenticator())
    here.browser.open("/account/passkeys")
    waiting = here.browser.page
    make(here.browser, "passkey-add-form", Authenticator())
    assert not here.browser.shows("passkey-add-form")

    here.browser.page = waiting
    page = make(here.browser, "passkey-add-form", Authenticator())

    assert page.status_code == 400
    assert page.text.count('name="passkey"') == 20


def test_a_browser_has_a_bounded_number_of_challenges(here: Place) -> None:
    from sqlalchemy import func, select

    from idp.credentials.models import PasskeyChallenge
    from idp.database import db

    here.at_sign_in()
    for _ in range(passkeys.MOST_PENDING + 5):
        options_of(here.browser, SIGN_IN)
    db.session.rollback()
    count = db.session.scalar(select(func.count()).select_from(PasskeyChallenge))
    assert count == passkeys.MOST_PENDING


@pytest.mark.long
def test_e6_answers_are_counted_by_address(here: Place, device: Authenticator) -> None:
    here.at_sign_in()
    page = here.browser.page
    with standing_still():
        for number in range(101):
            here.browser.page = page
            answered = here.browser.submit(SIGN_IN, credential=f'{{"n": {number}}}')
    assert answered.status_code == 429
    assert answered.headers["Retry-After"]


def test_s4_the_sign_in_page_lets_its_script_ask_us_and_use_passkeys(here: Place) -> None:
    page = here.at_sign_in()
    assert "connect-src 'self'" in page.headers["Content-Security-Policy"]
    assert "'unsafe" not in page.headers["Content-Security-Policy"]
    assert "publickey-credentials-get=(self)" in page.headers["Permissions-Policy"]
    other = here.browser.open(f"{here.interaction()}/forgotten")
    assert "connect-src 'none'" in other.headers["Content-Security-Policy"]
    assert "publickey-credentials-get=()" in other.headers["Permissions-Policy"]


def test_a_passkey_waits_for_the_session_that_it_was_proved_for(
    here: Place, device: Authenticator
) -> None:
    """O17: with prompt=login, a passkey of before is not enough."""
    here.at_sign_in()
    use(here.browser, SIGN_IN, device)
    here.at_sign_in(prompt="login")
    assert here.browser.shows(SIGN_IN)
    fields = answer(use(here.browser, SIGN_IN, device))
    tokens = here.portal.redeem(here.browser.client, fields["code"]).json or {}
    assert claims_of(here.browser.client, tokens["id_token"])["acr"] == "phr"


def b64_decoded(text: str) -> bytes:
    from tests.authenticator import unb64

    return unb64(text)


def _create_with_id(device: Authenticator, options: dict[str, Any], credential_id: bytes) -> str:
    original: Callable[..., Key] = Key

    def with_id(*args: Any, **kwargs: Any) -> Key:
        return original(*args, credential_id=credential_id, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.authenticator.Key", with_id)
        return device.create(options)
