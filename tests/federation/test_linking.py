"""F3 to F5, F7, F8, P14: who gets which account, and who does not."""

from html import unescape

import pytest
from flask import Flask
from sqlalchemy import delete

from idp.credentials import one_time_tokens, passwords
from idp.database import db, transaction
from idp.errors import Conflict
from idp.federation.models import PendingLink
from idp.lifecycle import endings
from idp.lifecycle import passwords as lifecycle
from idp.people import accounts
from idp.people.models import Account
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, Interaction
from tests import factories
from tests.factories import PASSWORD
from tests.federation.rogue import Rogue
from tests.federation.worlds import (
    Walker,
    address_of,
    asked_of,
    events_named,
    linked,
    links_of,
    mails,
)
from tests.relying_party import answer
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")

NEW = "Girafe-Violon-Bouton-9"


@pytest.fixture
def invited(here: Walker) -> Account:
    account, _ = factories.family(
        here.school, "Sami", username="nadia", email="nadia@example.org", status="invited"
    )
    return account


def at_new_password(here: Walker, account: Account) -> None:
    """Figure 3, by a token of the account's mail."""
    purpose = "first_sign_in" if account.status == "invited" else "password_reset"
    with transaction():
        token = one_time_tokens.mint(account.id, purpose)
    here.at_sign_in(scope="openid child")
    at = here.browser.page
    assert at is not None
    here.browser.open(at.request.path.replace("/login", "/token"))
    here.browser.submit("token-form", token=token)
    assert here.browser.shows("password-form")


def home_of(here: Walker) -> str:
    page = here.browser.open("/")
    return page.text if here.browser.shows("sign-out") else ""


class TestInvited:
    """An invited parent may choose a provider in place of a password."""

    def test_p6_one_click_spends_the_token_activates_links_and_signs_in(
        self, here: Walker, invited: Account
    ) -> None:
        at_new_password(here, invited)

        fields = answer(here.walk())

        assert "code" in fields
        db.session.expire_all()
        assert accounts.find_account(invited.id).status == "active"  # type: ignore[union-attr]
        assert not passwords.has_password(invited.id)
        assert links_of(invited) == [("google", "1001")]
        assert mails() == ["link_made"]
        assert len(sessions.live(invited.id)) == 1

    def test_next_time_the_button_alone_is_enough(self, here: Walker, invited: Account) -> None:
        at_new_password(here, invited)
        here.walk()
        here.browser.sign_out()
        here.at_sign_in()
        assert "code" in answer(here.walk())

    def test_an_identity_of_another_account_leaves_the_token_unspent(
        self, here: Walker, invited: Account
    ) -> None:
        here.linked(account=here.parent)
        at_new_password(here, invited)

        page = here.walk()

        assert "déjà relié à un autre compte" in page.text
        assert links_of(invited) == []
        again = here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)
        assert "code" in answer(again)

    def test_f4_not_without_a_proved_token(self, here: Walker, invited: Account) -> None:
        here.at_sign_in()
        at = here.browser.page
        assert at is not None
        path = at.request.path.replace("/login", "/claim")
        token = at.text.split('name="csrf_token" value="')[1].split('"')[0]

        page = here.browser.client.post(path, data={"provider": "google", "csrf_token": token})

        assert page.status_code == 303
        assert here.provider.asked == []

    def test_a_token_that_died_on_the_way_opens_nothing(
        self, here: Walker, invited: Account
    ) -> None:
        at_new_password(here, invited)
        address = here.leave()
        with transaction():
            one_time_tokens.mint(invited.id, "first_sign_in")

        page = here.come_back(address)

        assert page.request.path.endswith("/token")
        assert links_of(invited) == []

    def test_not_in_another_browser(self, here: Walker, invited: Account) -> None:
        at_new_password(here, invited)
        address = here.leave()
        thief = here.another_browser()
        thief.open("/")
        assert thief.open(here.provider.answer(address)).status_code == 400
        assert links_of(invited) == []

    def test_whoever_has_a_password_is_offered_no_claim(self, here: Walker) -> None:
        at_new_password(here, here.parent)
        assert not here.browser.shows("provider-google")


