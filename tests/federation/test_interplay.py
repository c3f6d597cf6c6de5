"""What other providers, second factors and account life do to each other (P14, F7, F9, A3)."""

from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from idp import clock
from idp.credentials import one_time_tokens, totp
from idp.credentials.models import Passkey, Password
from idp.database import db, transaction
from idp.errors import Conflict
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.federation.models import PendingLink
from idp.lifecycle import endings, factor_changes, federation, restored
from idp.lifecycle import passwords as lifecycle
from idp.lifecycle.step_up import ways_in
from idp.people.models import Account
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession
from idp.settings import Settings
from idp.settings.providers import ProviderSettings
from tests import factories
from tests.authenticator import Authenticator, make
from tests.conftest import settings_for_tests
from tests.factories import PASSWORD
from tests.federation.rogue import CLIENT_ID, SECRET, Rogue
from tests.federation.worlds import Walker, address_of, links_of, mails
from tests.parallel import at_once
from tests.relying_party import answer, claims_of
from tests.second_factors import ISSUER, begin_app, code_now, switch_on
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

NEW = "Girafe-Violon-Bouton-9"


@pytest.fixture
def settings(database_url: str, keys_folder: Path, google: Rogue) -> Settings:
    """Google, and an issuer at which passkeys work."""
    provider = ProviderSettings(
        key="google", issuer=google.address, client_id=CLIENT_ID, client_secret=SECRET
    )
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER, providers=(provider,))


def claim(account: Account) -> None:
    """The owner sets a password by a mailed token, in another browser."""
    with transaction():
        clear = one_time_tokens.mint(account.id, "password_reset")
    found = one_time_tokens.find(clear)
    assert isinstance(found, one_time_tokens.Live)
    lifecycle.claim_with_token(found.token.id, NEW)


def claimed_before(
    monkeypatch: pytest.MonkeyPatch, here: Walker, where: Any, name: str
) -> list[int]:
    """Let the claim come between the look at the session and the change."""
    change: Callable[..., Any] = getattr(where, name)
    called: list[int] = []

    def after_the_claim(*args: Any, **kwargs: Any) -> Any:
        called.append(1)
        claim(here.parent)
        return change(*args, **kwargs)

    monkeypatch.setattr(where, name, after_the_claim)
    return called


class TestClaimsThatComeBetween:
    """P14: who is put out by a claim adds no way in after it, however close they came."""

    def test_p14_no_link(self, here: Walker, monkeypatch: pytest.MonkeyPatch) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/connections")
        address = address_of(here.browser.press("link-google"))
        called = claimed_before(monkeypatch, here, federation, "link")

        page = here.come_back(address)

        assert called
        assert page.status_code == 400
        assert links_of(here.parent) == []

    def test_p14_no_passkey(self, here: Walker, monkeypatch: pytest.MonkeyPatch) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/passkeys")
        called = claimed_before(monkeypatch, here, factor_changes, "add_passkey")

        make(here.browser, "passkey-add-form", Authenticator())

        assert called
        db.session.rollback()
        assert db.session.scalars(select(Passkey)).all() == []

    def test_p14_no_app(self, here: Walker, monkeypatch: pytest.MonkeyPatch) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/two-factor")
        begin_app(here.browser)
        browser_id = _browser_id(here)
        secret = totp.pending_secret(here.parent.id, browser_id)
        assert secret
        called = claimed_before(monkeypatch, here, factor_changes, "switch_on")

        here.browser.submit("totp-form", code=code_now(secret))

        assert called
        db.session.rollback()
        assert not totp.is_on(here.parent.id)

    def test_p14_no_recovery_codes(self, here: Walker, monkeypatch: pytest.MonkeyPatch) -> None:
        secret, _codes = switch_on(here.parent.id)
        here.browser.open("/")
        here.browser.sign_in("claire")
        here.browser.submit("second-factor-form", code=code_now(secret))
        here.browser.open("/account/two-factor")
        called = claimed_before(monkeypatch, here, factor_changes, "replace_recovery_codes")

        page = here.browser.press("recovery-replace")

        assert called
        assert "<code>" not in page.text


