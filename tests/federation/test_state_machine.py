"""Invited, active, disabled × password, provider × linked, unlinked: whatever comes after what.

Hypothesis walks; the model says who may come in. Passkeys join the model where it says so.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from idp import create_app
from idp.credentials import one_time_tokens, passwords, throttling
from idp.database import db, transaction
from idp.errors import Conflict, Invalid
from idp.federation import links
from idp.federation.identity import ForeignIdentity
from idp.federation.models import FederatedLink
from idp.lifecycle import endings, federation, sign_in
from idp.lifecycle import passwords as lifecycle
from idp.people import accounts
from idp.sessions import service as sessions
from idp.settings.providers import ProviderSettings
from tests import databases, factories
from tests.conftest import settings_for_tests

pytestmark = pytest.mark.slow

ISSUER = "https://provider.example"
_numbers = count(1)
PASSWORDS = ("Girafe-Violon-Bouton-9", "Lampe-Fougère-Tambour-7")


class Guardian(RuleBasedStateMachine):
    """One guardian, a stranger, and a foreign identity of each."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "invited"
        self.password: str | None = None
        self.linked: ForeignIdentity | None = None
        self.others_link = False
        self.from_link: set[str] = set()
        self.by_password: set[str] = set()
        # Passkeys: another set of ways in, counted by ``ways_in`` below.

    @initialize()
    def meet(self) -> None:
        number = next(_numbers)
        self.mine = ForeignIdentity("other", ISSUER, f"mine-{number}")
        self.theirs = ForeignIdentity("other", ISSUER, f"theirs-{number}")
        self.account = factories.account(status="invited").id
        self.stranger = factories.account().id

    @property
    def ways_in(self) -> int:
        return (self.password is not None) + (self.linked is not None)

    def token(self) -> str | None:
        account = accounts.find_account(self.account)
        if account is None or account.status == "disabled":
            return None
        purpose = "first_sign_in" if account.status == "invited" else "password_reset"
        with transaction():
            found = one_time_tokens.find(one_time_tokens.mint(self.account, purpose))
        assert isinstance(found, one_time_tokens.Live)
        return found.token.id

    def begin(self, proof: sign_in.Proof) -> str:
        session, _secret = sign_in.begin(proof)
        return session.id

    @rule(number=st.booleans())
    def claim_with_a_password(self, number: bool) -> None:
        token = self.token()
        if token is None:
            assert self.status == "disabled"
            return
        proof = lifecycle.claim_with_token(token, PASSWORDS[number])
        self.status, self.password, self.linked = "active", PASSWORDS[number], None
        self.from_link, self.by_password = set(), {self.begin(proof)}

    @rule(mine=st.booleans())
    def claim_with_the_provider(self, mine: bool) -> None:
        token = self.token()
        if token is None:
            return
        identity = self.mine if mine else self.theirs
        taken = self.others_link and not mine
        try:
            proof = federation.claim_with_token(token, identity)
        except federation.TokenGone:
            assert self.password is not None
        except federation.LinkedElsewhere:
            assert taken
        else:
            assert self.password is None
            assert not taken
            self.status, self.linked = "active", identity
            self.from_link, self.by_password = {self.begin(proof)}, set()

    @rule(number=st.booleans())
    def sign_in_with_a_password(self, number: bool) -> None:
        account = accounts.find_account(self.account)
        assert account is not None
        good = self.status == "active" and self.password == PASSWORDS[number]
        try:
            # What throttling does to guesses is told elsewhere.
            throttling.reset_claim(account.id, account.username, address=None)
            with transaction():
                throttling.reset("address", throttling.address_prefix(None))
            proof = lifecycle.prove_password(account.username, PASSWORDS[number], address=None)
        except lifecycle.WrongPassword:
            assert not good
        else:
            assert good
            self.by_password.add(self.begin(proof))

    @rule(mine=st.booleans())
    def sign_in_with_the_provider(self, mine: bool) -> None:
        identity = self.mine if mine else self.theirs
        match federation.prove(identity):
            case federation.Known(proof, account) if account.id == self.account:
                assert self.status == "active"
                assert self.linked == identity
                self.from_link.add(self.begin(proof))
            case federation.Known(_, account):
                assert account.id == self.stranger
                assert self.others_link
                assert not mine
            case federation.Closed():
                assert self.status == "disabled"
                assert self.linked == identity
            case federation.NotLinked():
                assert self.linked != identity

    @rule(mine=st.booleans())
    def link(self, mine: bool) -> None:
        identity = self.mine if mine else self.theirs
        try:
            made = federation.link(self.account, identity, epoch=epoch_of(self.account))
        except federation.LinkedElsewhere:
            assert self.others_link
            assert not mine
        except federation.OtherIdentity:
            assert self.linked not in {None, identity}
        except Invalid:
            assert self.status != "active"
        else:
            assert self.status == "active"
            assert made == (self.linked is None)
            self.linked = identity

    @precondition(lambda self: not self.others_link)
    @rule()
    def a_stranger_links_theirs(self) -> None:
        try:
            federation.link(self.stranger, self.theirs, epoch=epoch_of(self.stranger))
        except federation.LinkedElsewhere:
            assert self.linked == self.theirs
        else:
            assert self.linked != self.theirs
            self.others_link = True

    @precondition(lambda self: self.linked is not None)
    @rule()
    def unlink(self) -> None:
        (link,) = links.of_account(self.account)
        try:
            federation.unlink(self.account, link.id)
        except Conflict:
            assert self.ways_in == 1
        else:
            assert self.ways_in == 2
            self.linked, self.from_link = None, set()

    @precondition(lambda self: self.linked is not None)
    @rule()
    def the_provider_ends_it(self) -> None:
        assert self.linked is not None
        from idp import clock

        assert federation.end_by_provider(ISSUER, self.linked.subject, clock.now())
        self.linked, self.from_link = None, set()

    @rule()
    def the_school_disables(self) -> None:
        endings.disable_account(self.account)
        self.status = "disabled"
        self.from_link, self.by_password = set(), set()

    @invariant()
    def the_database_says_the_same(self) -> None:
        if not hasattr(self, "account"):
            return
        db.session.rollback()
        account = accounts.find_account(self.account)
        assert account is not None
        db.session.refresh(account)
        assert account.status == self.status
        assert passwords.has_password(self.account) == (self.password is not None)
        found = [each.subject for each in links.of_account(self.account)]
        assert found == ([self.linked.subject] if self.linked else [])
        live = {each.id for each in sessions.live(self.account)}
        assert live == self.from_link | self.by_password
        # A link belongs to one account, and nobody is made by a provider.
        subjects = [each.subject for each in db.session.query(FederatedLink).all()]
        assert len(subjects) == len(set(subjects))
        assert len(list(accounts.list_accounts())) == self.known_accounts()

    def known_accounts(self) -> int:
        if not hasattr(self, "_first"):
            self._first = len(list(accounts.list_accounts()))
        return self._first


def epoch_of(account_id: str) -> int:
    return accounts.get_account(account_id).credentials_epoch


@pytest.fixture
def provider(keys_folder: Path) -> Iterator[Any]:
    with databases.fresh("sqlite") as url:
        other = ProviderSettings(key="other", issuer=ISSUER, client_id="c", client_secret="s" * 20)
        app = create_app(settings_for_tests(url, keys_folder, providers=(other,)))
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


@pytest.mark.long
@pytest.mark.parametrize("lives", [10, pytest.param(60, marks=pytest.mark.long)])
def test_whatever_comes_after_what(provider: Any, lives: int) -> None:
    bounds = settings(
        max_examples=lives,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Guardian, settings=bounds)