class TestPreHijacking:
    """P14: who was in before the owner claimed the account is out after."""

    def test_a_link_from_before_a_reset_opens_nothing_any_more(self, here: Walker) -> None:
        here.linked("666")
        here.provider.person = "666"
        at_new_password(here, here.parent)
        here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)
        here.browser.sign_out()
        assert links_of(here.parent) == []

        here.at_sign_in()
        page = here.walk()

        assert "/connect" in page.request.path

    def test_a_link_from_before_a_claim_by_provider_is_gone(
        self, here: Walker, other: Rogue
    ) -> None:
        account = factories.account("leo", status="invited", email="leo@example.org")
        linked(account, other.address, "666", "cabanga")
        at_new_password(here, account)
        here.walk()
        assert links_of(account) == [("google", "1001")]

    def test_the_mail_about_the_password_names_the_links_that_are_gone(self, here: Walker) -> None:
        from idp.lifecycle.mails.tokens import password_changed
        from idp.mail.models import OutboxMessage

        here.linked()
        with transaction():
            token = one_time_tokens.mint(here.parent.id, "password_reset")
        live = one_time_tokens.find(token)
        assert isinstance(live, one_time_tokens.Live)
        lifecycle.claim_with_token(live.token.id, NEW)
        message = db.session.query(OutboxMessage).filter_by(kind="password_changed").one()
        with transaction():
            (letter,) = password_changed(message)
        assert "Google" in letter.text
        assert "Google" in letter.html


class TestLinkedElsewhere:
    """F5: a link never moves."""

    def test_the_same_identity_on_a_second_account_is_refused_with_a_page(
        self, here: Walker
    ) -> None:
        first = factories.account("first")
        here.at_sign_in()
        here.walk()
        linked(first, here.provider.address)

        here.browser.sign_in("claire")
        page = here.browser.press("join-yes")

        assert here.browser.shows("link-refused")
        assert "déjà relié à un autre compte" in page.text
        assert links_of(first) == [("google", "1001")]
        assert links_of(here.parent) == []
        assert [each.result for each in events_named("link_refused")] == ["refused"]
        at = page.request.path.replace("/connect/refused", "")
        assert "code" in answer(here.browser.open(at)), "and the application gets its answer"

    def test_a_second_identity_of_one_provider_is_refused(self, here: Walker) -> None:
        here.linked("1001")
        here.provider.person = "1002"
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        here.browser.press("join-yes")
        assert here.browser.shows("link-refused")
        assert links_of(here.parent) == [("google", "1001")]

    def test_a_signed_in_parent_can_not_take_over_anothers_identity(self, here: Walker) -> None:
        linked(factories.account("first"), here.provider.address)
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/connections")
        page = here.browser.open(
            here.provider.answer(address_of(here.browser.press("link-google")))
        )
        assert "déjà relié à un autre compte" in page.text
        assert links_of(here.parent) == []

    def test_two_guardians_race_for_one_identity_and_one_gets_it(
        self, here: Walker, app: Flask
    ) -> None:
        from idp.federation.identity import ForeignIdentity
        from idp.lifecycle import federation

        identity = ForeignIdentity("google", here.provider.address, "1001")
        second = factories.account("second")
        assert federation.link(here.parent.id, identity, epoch=0)
        with pytest.raises(federation.LinkedElsewhere):
            federation.link(second.id, identity, epoch=0)
        assert not federation.link(here.parent.id, identity, epoch=0), "once more changes nothing"