def _browser_id(here: Walker) -> str:
    with here.browser.client.session_transaction() as cookie:
        return str(cookie["b"])


def proved_just_now(here: Walker) -> None:
    here.provider.claims["auth_time"] = clock.timestamp()


def session_of(here: Walker) -> BrowserSession:
    db.session.rollback()
    (found,) = sessions.live(here.parent.id)
    db.session.refresh(found)
    return found


class TestStepUp:
    def test_a3_two_step_sign_in_that_was_switched_on_meanwhile_needs_more_than_a_provider(
        self, here: Walker
    ) -> None:
        here.linked()
        here.browser.sign_in_at_home("claire")
        with later(minutes=11):
            here.browser.open("/account/confirm?next=/account/passkeys")
            address = address_of(here.browser.press("confirm-provider-google"))
            switch_on(here.parent.id)
            proved_just_now(here)

            here.come_back(address)

            assert here.browser.shows("confirm-code-form")
            assert session_of(here).proved_at is None

    def test_f9_a_session_that_speaks_for_a_provider_ends_with_its_link(self, here: Walker) -> None:
        """What the ID token says by then – ``fed`` – was proved by that link alone."""
        link = here.linked()
        here.browser.sign_in_at_home("claire")
        with later(minutes=11):
            here.browser.open("/account/confirm?next=/account/connections")
            address = address_of(here.browser.press("confirm-provider-google"))
            proved_just_now(here)
            here.come_back(address)
            assert session_of(here).amr == "fed"

            federation.unlink(here.parent.id, link.id)

            here.browser.open("/")
            assert here.browser.shows("login-form")

    def test_a_password_again_leaves_a_session_with_the_link_it_came_by(self, here: Walker) -> None:
        link = here.linked()
        here.browser.open("/")
        here.walk()
        here.browser.open("/account/confirm")
        here.browser.submit("confirm-form", current_password=PASSWORD)
        assert (session_of(here).amr, session_of(here).link_id) == ("pwd", link.id)


def without_password(account: Account) -> None:
    with transaction() as writes:
        writes.execute(delete(Password).where(Password.account_id == account.id))


def sent_token(account: Account) -> one_time_tokens.Live:
    with transaction():
        clear = one_time_tokens.mint(account.id, "password_reset", sent_to=account.email_key)
    found = one_time_tokens.find(clear)
    assert isinstance(found, one_time_tokens.Live)
    return found


class TestWithoutAPassword:
    """P5: a parent who has none sets one by a mailed token; one who has one changes it."""

    def test_p5_the_owner_of_a_password_is_mailed_no_token_for_another(self, here: Walker) -> None:
        here.browser.sign_in_at_home("claire")
        page = here.browser.open("/account/password")
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]

        answered = here.browser.client.post(
            "/account/connections/password", data={"csrf_token": token}
        )

        assert answered.headers["Location"] == "/account/password"
        assert "fresh_token" not in mails()

    def test_p5_who_has_none_is_mailed_one(self, here: Walker) -> None:
        here.linked()
        without_password(here.parent)
        here.browser.open("/")
        here.walk()
        here.browser.open("/account/password")
        here.browser.press("mail-password-token")
        assert mails()[-1] == "fresh_token"

    def test_a_link_in_place_of_a_password_proves_the_address_as_well(self, here: Walker) -> None:
        """Whoever used the mailed token reads that mail, whatever they chose after it."""
        without_password(here.parent)
        assert here.parent.email_verified_at is None
        identity = ForeignIdentity("google", here.provider.address, "1001")

        federation.claim_with_token(sent_token(here.parent).token.id, identity)

        db.session.refresh(here.parent)
        assert here.parent.email_verified_at is not None


