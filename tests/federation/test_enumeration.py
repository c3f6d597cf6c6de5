"""E1 and P12: an account that opens by a provider alone looks like any other from outside."""

import re

import pytest

from idp.credentials import bcrypt_gate
from idp.credentials.models import Password
from idp.database import transaction
from tests import factories
from tests.federation.worlds import Walker, asked_of, linked

pytestmark = pytest.mark.quick_on("postgresql")


@pytest.fixture
def names(here: Walker) -> list[str]:
    """Names of one length: with a password, by a provider alone, and nobody's."""
    factories.account("active1")
    alone = factories.account("onlyfed")
    with transaction() as writes:
        writes.query(Password).filter_by(account_id=alone.id).delete()
    linked(alone, here.provider.address)
    return ["active1", "onlyfed", "nobody1"]


def test_e1_sign_in_answers_alike_with_the_same_work(
    here: Walker, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, work = bcrypt_gate.run, []

    def counted(*arguments: object) -> object:
        work.append(1)
        return run(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(bcrypt_gate, "run", counted)
    answers = set()
    for name in names:
        work.clear()
        browser = here.another_browser()
        browser.open("/")
        page = browser.sign_in(name, "Wrong-Guess-Of-A-Stranger-1")
        # a stranger's interaction is sealed in its address, anew for each
        ids = r"(?<![\w-])[if]_[\w-]{22}|/interaction/gAAAA[\w-]+"
        text = re.sub(rf'(?:csrf_token|once)" value="[^"]*|{ids}', "", page.text).replace(name, "x")
        answers.add((page.status_code, text, len(work)))
    assert len(answers) == 1


def test_e1_an_empty_password_opens_no_account_without_one(here: Walker, names: list[str]) -> None:
    for password in ("", " ", "\0", "x"):
        browser = here.another_browser()
        browser.open("/")
        browser.sign_in("onlyfed", password)
        browser.open("/")
        assert not browser.shows("sign-out")


def test_p12_what_goes_to_a_provider_works_nowhere_else(here: Walker) -> None:
    """state, nonce and verifier are no session, no token, no interaction."""
    here.linked()
    here.at_sign_in()
    asked = asked_of(here.leave())
    for secret in (asked["state"], asked["nonce"], asked["code_challenge"]):
        thief = here.another_browser()
        thief.client.set_cookie("idp_session", secret)
        thief.open("/")
        assert not thief.shows("sign-out")
        assert thief.open(f"/interaction/{secret}").status_code == 404
        thief.open(f"/welcome?token={secret}")
        thief.submit("token-form", token=secret)
        assert not thief.shows("password-form")
