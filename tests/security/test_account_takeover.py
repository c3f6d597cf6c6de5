"""Attacks on an account by way of its address: rules P7, P8, P12, P14, P15, E1, E3, C3, R4."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from idp.audit.models import AuditEvent
from idp.credentials import email_changes, one_time_tokens, passwords
from idp.database import db
from idp.lifecycle import email_change, endings
from idp.lifecycle import passwords as lifecycle
from idp.mail.models import OutboxMessage
from idp.oidc import consent
from idp.people import accounts
from idp.people.models import Account
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession
from tests import factories
from tests.parallel import at_once
from tests.relying_party import Browser, form_of, world

pytestmark = pytest.mark.quick_on("postgresql")

OLD, OTHER, THIRD = "claire@dubois.example", "claire@new.example", "claire@third.example"
NEW = "Brouette-Citadelle-Orage-9"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def claire(app: Flask) -> Account:
    return factories.account("claire", email=OLD, proved=True)


def asked(account: Account, address: str = OTHER) -> tuple[str, str]:
    """The secrets of a change that waits: to confirm, and to undo."""
    session, _secret = sessions.begin(account.id, amr=("pwd",), acr="1")
    assert isinstance(
        email_change.request_change(account, address, session.id), email_change.Requested
    )
    change = email_changes.waiting(account.id)
    assert change is not None
    confirm, undo = (email_changes.mint_link(change, each, "m") for each in ("confirm", "undo"))
    return confirm, undo


def as_it_is(account: Account) -> Account:
    db.session.rollback()
    fresh = db.session.get(Account, account.id, populate_existing=True)
    assert fresh is not None
    return fresh


def count_of(model: Any, **having: str) -> int:
    db.session.rollback()
    conditions = [getattr(model, name) == value for name, value in having.items()]
    return int(db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0)


def raced(app: Flask, *calls: Callable[[], Any]) -> list[Any]:
    """What each call came to, all begun at once; nothing may be raised."""
    waiting = iter(calls)

    def call() -> Any:
        return next(waiting)()

    results, errors = at_once(app, len(calls), call)
    assert not errors, errors[:3]
    return results


class TestRaces:
    """R4: two who decide at once; one wins, and the other gets a clean answer."""

    def test_r4_of_twenty_confirmations_at_once_one_wins(self, app: Flask, claire: Account) -> None:
        confirm, _ = asked(claire)
        results = raced(app, *[lambda: email_change.confirm(confirm)] * 20)
        assert [isinstance(each, email_change.Open) for each in results].count(True) == 1
        assert as_it_is(claire).email == OTHER
        assert count_of(AuditEvent, event="email_changed") == 1
        assert count_of(OutboxMessage, kind="email_changed") == 1

    def test_r4_of_twenty_undoings_at_once_one_wins(self, app: Flask, claire: Account) -> None:
        confirm, undo = asked(claire)
        email_change.confirm(confirm)
        results = raced(app, *[lambda: email_change.undo(undo)] * 20)
        assert [isinstance(each, email_change.Open) for each in results].count(True) == 1
        assert as_it_is(claire).email == OLD
        assert count_of(OutboxMessage, kind="email_undone") == 1

    @pytest.mark.parametrize("_again", range(5))
    def test_r4_confirming_against_undoing_leaves_the_old_address(
        self, app: Flask, claire: Account, _again: int
    ) -> None:
        confirm, undo = asked(claire)
        raced(app, lambda: email_change.confirm(confirm), lambda: email_change.undo(undo))
        found = as_it_is(claire)
        assert (found.email, found.email_key) == (OLD, OLD)
        assert isinstance(email_change.find_open("confirm", confirm), email_change.Gone)

    @pytest.mark.parametrize("_again", range(5))
    def test_p14_asking_against_a_reset_leaves_nothing_that_waits(
        self, app: Flask, claire: Account, _again: int
    ) -> None:
        session, _ = sessions.begin(claire.id, amr=("pwd",), acr="1")
        token = one_time_tokens.find(one_time_tokens.mint(claire.id, "password_reset"))
        token_id = token.token.id  # type: ignore[union-attr]

        def ask() -> Any:
            thief = accounts.find_account(claire.id)
            assert thief is not None
            return email_change.request_change(thief, OTHER, session.id)

        raced(app, ask, lambda: lifecycle.claim_with_token(token_id, NEW))
        db.session.rollback()
        assert email_changes.waiting(claire.id) is None

    @pytest.mark.parametrize("_again", range(5))
    def test_p15_confirming_against_a_reset_lets_the_token_or_the_change_win(
        self, app: Flask, claire: Account, _again: int
    ) -> None:
        confirm, _ = asked(claire)
        token = one_time_tokens.find(one_time_tokens.mint(claire.id, "password_reset"))
        token_id = token.token.id  # type: ignore[union-attr]

        def claim() -> bool:
            try:
                lifecycle.claim_with_token(token_id, NEW)
            except lifecycle.TokenGone:
                return False
            return True

        results = raced(app, lambda: email_change.confirm(confirm), claim)
        confirmed = any(isinstance(each, email_change.Open) for each in results)
        claimed = any(each is True for each in results)
        assert confirmed != claimed
        assert as_it_is(claire).email == (OTHER if confirmed else OLD)
        assert passwords.verify(claire.id, NEW) == claimed


class TestWhatEnds:
    def test_p15_a_changed_address_ends_older_tokens(self, claire: Account) -> None:
        token = one_time_tokens.mint(claire.id, "password_reset")
        email_change.confirm(asked(claire)[0])
        assert isinstance(one_time_tokens.find(token), one_time_tokens.Unknown)

    def test_p14_undoing_ends_every_way_in_that_came_since(self, claire: Account) -> None:
        confirm, undo = asked(claire)
        email_change.confirm(confirm)
        passwords.set_password(claire.id, NEW)  # as a token that was mailed to the new address does
        token = one_time_tokens.mint(claire.id, "password_reset")
        epoch = as_it_is(claire).credentials_epoch
        email_change.undo(undo)
        assert sessions.live(claire.id) == []
        assert isinstance(one_time_tokens.find(token), one_time_tokens.Unknown)
        assert not passwords.has_password(claire.id)
        assert as_it_is(claire).credentials_epoch > epoch

    def test_p14_undoing_takes_back_what_was_allowed_since(self, claire: Account) -> None:
        school = factories.school()
        before, since = (factories.client_app(school, first_party=False).client.id for _ in "ab")
        consent.remember(claire.id, before, "openid")
        confirm, undo = asked(claire)
        consent.remember(claire.id, since, "openid")
        email_change.confirm(confirm)
        email_change.undo(undo)
        db.session.expire_all()
        assert consent.allowed_now(claire.id, before) is not None
        assert consent.allowed_now(claire.id, since) is None

    def test_p14_undoing_proves_the_old_address(self, claire: Account) -> None:
        confirm, undo = asked(claire)
        email_change.confirm(confirm)
        email_change.undo(undo)
        assert as_it_is(claire).email_verified_at is not None

    def test_a_session_that_has_ended_asks_for_nothing(self, claire: Account) -> None:
        session, _ = sessions.begin(claire.id, amr=("pwd",), acr="1")
        factories.end_sessions(BrowserSession.account_id == claire.id)
        outcome = email_change.request_change(claire, OTHER, session.id)
        assert isinstance(outcome, email_change.SessionGone)
        assert email_changes.waiting(claire.id) is None

    def test_f8_a_disabled_account_confirms_nothing(self, claire: Account) -> None:
        confirm, undo = asked(claire)
        endings.disable_account(claire.id)
        for outcome in (email_change.confirm(confirm), email_change.undo(undo)):
            assert isinstance(outcome, email_change.Gone)
        assert as_it_is(claire).email == OLD

    def test_the_schools_word_ends_what_waits_and_no_way_back(self, claire: Account) -> None:
        confirm, undo = asked(claire)
        email_change.confirm(confirm)
        waits, _ = asked(claire, "claire@fourth.example")
        email_change.by_staff(claire.id, THIRD)
        found = as_it_is(claire)
        assert (found.email, found.email_verified_at) == (THIRD, None)
        assert isinstance(email_change.confirm(waits), email_change.Gone)
        assert isinstance(email_change.undo(undo), email_change.Open)
        assert as_it_is(claire).email == OLD

    def test_p12_a_secret_confirms_or_undoes_but_not_the_other(self, claire: Account) -> None:
        confirm, undo = asked(claire)
        assert isinstance(email_change.confirm(undo), email_change.Gone)
        assert isinstance(email_change.undo(confirm), email_change.Gone)
        assert as_it_is(claire).email == OLD

    def test_the_confirmation_of_one_account_changes_no_other(self, claire: Account) -> None:
        paul = factories.account("paul", email="paul@x.example")
        asked(paul, THIRD)
        email_change.confirm(asked(claire)[0])
        assert as_it_is(paul).email == "paul@x.example"


class TestLinks:
    @on_sqlite
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_p7_opening_the_links_changes_nothing(
        self, app: Flask, claire: Account, method: str
    ) -> None:
        for purpose, secret in zip(("confirm", "undo"), asked(claire), strict=True):
            for _ in range(3):
                scanner = app.test_client()
                path = f"/account/email/{purpose}?token={secret}"
                scanner.open(path, method=method, follow_redirects=True)
        assert as_it_is(claire).email == OLD
        assert email_changes.waiting(claire.id) is not None

    @on_sqlite
    def test_p8_one_redirect_takes_the_secret_out_of_the_address(
        self, app: Flask, claire: Account
    ) -> None:
        for purpose, secret in zip(("confirm", "undo"), asked(claire), strict=True):
            http = app.test_client()
            first = http.get(f"/account/email/{purpose}?token={secret}")
            assert first.status_code == 303
            assert secret not in first.headers["Location"]
            page = http.get(first.headers["Location"])
            assert secret not in page.text
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert page.headers["Cache-Control"] == "no-store"

    @on_sqlite
    def test_p6_no_secret_stands_in_clear_anywhere(self, app: Flask, claire: Account) -> None:
        secrets = asked(claire)
        for purpose, secret in zip(("confirm", "undo"), secrets, strict=True):
            app.test_client().get(f"/account/email/{purpose}?token={secret}")
        for table in db.metadata.sorted_tables:
            for row in db.session.execute(select(table)):
                assert not any(secret in str(row) for secret in secrets)

    def test_p12_a_link_opened_for_one_page_is_nothing_on_another(
        self, app: Flask, claire: Account
    ) -> None:
        confirm, _ = asked(claire)
        browser = Browser(app.test_client())
        page = browser.open(f"/account/email/confirm?token={confirm}")
        interaction = page.request.path.rpartition("/")[2]
        browser.open(f"/account/email/undo/{interaction}")
        assert browser.shows("email-gone")
        assert confirm not in browser.open(f"/interaction/{interaction}/token").text

    def test_s10_the_page_of_a_link_is_worth_nothing_in_another_browser(
        self, app: Flask, claire: Account
    ) -> None:
        confirm, _ = asked(claire)
        browser = Browser(app.test_client())
        page = browser.open(f"/account/email/confirm?token={confirm}")
        path, fields = form_of(page.text, "confirm-email-form")
        thief = Browser(app.test_client())
        thief.open("/")
        assert thief.client.get(path).status_code == 404
        own = form_of(thief.page.text, "login-form")[1]  # type: ignore[union-attr]
        assert thief.client.post(path, data={**fields, **own}).status_code == 404
        assert as_it_is(claire).email == OLD

    @on_sqlite
    @pytest.mark.parametrize("secret", ["", "x", "0" * 200, "%00", "'", "🔑"])
    def test_whatever_is_no_secret_gets_the_same_page(
        self, app: Flask, claire: Account, secret: str
    ) -> None:
        asked(claire)
        for purpose in ("confirm", "undo"):
            browser = Browser(app.test_client())
            page = browser.open(f"/account/email/{purpose}?token={secret}")
            assert page.status_code == 404
            assert browser.shows("email-gone")


class TestAsking:
    def page_for(self, browser: Browser, address: str) -> tuple[int, str]:
        browser.open("/account/email")
        page = browser.submit("email-form", new_email=address)
        text = page.text.replace("<wbr>", "").replace(address, "ADDRESS")
        changing = re.compile(r'name="(?:csrf_token|once)" value="[^"]*"|(?<![\w-])[ief]_[\w-]{22}')
        return page.status_code, changing.sub("", text)

    def test_e1_the_answer_does_not_tell_whether_somebody_has_the_address(
        self, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        factories.account("paul", email="paul@x.example")
        factories.account("gone", email="gone@x.example", status="disabled")
        answers = {
            self.page_for(site.browser, address)
            for address in ("paul@x.example", "gone@x.example", "none@x.example")
        }
        assert len(answers) == 1

    def test_e3_mails_to_addresses_that_somebody_types_are_limited(
        self, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        statuses = [self.page_for(site.browser, f"v{n}@victim.example")[0] for n in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert count_of(OutboxMessage, kind="email_confirm") == 5

    @on_sqlite
    @pytest.mark.parametrize(
        "typed",
        [
            "a@x.example\r\nBcc: victim@x.example",
            "a@x.example, victim@x.example",
            "<a@x.example>",
            "a@x.example\u2028b",
            "a@x.example\u2029b",
            "\u212aclaire@x.example",
            '"a b"@x.example',
        ],
    )
    def test_m1_and_p16_no_address_smuggles_another(self, client: FlaskClient, typed: str) -> None:
        site = world(client, "Lina")
        assert self.page_for(site.browser, typed)[0] == 400
        assert count_of(OutboxMessage, kind="email_confirm") == 0