def at_code(here: Walker) -> str:
    """Signed in at Google, and asked for the app's code."""
    here.linked()
    secret, _codes = switch_on(here.parent.id)
    here.at_sign_in()
    here.walk()
    assert here.browser.shows("second-factor-form")
    return secret


def claims_by(here: Walker, page: TestResponse) -> dict[str, Any]:
    tokens = here.portal.redeem(here.browser.client, answer(page)["code"]).json or {}
    return claims_of(here.browser.client, tokens["id_token"])


class TestASecondFactorAfterAProvider:
    """A3, F7, F9: the provider's word waits like a password, and keeps what it said."""

    def test_a3_the_word_alone_opens_nothing(self, here: Walker) -> None:
        at_code(here)
        assert sessions.live(here.parent.id) == []
        answered = here.browser.open(here.portal.authorize_path(prompt="none"))
        assert answer(answered)["error"] == "login_required"

    def test_f9_the_session_keeps_link_and_time(self, here: Walker) -> None:
        here.provider.claims["auth_time"] = clock.timestamp() - 1000
        secret = at_code(here)
        claims = claims_by(here, here.browser.submit("second-factor-form", code=code_now(secret)))
        assert claims["amr"] == ["fed", "otp", "mfa"]
        assert claims["acr"] == "urn:school-idp:acr:two-factor"
        assert claims["auth_time"] == here.provider.claims["auth_time"]
        assert session_of(here).link_id is not None

    def test_f9_a_time_that_nobody_told_stays_untold(self, here: Walker) -> None:
        secret = at_code(here)
        claims = claims_by(here, here.browser.submit("second-factor-form", code=code_now(secret)))
        assert "auth_time" not in claims
        assert not session_of(here).auth_time_proved

    @pytest.mark.parametrize("by", ["owner", "provider", "operator"])
    def test_f7_unlinking_meanwhile_ends_it(self, here: Walker, by: str) -> None:
        secret = at_code(here)
        (link,) = links.of_account(here.parent.id)
        {
            "owner": lambda: federation.unlink(here.parent.id, link.id),
            "provider": lambda: federation.end_by_provider(link.issuer, "1001", clock.now()),
            "operator": lambda: federation.end_by_operator(here.parent.id, "google"),
        }[by]()

        here.browser.submit("second-factor-form", code=code_now(secret))

        assert here.browser.shows("login-form")
        db.session.rollback()
        assert sessions.live(here.parent.id) == []

    def test_f4_a_waiting_identity_is_linked_after_the_second_factor_and_not_before(
        self, here: Walker
    ) -> None:
        secret, _codes = switch_on(here.parent.id)
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        assert here.browser.shows("second-factor-form")
        assert links_of(here.parent) == []

        here.browser.submit("second-factor-form", code=code_now(secret))
        assert links_of(here.parent) == []
        page = here.browser.press("join-yes")

        assert "code" in answer(page)
        assert links_of(here.parent) == [("google", "1001")]

    def test_f5_it_is_linked_to_whoever_is_let_in_and_to_nobody_else(self, here: Walker) -> None:
        """Claire's password is known, her code is not; then Marc signs in in the same walk."""
        switch_on(here.parent.id)
        marc, _ = factories.family(here.school, "Tom", username="marc")
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        at = here.browser.page
        assert at is not None
        here.browser.open(at.request.path.replace("/second-factor", "/login"))

        here.browser.sign_in("marc")
        page = here.browser.press("join-yes")

        assert "code" in answer(page)
        assert links_of(here.parent) == []
        assert links_of(marc) == [("google", "1001")]


