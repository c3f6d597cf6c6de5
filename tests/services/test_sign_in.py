"""From a proof to a session: what was proved must still hold when the session begins."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from flask import Flask

from idp.credentials import one_time_tokens
from idp.credentials.one_time_tokens import Live
from idp.lifecycle import endings, passwords, sign_in
from idp.lifecycle.sign_in import Proof, ProofGone
from idp.people import guardianships
from idp.people.models import Account
from idp.sessions import assurance
from idp.sessions import service as sessions
from idp.sessions.models import BrowserSession
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.long_on("postgresql")

HERE = "192.0.2.1"
NEW = "Violette-Ardoise-Cerceau-9"


def proof_of(account: Account) -> Proof:
    return passwords.prove_password(account.username, PASSWORD, address=HERE)


def token_of(account: Account) -> str:
    found = one_time_tokens.find(one_time_tokens.mint(account.id, "password_reset"))
    assert isinstance(found, Live)
    return found.token.id


def test_p15_a_reset_between_proof_and_session_shuts_the_old_password_out(app: Flask) -> None:
    account = factories.account("claire")
    proof = proof_of(account)

    passwords.claim_with_token(token_of(account), NEW)

    with pytest.raises(ProofGone):
        sign_in.begin(proof)
    assert sessions.live(account.id) == []


def test_f8_an_account_disabled_between_proof_and_session_stays_out(app: Flask) -> None:
    account = factories.account("claire")
    proof = proof_of(account)

    endings.disable_account(account.id)

    with pytest.raises(ProofGone):
        sign_in.begin(proof)


def test_p15_a_token_claimed_twice_at_once_leaves_only_sessions_of_the_last_password(
    app: Flask,
) -> None:
    """A reset races with sign-ins: afterwards no session stands on the old password."""
    account = factories.account("claire")
    token, sign_ins = token_of(account), 6
    start = Barrier(sign_ins + 1, timeout=60)
    # One after the other: as many guesses at once as there are sign-ins here would be throttled
    proofs = [proof_of(account) for _ in range(sign_ins)]

    def enter(proof: Proof) -> str | None:
        with app.app_context():
            start.wait()
            try:
                return sign_in.begin(proof)[0].id
            except ProofGone:
                return None

    def reset() -> None:
        with app.app_context():
            start.wait()
            passwords.claim_with_token(token, NEW)

    with ThreadPoolExecutor(sign_ins + 1) as pool:
        done = [pool.submit(enter, proof) for proof in proofs]
        pool.submit(reset).result()
        for each in done:
            each.result()

    assert sessions.live(account.id) == []


def test_s1_a_step_up_renews_the_secret_and_a_weaker_proof_raises_nothing(app: Flask) -> None:
    account = factories.account("claire")
    strong = Proof(account.id, account.credentials_epoch, ("hwk", "user"))
    session, before = sign_in.begin(strong)
    auth_time = session.auth_time

    after = sign_in.step_up(session, proof_of(account))

    assert sessions.find(before) is None
    found = sessions.find(after)
    assert found is not None
    assert found.session.proved_at is not None
    assert (found.session.acr, found.session.amr) == (assurance.PHISHING_RESISTANT, "hwk user")
    assert found.session.auth_time == auth_time


def test_f9_a_stronger_proof_is_told_with_its_own_time(app: Flask) -> None:
    account = factories.account("claire")
    session, _ = sign_in.begin(proof_of(account))
    strong = Proof(account.id, account.credentials_epoch, ("swk", "user"))

    found = sessions.find(sign_in.step_up(session, strong))

    assert found is not None
    assert (found.session.acr, found.session.amr) == (assurance.PHISHING_RESISTANT, "swk user")
    assert found.session.auth_time == found.session.proved_at


def test_an_ended_session_is_not_stepped_up(app: Flask) -> None:
    account = factories.account("claire")
    session, _ = sign_in.begin(proof_of(account))
    factories.end_sessions(BrowserSession.id == session.id)

    with pytest.raises(ProofGone):
        sign_in.step_up(session, proof_of(account))


@pytest.mark.parametrize(
    ("amr", "acr"),
    [
        (("pwd",), assurance.SINGLE_FACTOR),
        (("otp",), assurance.SINGLE_FACTOR),
        (("hwk",), assurance.SINGLE_FACTOR),
        (("pwd", "otp", "mfa"), assurance.TWO_FACTOR),
        (("hwk", "user"), assurance.PHISHING_RESISTANT),
        ((), assurance.SINGLE_FACTOR),
    ],
)
def test_f9_methods_amount_to_what_they_prove(amr: tuple[str, ...], acr: str) -> None:
    assert assurance.acr_of(amr) == acr


def test_an_unknown_context_class_is_never_met() -> None:
    assert assurance.meets(assurance.PHISHING_RESISTANT, assurance.SINGLE_FACTOR)
    assert not assurance.meets(assurance.SINGLE_FACTOR, assurance.TWO_FACTOR)
    assert not assurance.meets(assurance.PHISHING_RESISTANT, "gold")
    assert not assurance.meets("gold", assurance.SINGLE_FACTOR)


def test_the_schools_of_a_guardian_are_those_of_living_guardianships(app: Flask) -> None:
    here, there = factories.school("Ici"), factories.school("Là-bas")
    parent, (lina,) = factories.family(here, "Lina")
    factories.guardianship(parent, factories.child(here, "Noé"))
    factories.guardianship(parent, factories.child(there, "Ada"))
    assert [school.name for school in guardianships.schools_of(parent.id)] == ["Ici", "Là-bas"]

    endings.end_guardianship(parent.id, lina.id, "moved")
    assert [school.name for school in guardianships.schools_of(parent.id)] == ["Ici", "Là-bas"]
