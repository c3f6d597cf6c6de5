"""Whatever an account goes through, its doors stay as they should (Hypothesis walks at random).

Invited, active or disabled; a password, passkeys, an app, a role: after each step, who may sign
in and how is compared with a model of a few lines.
"""

from collections.abc import Iterator
from typing import Any

import pyotp
import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from idp.credentials import factors, one_time_tokens, passkeys, totp
from idp.credentials.models import Passkey
from idp.database import db, transaction
from idp.errors import Conflict
from idp.lifecycle import endings, factor_changes, passwords, second_factor, sign_in
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.lifecycle.step_up import ways_in
from idp.people import accounts
from idp.sessions import service as sessions
from idp.sessions.assurance import TWO_FACTOR, meets
from idp.settings import Settings
from tests import factories
from tests.conftest import settings_for_tests
from tests.second_factors import ISSUER

NEW = "Brouette-Citadelle-Orage-9"
PASSWORD, TOKEN, CODE, KEY = ("pwd",), ("otp",), ("pwd", "otp", "mfa"), ("hwk", "user")


class Doors(RuleBasedStateMachine):
    """One account, and what the model knows of it."""

    @initialize()
    def invited(self) -> None:
        self.account = factories.account(status="invited")
        self.status, self.password, self.app, self.staff = "invited", False, False, False
        self.keys: list[str] = []

    @rule()
    def claims_by_mail(self) -> None:
        if self.status == "disabled":
            return
        token = one_time_tokens.mint(self.account.id, "password_reset")
        found = one_time_tokens.find(token)
        assert isinstance(found, one_time_tokens.Live)
        passwords.claim_with_token(found.token.id, NEW)
        if self.status == "invited":
            self.app, self.keys = False, []
        elif self.app or not self.staff:
            self.keys = []
        self.status, self.password = "active", True

    @precondition(lambda self: self.status == "active")
    @rule()
    def adds_a_passkey(self) -> None:
        with transaction() as writes:
            passkey = Passkey(
                account_id=self.account.id,
                credential_id=pyotp.random_base32(),
                public_key=b"x",
                name="x",
            )
            writes.add(passkey)
            writes.flush()
        self.keys.append(passkey.id)

    @precondition(lambda self: self.keys)
    @rule(data=st.data())
    def removes_a_passkey(self, data: Any) -> None:
        which = data.draw(st.sampled_from(self.keys))
        last_way = not self.password and len(self.keys) == 1
        last_factor = self.staff and not self.app and len(self.keys) == 1
        try:
            factor_changes.remove_passkey(self.account.id, which, keep_session="")
        except factor_changes.NotYours:
            assert self.status == "disabled"
        except Conflict as refused:
            held = {"last_way_in": last_way, "last_factor": last_factor}[str(refused)]
            assert held
        else:
            assert not last_way
            assert not last_factor
            self.keys.remove(which)

    @precondition(lambda self: self.status == "active" and not self.app)
    @rule()
    def switches_the_app_on(self) -> None:
        totp.begin(self.account.id, "browser")
        secret = totp.pending_secret(self.account.id, "browser")
        assert secret
        codes = factor_changes.switch_on(
            self.account.id,
            pyotp.TOTP(secret).now(),
            browser="browser",
            epoch=self.account.credentials_epoch,
        )
        assert len(codes) == 10
        self.app = True

    @rule()
    def switches_the_app_off(self) -> None:
        try:
            factor_changes.switch_off(self.account.id)
        except factor_changes.NotYours:
            assert self.status != "active" or not self.app
        except Conflict:
            assert self.staff
            assert not self.keys
        else:
            self.app = False

    @rule()
    def becomes_staff(self) -> None:
        factor_changes.grant_role(self.account.id, "operator", None)
        if not self.staff:
            assert sessions.live(self.account.id) == []
        self.staff = True

    @rule()
    def has_lost_everything(self) -> None:
        factor_changes.reset(self.account.id)
        self.keys, self.app = [], False

    @precondition(lambda self: self.status == "active")
    @rule(late=st.booleans())
    def is_disabled(self, late: bool) -> None:
        if not late:  # seldom, or every walk would end early
            return
        endings.disable_account(self.account.id)
        self.status = "disabled"

    @rule(how=st.sampled_from([PASSWORD, TOKEN, CODE, KEY]))
    def signs_in(self, how: tuple[str, ...]) -> None:
        """As the pages do: a proof that lacks its second factor waits, any other begins."""
        account = accounts.find_account(self.account.id)
        assert account is not None
        proof = Proof(account.id, account.credentials_epoch, how)
        needs = self.staff or self.app
        assert second_factor.is_missing(proof) is (needs and how in (PASSWORD, TOKEN))
        if second_factor.is_missing(proof):
            return
        try:
            sign_in.begin(proof)
        except ProofGone:
            assert self.status != "active"
        else:
            assert self.status == "active"

    @invariant()
    def the_model_is_right(self) -> None:
        db.session.commit()
        having = factors.load(self.account.id)
        assert (having.totp, having.passkeys, having.staff) == (
            self.app,
            len(self.keys),
            self.staff,
        )
        assert having.codes_left == (10 if self.app else 0)
        found = ways_in(self.account.id)
        assert (found.password, found.passkeys) == (self.password, len(self.keys))
        assert passkeys.count(self.account.id) == len(self.keys)

    @invariant()
    def only_the_active_are_in_and_staff_with_two_factors(self) -> None:
        for session in sessions.live(self.account.id):
            assert self.status == "active"
            assert not self.staff or meets(session.acr, TWO_FACTOR)


@pytest.fixture(scope="module")
def one_app(tmp_path_factory: pytest.TempPathFactory, keys_folder: Any) -> Iterator[Flask]:
    """One provider for all walks; each walk has an account of its own."""
    from idp import create_app
    from tests import databases

    with databases.fresh("sqlite") as url:
        made = settings_of(url, keys_folder)
        app = create_app(made)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def settings_of(url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(url, keys_folder, issuer=ISSUER)


@pytest.mark.long
@pytest.mark.parametrize("lives", [10, pytest.param(60, marks=pytest.mark.long)])
def test_a_random_life_of_an_account(one_app: Flask, lives: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Doors,
        settings=settings(
            max_examples=lives,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