class TestWaiting:
    """F7: a waiting identity belongs to one interaction of one browser, once."""

    def test_it_can_be_refused_before_signing_in(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        here.browser.press("waiting-forget")
        here.browser.sign_in("claire")
        assert links_of(here.parent) == []

    def test_it_is_not_linked_in_another_interaction(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        here.at_sign_in(state="another")
        here.browser.sign_in("claire")
        assert links_of(here.parent) == []

    def test_it_expires_with_its_interaction(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        with later(hours=1, seconds=5):
            here.at_sign_in()
            here.browser.sign_in("claire")
        assert links_of(here.parent) == []

    @pytest.mark.parametrize("at_portal", [True, False])
    def test_n4_a_token_of_a_mail_is_never_joined_with_it(
        self, here: Walker, at_portal: bool
    ) -> None:
        """Somebody left their Google in the school's computer; the next parent reads a mail."""
        invited = factories.account("leo", status="invited", email="leo@example.org")
        if at_portal:
            here.at_sign_in()
        else:
            here.browser.open("/")
        here.walk()
        with transaction():
            token = one_time_tokens.mint(invited.id, "first_sign_in")
        here.browser.open(f"/welcome?token={token}")
        assert not here.browser.shows("waiting-link")
        here.browser.submit("token-form", token=token)
        here.browser.submit("password-form", new_password=NEW, repeat_password=NEW)

        assert not here.browser.shows("join-yes")
        assert links_of(invited) == []
        stranger = here.another_browser()
        stranger.open("/")
        page = stranger.open(here.provider.answer(here.leave(browser=stranger)))
        assert "/connect" in page.request.path

    @pytest.mark.parametrize("answered", ["join-no", None])
    def test_n4_nothing_is_linked_without_a_yes(self, here: Walker, answered: str | None) -> None:
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        assert here.browser.shows("join-yes")
        assert links_of(here.parent) == []
        if answered:
            assert "code" in answer(here.browser.press(answered))
            db.session.rollback()
            assert db.session.query(PendingLink).count() == 0
        assert links_of(here.parent) == []

    def test_n4_a_form_without_an_answer_says_no(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        here.browser.submit("join-form")
        assert links_of(here.parent) == []
        assert db.session.query(PendingLink).count() == 0

    def test_n4_a_yes_links_and_goes_on(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        assert "code" in answer(here.browser.press("join-yes"))
        assert links_of(here.parent) == [("google", "1001")]
        assert "link_made" in mails()
        assert db.session.query(PendingLink).count() == 0

    def test_n4_what_waits_dies_with_another_sign_in(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        here.browser.sign_in_at_home("claire")
        assert db.session.query(PendingLink).count() == 0

    def test_n4_nobody_answers_for_whoever_signed_in(self, here: Walker) -> None:
        second = factories.account("second")
        here.at_sign_in()
        here.walk()
        here.browser.sign_in("claire")
        question = here.browser.page
        assert question is not None
        here.browser.sign_out()
        here.browser.sign_in_at_home("second")
        here.browser.page = question
        here.browser.press("join-yes")
        assert links_of(here.parent) == links_of(second) == []

    def test_it_does_not_outlast_a_sign_out_on_a_shared_computer(self, here: Walker) -> None:
        factories.account("second")
        here.at_sign_in()
        here.walk()
        waiting = here.browser.page
        here.browser.sign_in_at_home("second")
        here.browser.sign_out()
        here.browser.page = waiting
        here.browser.sign_in("claire")
        assert links_of(here.parent) == []

    def test_it_is_deleted_with_its_interaction(self, here: Walker) -> None:
        here.at_sign_in()
        here.walk()
        assert db.session.query(PendingLink).count() == 1
        with transaction() as writes:
            writes.execute(delete(Interaction))
        assert db.session.query(PendingLink).count() == 0


class TestDisabled:
    """F8: a disabled guardian stays out by every way in."""

    def test_f8_with_a_link(self, here: Walker) -> None:
        here.linked()
        endings.disable_account(here.parent.id)
        here.at_sign_in()

        page = here.walk()

        assert page.status_code == 403
        assert "Votre compte est fermé" in page.text
        assert home_of(here) == ""

    def test_f8_disabled_between_proof_and_session(
        self, here: Walker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from idp.lifecycle import federation

        prove = federation.prove

        def slow(identity: object) -> object:
            found = prove(identity)  # type: ignore[arg-type]
            endings.disable_account(here.parent.id)
            return found

        here.linked()
        here.at_sign_in()
        monkeypatch.setattr(federation, "prove", slow)
        here.walk()
        monkeypatch.undo()
        assert home_of(here) == ""

    def test_a_link_removed_between_proof_and_session_opens_nothing(
        self, here: Walker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from idp.lifecycle import federation

        link = here.linked()
        prove = federation.prove

        def slow(identity: object) -> object:
            found = prove(identity)  # type: ignore[arg-type]
            federation.unlink(here.parent.id, link.id)
            return found

        here.at_sign_in()
        monkeypatch.setattr(federation, "prove", slow)
        here.walk()
        monkeypatch.undo()
        assert home_of(here) == ""


class TestChangesAtTheProvider:
    def test_a_changed_address_changes_nothing(self, here: Walker) -> None:
        here.linked()
        here.provider.claims = {"email": "new@elsewhere.example", "email_verified": False}
        here.at_sign_in()
        assert "code" in answer(here.walk())
        db.session.expire_all()
        kept = accounts.find_account(here.parent.id)
        assert kept is not None
        assert kept.email == "claire@example.org"

    def test_an_address_that_went_to_somebody_else_opens_nothing(self, here: Walker) -> None:
        here.linked("1001")
        here.provider.person = "2002"
        here.provider.claims = {"email": "claire@example.org", "email_verified": True}
        here.at_sign_in()
        assert "/connect" in here.walk().request.path

    def test_a_deleted_account_there_comes_back_with_a_sentence(self, here: Walker) -> None:
        here.linked()
        here.at_sign_in()
        page = here.walk(error="server_error", code=None)
        assert "ne répond pas" in page.text
        assert "code" in answer(here.browser.sign_in("claire"))


class TestAccountPage:
    def test_a_signed_in_parent_links_and_is_told(self, here: Walker) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/connections")

        page = here.browser.open(
            here.provider.answer(address_of(here.browser.press("link-google")))
        )

        assert "est relié" in unescape(page.text)
        assert links_of(here.parent) == [("google", "1001")]
        assert mails() == ["link_made"]

    def test_the_parent_is_asked_which_of_their_identities_it_is(self, here: Walker) -> None:
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/connections")
        asked = asked_of(address_of(here.browser.press("link-google")))
        assert asked["prompt"] == "select_account"

    def test_the_answer_counts_only_in_the_session_that_asked(self, here: Walker) -> None:
        factories.account("second")
        here.browser.sign_in_at_home("claire")
        here.browser.open("/account/connections")
        address = address_of(here.browser.press("link-google"))
        factories.end_sessions(BrowserSession.account_id == here.parent.id)
        here.browser.sign_in_at_home("second")

        assert here.come_back(address).status_code == 400

        assert links_of(here.parent) == []
        assert here.provider.count("/token") == 1

    def test_unlinking_ends_the_sessions_that_came_from_it_and_no_other(
        self, here: Walker, app: Flask
    ) -> None:
        here.linked()
        here.at_sign_in(scope="openid offline_access")
        tokens = here.portal.redeem(here.browser.client, answer(here.walk())["code"]).json or {}
        owner = here.another_browser()
        owner.sign_in_at_home("claire")
        owner.open("/account/connections")

        page = owner.press("unlink-1")

        assert "n'est plus relié" in unescape(page.text)
        db.session.rollback()
        assert len(sessions.live(here.parent.id)) == 1
        assert home_of(here) == ""
        gone = here.portal.refresh(here.browser.client, tokens["refresh_token"])
        assert gone.status_code == 400
        assert mails()[-1] == "link_removed"
        here.at_sign_in()
        assert "/connect" in here.walk().request.path

    def test_the_last_way_in_can_not_be_removed(self, here: Walker, invited: Account) -> None:
        at_new_password(here, invited)
        here.walk()
        from idp.federation import links
        from idp.lifecycle import federation

        page = here.browser.open("/account/connections")
        assert "seul moyen" in page.text
        assert not here.browser.shows("unlink-1")
        (link,) = links.of_account(invited.id)
        with pytest.raises(Conflict, match="last_way_in"):
            federation.unlink(invited.id, link.id)
        assert links_of(invited) == [("google", "1001")]

    def test_nobody_removes_the_link_of_another(self, here: Walker) -> None:
        theirs = linked(factories.account("second"), here.provider.address)
        here.browser.sign_in_at_home("claire")
        page = here.browser.open("/account/connections")
        token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
        here.browser.client.post(
            "/account/connections/unlink", data={"csrf_token": token, "link": theirs.id}
        )
        assert events_named("link_ended") == []

    def test_linking_and_unlinking_ask_for_a_fresh_proof(self, here: Walker) -> None:
        here.linked()
        here.browser.sign_in_at_home("claire")
        with later(minutes=11):
            here.browser.open("/account/connections")
            here.browser.press("unlink-1")
            assert here.browser.shows("confirm-form")
            here.browser.submit("confirm-form", current_password=PASSWORD)
            here.browser.press("unlink-1")
        assert links_of(here.parent) == []

    def test_a_parent_without_a_password_is_mailed_a_token(
        self, here: Walker, invited: Account
    ) -> None:
        at_new_password(here, invited)
        here.walk()
        here.browser.open("/account/connections")
        here.browser.press("mail-password-token")
        assert mails() == ["link_made", "fresh_token"]

    def test_a_parent_without_a_password_is_not_asked_for_the_current_one(
        self, here: Walker, invited: Account
    ) -> None:
        at_new_password(here, invited)
        here.walk()
        page = here.browser.open("/account/password")
        assert page.request.path == "/account/connections"
        assert here.browser.shows("no-password")

    def test_the_operator_can_unlink_even_the_last_way_in(
        self, here: Walker, invited: Account
    ) -> None:
        from idp.lifecycle import federation

        at_new_password(here, invited)
        here.walk()
        assert not federation.end_by_operator(invited.id, "facebook")
        assert federation.end_by_operator(invited.id, "google")
        assert links_of(invited) == []
        assert home_of(here) == ""

    def test_a_switched_off_provider_shows_no_button_and_its_link_can_go(
        self, here: Walker
    ) -> None:
        linked(here.parent, "https://gone.example", "7", "itsme")
        here.browser.sign_in_at_home("claire")
        page = here.browser.open("/account/connections")
        assert "Itsme" in page.text
        here.browser.press("unlink-4")
        assert links_of(here.parent) == []


def test_no_account_is_ever_made(here: Walker) -> None:
    before = len(list(accounts.list_accounts()))
    here.at_sign_in()
    here.walk()
    here.browser.open("/")
    assert len(list(accounts.list_accounts())) == before


def test_where_nothing_is_configured_nothing_is_shown(here: Walker, app: Flask) -> None:
    app.extensions["idp.federation"] = {}
    page = here.at_sign_in()
    assert "Ou connectez-vous avec" not in page.text
