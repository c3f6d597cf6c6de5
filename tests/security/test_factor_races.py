"""Two at once: a code, a recovery code, a challenge and a first factor are used once (R4, E6)."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp.credentials import passkeys, recovery_codes, totp
from idp.credentials.models import Passkey
from idp.database import db
from idp.errors import Conflict
from idp.lifecycle import factor_changes
from idp.sessions import service as sessions
from idp.settings import Settings
from tests.authenticator import Authenticator, options_of
from tests.conftest import settings_for_tests
from tests.parallel import at_once
from tests.relying_party import form_of
from tests.second_factors import ISSUER, add_passkey, code_now, switch_on, told, wrong_code
from tests.times import standing_still
from tests.web.places import Place, place

pytestmark = [pytest.mark.slow, pytest.mark.long_on("postgresql")]


@pytest.fixture
def settings(database_url: str, keys_folder: Any) -> Settings:
    return settings_for_tests(database_url, keys_folder, issuer=ISSUER)


@pytest.fixture
def here(app: Flask) -> Place:
    return place(app)


def raced(here: Place, times: int, call: Callable[[], Any]) -> list[Any]:
    results, errors = at_once(here.app, times, call)
    assert not errors, errors[:3]
    assert len(results) == times
    return results


def in_turn(steps: list[Callable[[], Any]]) -> Callable[[], Any]:
    """A call that does something else in each thread."""
    waiting = iter(steps)

    def call() -> Any:
        return next(waiting)()

    return call


def sender(here: Place, form_id: str, **fields: str) -> Callable[[], Any]:
    """Sends the form of the open page, each time from a client with this browser's cookies."""
    page = here.browser.page
    assert page is not None
    action, hidden = form_of(page.text, form_id)
    hidden = {name: value for name, value in hidden.items() if name != "once"}  # each is its own

    def send() -> Any:
        other = here.app.test_client()
        for cookie in here.browser.client._cookies.values():  # type: ignore[union-attr]
            other.set_cookie(cookie.key, cookie.value, path="/", domain=cookie.domain)
        return other.post(action, data={**hidden, **fields})

    return send


def test_a_code_of_the_app_is_accepted_once(here: Place) -> None:
    secret, _codes = switch_on(here.parent.id)
    code, account_id = code_now(secret), here.parent.id
    results = raced(here, 10, lambda: totp.spend(account_id, code))
    assert Counter(results) == {True: 1, False: 9}


def test_a_recovery_code_is_accepted_once(here: Place) -> None:
    _secret, codes = switch_on(here.parent.id)
    account_id = here.parent.id
    results = raced(here, 10, lambda: recovery_codes.spend(account_id, codes[0]))
    assert Counter(results) == {True: 1, False: 9}


def test_one_first_factor_and_many_good_codes_open_one_session(here: Place) -> None:
    _secret, codes = switch_on(here.parent.id)
    here.browser.open("/")
    here.browser.sign_in("claire")
    senders = [sender(here, "second-factor-form", code=code) for code in codes[:4]]

    raced(here, 4, in_turn(senders))

    db.session.rollback()
    assert len(sessions.live(here.parent.id)) == 1


def test_the_answer_of_a_passkey_is_judged_once(here: Place) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    add_passkey(here.browser, phone)
    here.browser.sign_out()
    here.browser.open("/")
    options, _form = options_of(here.browser, "passkey-form")
    send = sender(here, "passkey-form", credential=phone.get(options))

    responses = raced(here, 6, send)

    assert Counter(r.status_code for r in responses) == {303: 1, 400: 5}
    db.session.rollback()
    assert len(sessions.live(here.parent.id)) == 1


def test_e6_guesses_at_once_are_judged_as_often_as_the_budget_allows(here: Place) -> None:
    secret, _codes = switch_on(here.parent.id)
    here.browser.open("/")
    here.browser.sign_in("claire")
    send = sender(here, "second-factor-form", code=wrong_code(secret))
    with standing_still():
        responses = raced(here, 20, send)
    judged = Counter(r.status_code for r in responses)
    assert judged == {400: 5, 429: 15}


def test_ten_passkeys_at_once_are_ten_at_most(here: Place) -> None:
    phone = Authenticator()
    here.browser.sign_in_at_home("claire")
    for _ in range(9):
        add_passkey(here.browser, Authenticator())
    here.browser.open("/account/passkeys")
    senders = []
    for _ in range(4):
        options, _form = options_of(here.browser, "passkey-add-form")
        senders.append(sender(here, "passkey-add-form", credential=phone.create(options), name="x"))

    raced(here, 4, in_turn(senders))

    db.session.rollback()
    assert passkeys.count(here.parent.id) == 10


def test_of_two_passkeys_removed_at_once_the_last_way_in_stays(here: Place) -> None:
    from sqlalchemy import delete

    from idp.credentials.models import Password
    from idp.database import transaction

    here.browser.sign_in_at_home("claire")
    for _ in range(2):
        add_passkey(here.browser, Authenticator())
    account_id = here.parent.id
    with transaction() as writes:
        writes.execute(delete(Password).where(Password.account_id == account_id))
    ids = iter(list(db.session.scalars(select(Passkey.id))))

    def remove() -> str:
        try:
            factor_changes.remove_passkey(account_id, next(ids), keep_session="")
        except Conflict as refused:
            return {"last_way_in": "kept"}[refused.code]
        return "removed"

    assert Counter(raced(here, 2, remove)) == {"removed": 1, "kept": 1}
    assert passkeys.count(account_id) == 1
    assert len(told("passkey_removed")) == 1