class TestStaff:
    """A3: no way past the second factor."""

    def test_a3_a_linked_provider_leads_to_enrolment(self, here: Walker) -> None:
        here.linked()
        factor_changes.grant_role(here.parent.id, "manager", here.school.id)
        here.at_sign_in()
        here.walk()
        assert here.browser.shows("enrol-app-form")
        for path in ("/", "/account/connections", "/account/passkeys", "/account/data"):
            here.browser.open(path)
            assert here.browser.shows("login-form")

    def test_a3_a_provider_in_place_of_a_password_leads_to_enrolment(self, here: Walker) -> None:
        invited, _ = factories.family(
            here.school, "Sami", username="nadia", email="nadia@example.org", status="invited"
        )
        factor_changes.grant_role(invited.id, "manager", here.school.id)
        with transaction():
            token = one_time_tokens.mint(invited.id, "first_sign_in")
        page = here.at_sign_in()
        here.browser.open(page.request.path.replace("/login", "/token"))
        here.browser.submit("token-form", token=token)
        here.walk()
        assert here.browser.shows("enrol-app-form")
        assert sessions.live(invited.id) == []

    def test_a3_a_role_that_comes_meanwhile_ends_the_first_factor_in_every_tab(
        self, here: Walker
    ) -> None:
        here.linked()
        first = here.at_sign_in().request.path
        address = here.leave()
        here.browser.sign_in_at_home("claire")
        factor_changes.grant_role(here.parent.id, "manager", here.school.id)

        here.come_back(address)
        assert here.browser.shows("enrol-app-form")
        here.browser.open(first.replace("/login", ""))
        assert here.browser.shows("login-form")
        answered = here.browser.open(here.portal.authorize_path(prompt="none"))
        assert answer(answered)["error"] == "login_required"


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_of_a_link_and_a_passkey_removed_at_once_the_last_way_in_stays(here: Walker) -> None:
    account_id, link_id = here.parent.id, here.linked().id
    with transaction() as writes:
        passkey = Passkey(account_id=account_id, credential_id="c", public_key=b"x", name="x")
        writes.add(passkey)
        writes.flush()
    passkey_id = passkey.id
    without_password(here.parent)
    works = iter(
        [
            lambda: federation.unlink(account_id, link_id),
            lambda: factor_changes.remove_passkey(account_id, passkey_id, keep_session=""),
        ]
    )

    def remove() -> str:
        work = next(works)
        try:
            work()
        except Conflict as refused:
            return {"last_way_in": "kept"}[refused.code]
        return "removed"

    results, errors = at_once(here.app, 2, remove)

    assert not errors
    assert sorted(results) == ["kept", "removed"]
    db.session.rollback()
    assert ways_in(account_id).count == 1


def test_the_history_tells_of_links_and_factors(here: Walker) -> None:
    """Whatever lets somebody in, or was tried, is in front of its owner's eyes."""
    account_id = here.parent.id
    link = here.linked()
    _secret, codes = switch_on(account_id)
    here.browser.open("/")
    here.browser.sign_in("claire")
    here.browser.submit("second-factor-form", code="000000")
    here.browser.submit("second-factor-form", code=codes[0])
    federation.unlink(account_id, link.id)
    factor_changes.switch_off(account_id)

    page = here.browser.open("/account/history")

    for words in (
        "Votre compte a été relié au compte Google",
        "Le lien avec Google a été supprimé",
        "La connexion en deux étapes a été désactivée",
        "Un code de secours a été utilisé",
        "Un code ou une clé d'accès a été refusé",
    ):
        assert words in unescape(page.text)
    assert link.subject not in page.text


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_r9_after_a_restore_no_identity_waits_and_no_walk_goes_on(here: Walker) -> None:
    here.at_sign_in()
    here.walk()
    assert here.browser.shows("login-form")
    here.at_sign_in()
    address = here.leave()

    restored.end_what_came_back()

    db.session.rollback()
    assert db.session.scalars(select(PendingLink)).all() == []
    assert here.come_back(address).status_code == 400


def test_f8_a_disabled_guardian_stays_out_between_the_two_factors(here: Walker) -> None:
    secret = at_code(here)
    endings.disable_account(here.parent.id)
    here.browser.submit("second-factor-form", code=code_now(secret))
    assert here.browser.shows("login-form")
    here.at_sign_in()
    assert here.walk().status_code == 403
    assert sessions.live(here.parent.id) == []
