"""What ends when a password, a guardianship or an account changes."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from idp import clock, correlation
from idp.audit.models import AuditEvent
from idp.credentials import devices, one_time_tokens, passwords, throttling
from idp.credentials.models import OneTimeToken
from idp.credentials.one_time_tokens import Live, Unknown
from idp.credentials.throttling import Allowed
from idp.database import db, transaction
from idp.errors import Invalid, Throttled
from idp.lifecycle import endings
from idp.lifecycle import passwords as lifecycle
from idp.lifecycle.mails import requests as mail_requests
from idp.lifecycle.passwords import TokenGone, WeakPassword, WrongPassword
from idp.mail.models import OutboxMessage
from idp.oidc.models import Grant
from idp.people import accounts, guardianships
from idp.people.models import Account, Child
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession, ChildChoice
from tests import factories
from tests.factories import PASSWORD
from tests.parallel import Queries

pytestmark = pytest.mark.long_on("sqlite")

NEW = "Brouette-Citadelle-Orage-9"
HERE = "192.0.2.1"


@pytest.fixture(autouse=True)
def from_here() -> None:
    correlation.begin(address=HERE)


class TestProving:
    def test_the_right_password_is_its_owners(self, app: Flask) -> None:
        claire = factories.account("claire", email="claire@example.org")
        for typed in ("Claire", "claire@example.org"):
            proof = lifecycle.prove_password(typed, PASSWORD, address=HERE)
            assert (proof.account_id, proof.amr) == (claire.id, ("pwd",))

    @pytest.mark.parametrize("status", ["invited", "disabled"])
    def test_only_an_active_account_signs_in(self, app: Flask, status: str) -> None:
        factories.account("claire", status=status, password=PASSWORD)
        with pytest.raises(WrongPassword):
            lifecycle.prove_password("claire", PASSWORD, address=HERE)

    def test_an_outsider_sees_no_account_in_a_refusal(self, app: Flask) -> None:
        claire = factories.account("claire", email="claire@example.org")
        for _ in range(5):
            throttling.check_sign_in("claire", claire.id, "198.51.100.1", device_known=False)
        with pytest.raises(WrongPassword):
            lifecycle.prove_password("claire@example.org", PASSWORD, address=HERE)
        with pytest.raises(Throttled) as throttled:
            lifecycle.prove_password("claire", PASSWORD, address=HERE)
        assert throttled.value.retry_after > 0
        assert _audited("sign_in_refused") == ["throttled", "throttled"]

    def test_a_known_device_signs_in_while_strangers_guess(self, app: Flask) -> None:
        claire = factories.account("claire")
        device = devices.remember_device(claire.id, None)
        for number in range(30):
            throttling.check_sign_in("claire", claire.id, f"198.51.100.{number}", False)
        proved = lifecycle.prove_password("claire", PASSWORD, address=HERE, device_secret=device)
        assert proved.account_id == claire.id
        with pytest.raises(Throttled):
            lifecycle.prove_password("claire", PASSWORD, address=HERE)

    def test_a_known_device_has_a_budget_too(self, app: Flask) -> None:
        claire = factories.account("claire")
        device = devices.remember_device(claire.id, None)
        for _ in range(5):
            with pytest.raises(WrongPassword):
                lifecycle.prove_password("claire", "no", address=HERE, device_secret=device)
        with pytest.raises(Throttled):
            lifecycle.prove_password("claire", PASSWORD, address=HERE, device_secret=device)

    def test_good_sign_ins_are_never_slowed(self, app: Flask) -> None:
        factories.account("claire")
        for _ in range(12):
            lifecycle.prove_password("claire", PASSWORD, address=HERE)


class TestClaiming:
    def test_a_first_sign_in_makes_the_account_active(self, app: Flask) -> None:
        account = factories.account(status="invited")
        token = _token(account)

        claimed = lifecycle.claim_with_token(token, NEW)

        assert (claimed.account_id, claimed.amr) == (account.id, ("otp",))
        assert account.status == "active"
        assert passwords.verify(account.id, NEW)
        assert _mails() == ["password_changed"]
        assert {"account_activated", "password_set"} <= set(_trail())

    @pytest.mark.parametrize("weak", ["short", "motdepasse123", "ClaireDubois2026"])
    def test_a_weak_password_changes_nothing(self, app: Flask, weak: str) -> None:
        account = factories.account(status="invited")
        token = _token(account)
        with pytest.raises(WeakPassword):
            lifecycle.claim_with_token(token, weak)
        assert isinstance(one_time_tokens.find_by_id(token), Live)
        assert _mails() == []

    def test_the_childrens_and_the_schools_names_are_refused(self, app: Flask) -> None:
        school = factories.school("Athénée Vauban")
        parent, _ = factories.family(school, "Wilhelmine", email="clairette@example.org")
        token = _token(parent)
        for own in ("wilhelmine2026", "Vauban-Athenee", "clairette-1234"):
            with pytest.raises(WeakPassword) as weak:
                lifecycle.claim_with_token(token, own)
            assert weak.value.code == "contains_name"

    def test_a_token_that_is_gone_changes_nothing(self, app: Flask) -> None:
        account = factories.account()
        token = _token(account)
        one_time_tokens.end(OneTimeToken.account_id == account.id)
        with pytest.raises(TokenGone):
            lifecycle.claim_with_token(token, NEW)
        with pytest.raises(TokenGone):
            lifecycle.claim_with_token("t_none", NEW)
        assert passwords.verify(account.id, PASSWORD)
        assert _audited("token_refused") == ["ok", "ok"]

    def test_an_account_disabled_meanwhile_stays_out(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = factories.account()
        token = _token(account)
        _meanwhile(monkeypatch, lambda: endings.disable_account(account.id))
        with pytest.raises(TokenGone):
            lifecycle.claim_with_token(token, NEW)
        assert accounts.find_account(account.id).status == "disabled"  # type: ignore[union-attr]

    def test_it_opens_the_door_that_strangers_guesses_held_shut(self, app: Flask) -> None:
        account = factories.account("claire", email="claire@example.org")
        for typed in ("claire", "claire@example.org") * 6:
            throttling.check_sign_in(typed, account.id, "198.51.100.1", device_known=False)

        lifecycle.claim_with_token(_token(account), NEW)

        for typed in ("claire", "claire@example.org"):
            assert lifecycle.prove_password(typed, NEW, address=HERE).account_id == account.id


class TestChanging:
    def test_other_sessions_and_grants_end_and_the_owner_is_told(self, app: Flask) -> None:
        account = factories.account()
        here, there = _session(account), _session(account)
        granted_here, granted_there = _grant(account, here), _grant(account, there)
        token = _token(account)
        ours, other = (devices.remember_device(account.id, None) for _ in range(2))

        lifecycle.change_password(account, PASSWORD, NEW, here.id, device_secret=ours)

        assert [session.id for session in sessions.live(account.id)] == [here.id]
        assert _ended(granted_there)
        assert not _ended(granted_here)
        assert one_time_tokens.find_by_id(token) == Unknown()
        assert devices.is_known_device(account.id, ours)
        assert not devices.is_known_device(account.id, other)
        assert passwords.verify(account.id, NEW)
        assert _mails() == ["password_changed"]
        assert "password_changed" in _trail()

    def test_the_current_password_is_needed(self, app: Flask) -> None:
        account = factories.account()
        here = _session(account)
        with pytest.raises(WrongPassword):
            lifecycle.change_password(account, "wrong", NEW, here.id)
        assert passwords.verify(account.id, PASSWORD)
        assert _audited("password_refused") == ["wrong"]

    def test_guesses_at_it_are_throttled(self, app: Flask) -> None:
        account = factories.account()
        for _ in range(5):
            with pytest.raises(WrongPassword):
                lifecycle.change_password(account, "wrong", NEW, None)
        with pytest.raises(Throttled):
            lifecycle.change_password(account, PASSWORD, NEW, None)

    def test_a_weak_one_changes_nothing(self, app: Flask) -> None:
        account = factories.account()
        with pytest.raises(WeakPassword):
            lifecycle.change_password(account, PASSWORD, "azertyuiop12", None)
        assert passwords.verify(account.id, PASSWORD)

    def test_a_reset_in_between_wins_over_the_old_password(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = factories.account()
        token = _token(account)
        _meanwhile(monkeypatch, lambda: lifecycle.claim_with_token(token, NEW))
        with pytest.raises(WrongPassword):
            lifecycle.change_password(account, PASSWORD, "Falaise-Moutarde-Horloge-3", None)
        assert passwords.verify(account.id, NEW)

    def test_an_account_disabled_in_between_is_not_changed(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = factories.account()
        _meanwhile(monkeypatch, lambda: endings.disable_account(account.id))
        with pytest.raises(WrongPassword):
            lifecycle.change_password(account, PASSWORD, NEW, None)


class TestFirstPasswordByCommand:
    def test_it_makes_the_account_active(self, app: Flask) -> None:
        account = factories.account(status="invited")
        token = _token(account)
        assert lifecycle.set_first_password(account.id, NEW).status == "active"
        assert passwords.verify(account.id, NEW)
        assert one_time_tokens.find_by_id(token) == Unknown()

    def test_it_is_refused_for_nobody_and_for_a_disabled_account(self, app: Flask) -> None:
        disabled = factories.account(status="disabled")
        for account_id in (disabled.id, "a_none"):
            with pytest.raises(Invalid):
                lifecycle.set_first_password(account_id, NEW)
        with pytest.raises(WeakPassword):
            lifecycle.set_first_password(factories.account(status="invited").id, "weak")


class TestFamilies:
    def test_the_end_of_a_guardianship_ends_choice_and_grants_of_that_child_alone(
        self, app: Flask
    ) -> None:
        school = factories.school()
        parent, (lina, tom) = factories.family(school, "Lina", "Tom")
        other = factories.account()
        factories.guardianship(other, lina)
        mine, others = _session(parent), _session(other)
        sessions.choose_child(mine.id, lina, "app")
        sessions.choose_child(others.id, lina, "app")
        whose = ((parent, mine, lina), (parent, mine, tom), (other, others, lina))
        grants = [_grant(*each) for each in whose]

        assert endings.end_guardianship(parent.id, lina.id, "judgment") is True
        assert endings.end_guardianship(parent.id, lina.id, "judgment") is False

        assert [_ended(grant) for grant in grants] == [True, False, False]
        assert list(db.session.scalars(select(ChildChoice.session_id))) == [others.id]
        assert [child.id for child, _ in guardianships.live_children(parent.id)] == [tom.id]

    def test_a_disabled_account_keeps_nothing(self, app: Flask) -> None:
        account = factories.account()
        session = _session(account)
        grant, token = _grant(account, session), _token(account)
        device = devices.remember_device(account.id, None)

        assert endings.disable_account(account.id) is True
        assert endings.disable_account(account.id) is False
        assert endings.disable_account("a_none") is False

        assert sessions.live(account.id) == []
        assert _ended(grant)
        assert one_time_tokens.find_by_id(token) == Unknown()
        assert not devices.is_known_device(account.id, device)
        assert _trail().count("account_disabled") == 1

    def test_an_invitation_waits_in_the_outbox_without_a_token(self, app: Flask) -> None:
        account = factories.account(status="invited", email="claire@example.org")
        message = mail_requests.invite(account.id, "app_portal")
        assert (message.kind, message.account_id) == ("invitation", account.id)
        assert message.about == {"client_id": "app_portal"}
        assert db.session.scalars(select(OneTimeToken)).all() == []

    def test_only_somebody_invited_with_an_address_is_invited(self, app: Flask) -> None:
        active = factories.account(email="a@example.org")
        addressless = factories.account(status="invited")
        for account_id in (active.id, addressless.id, "a_none"):
            with pytest.raises(Invalid):
                mail_requests.invite(account_id)
        assert _mails() == []

    def test_a_letters_token_works_and_ends_older_ones(self, app: Flask) -> None:
        account = factories.account(status="invited")
        first, second = (mail_requests.issue_letter_token(account.id) for _ in range(2))
        assert one_time_tokens.find(first) == Unknown()
        assert isinstance(one_time_tokens.find(second), Live)

    @pytest.mark.parametrize("status", ["active", "disabled"])
    def test_no_letter_once_the_account_is_claimed(self, app: Flask, status: str) -> None:
        account = factories.account(status=status)
        with pytest.raises(Invalid) as refused:
            mail_requests.issue_letter_token(account.id)
        assert (refused.value.code, refused.value.values) == ("not_invited", {"status": status})


class TestRequests:
    def test_every_address_makes_one_row_by_the_same_statements(self, app: Flask) -> None:
        factories.account("claire", email="claire@example.org")
        factories.account("paul", email="paul@example.org", status="disabled")
        asked = []
        typed = ("claire@example.org", "paul@example.org", "nobody@example.org", "\0", "x" * 9000)
        for text in typed:
            with Queries() as queries:
                mail_requests.request_reset(text, client_id=None, locale="nl")
            asked.append(queries)

        assert all(queries == asked[0] for queries in asked)
        rows = db.session.scalars(select(OutboxMessage).order_by(OutboxMessage.created_at)).all()
        assert [row.kind for row in rows] == ["password_reset"] * len(typed)
        assert {row.account_id for row in rows} == {None}
        assert rows[0].about == {
            "email": "claire@example.org", "client_id": None, "locale": "nl"
        }  # fmt: skip

    def test_a_language_that_we_do_not_speak_is_dropped(self, app: Flask) -> None:
        mail_requests.request_reset("claire@example.org", client_id=None, locale="x" * 5000)
        assert db.session.scalars(select(OutboxMessage)).one().about["locale"] is None


def test_a_known_device_changes_its_password_while_strangers_guess(app: Flask) -> None:
    account = factories.account("claire")
    device = devices.remember_device(account.id, None)
    while throttling.check_sign_in("claire", account.id, "198.51.100.1", False) == Allowed():
        pass
    lifecycle.change_password(account, PASSWORD, NEW, None, device_secret=device)
    assert passwords.verify(account.id, NEW)


def test_an_expired_token_claims_nothing(app: Flask) -> None:
    account = factories.account(status="invited")
    token = _token(account)
    with time_machine.travel(clock.now() + timedelta(days=15)), pytest.raises(TokenGone):
        lifecycle.claim_with_token(token, NEW)


def _token(account: Account) -> str:
    purpose = "first_sign_in" if account.status == "invited" else "password_reset"
    found = one_time_tokens.find(one_time_tokens.mint(account.id, purpose))
    assert isinstance(found, Live)
    return found.token.id


def _session(account: Account) -> BrowserSession:
    return sessions.begin(account.id, amr=("pwd",), acr="1")[0]


def _grant(account: Account, session: BrowserSession, child: Child | None = None) -> Grant:
    client = factories.client_app(factories.school()).client
    grant = Grant(
        account_id=account.id, client_id=client.id, session_id=session.id,
        child_id=child.id if child else None, scope="openid offline_access",
        auth_time=clock.now(), amr="pwd", acr="1",
    )  # fmt: skip
    with transaction() as writes:
        writes.add(grant)
    return grant


def _ended(grant: Grant) -> bool:
    db.session.refresh(grant)
    return grant.ended_at is not None


def _meanwhile(monkeypatch: pytest.MonkeyPatch, happening: Any) -> None:
    """Let something happen while the next new password is being hashed."""
    hashed = passwords.hashed

    def slow(password: str) -> passwords.Hashed:
        monkeypatch.setattr(passwords, "hashed", hashed)
        result = hashed(password)
        happening()
        return result

    monkeypatch.setattr(passwords, "hashed", slow)


def _mails() -> list[str]:
    return list(db.session.scalars(select(OutboxMessage.kind)))


def _trail() -> list[str]:
    return list(db.session.scalars(select(AuditEvent.event)))


def _audited(event: str) -> list[str]:
    return list(db.session.scalars(select(AuditEvent.result).where(AuditEvent.event == event)))
