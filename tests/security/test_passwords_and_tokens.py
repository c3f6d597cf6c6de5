"""Security rules P (passwords and one-time tokens) and what of E they stand on, below the pages."""

import base64
import contextlib
import hashlib
import hmac
import inspect
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import time_machine
from flask import Flask
from sqlalchemy import Engine, event, select, text
from sqlalchemy import inspect as inspect_database
from sqlalchemy.exc import OperationalError

from idp import clock
from idp.credentials import (
    bcrypt_gate,
    devices,
    one_time_tokens,
    passwords,
    strength,
    throttling,
)
from idp.credentials.models import OneTimeToken, Password
from idp.credentials.one_time_tokens import Live, Unknown
from idp.credentials.throttling import Allowed
from idp.database import db, keyed_hash
from idp.errors import Invalid
from idp.lifecycle import endings
from idp.lifecycle import passwords as lifecycle
from idp.lifecycle.mails import requests as mail_requests
from idp.lifecycle.passwords import TokenGone
from idp.mail.models import OutboxMessage
from idp.people import accounts
from idp.people.models import Account
from idp.sessions import interactions
from idp.sessions import service as sessions
from idp.settings import safety
from tests import factories
from tests.factories import PASSWORD
from tests.parallel import at_once

pytestmark = pytest.mark.quick_on("postgresql")

NEW = "Brouette-Citadelle-Orage-9"


def test_p1_the_stored_form_is_bcrypt_over_a_keyed_prehash(app: Flask) -> None:
    account = factories.account()
    version, _, stored = _stored(account).partition("$")
    pepper = app.extensions["idp.settings"].password_pepper
    digest = hmac.digest(pepper, PASSWORD.encode(), hashlib.sha384)
    assert version == "v1"
    assert bcrypt.checkpw(base64.b64encode(digest), stored.encode())


def test_p1_another_pepper_opens_nothing(app: Flask) -> None:
    account = factories.account()
    _change_settings(app, password_pepper=b"another pepper of 32 bytes, or so")
    assert not passwords.verify(account.id, PASSWORD)


@pytest.mark.parametrize("letter", ["a", "é", "ß", "日", "😀", "ع", "\0", "\ud800"])
def test_p1_all_128_characters_of_any_script_count(app: Flask, letter: str) -> None:
    account = factories.account()
    long = letter * 127
    passwords.set_password(account.id, long + "x")
    assert passwords.verify(account.id, long + "x")
    for other in (long + "y", long, long + "xx", letter * 126 + "x", "x" + long):
        assert not passwords.verify(account.id, other)


def test_p1_a_nul_byte_ends_nothing(app: Flask) -> None:
    account = factories.account()
    passwords.set_password(account.id, "before\0after it")
    assert passwords.verify(account.id, "before\0after it")
    assert not passwords.verify(account.id, "before\0")
    assert not passwords.verify(account.id, "before")


def test_p1_composed_and_decomposed_letters_are_the_same(app: Flask) -> None:
    account = factories.account()
    composed = unicodedata.normalize("NFC", "Crème brûlée à l’été")
    passwords.set_password(account.id, composed)
    assert passwords.verify(account.id, unicodedata.normalize("NFD", composed))


def test_p1_no_length_of_input_raises(app: Flask) -> None:
    account = factories.account()
    for password in ("", "x" * 73, "x" * 65_536, "a\u0301\u0323" * 20_000):
        assert not passwords.verify(account.id, password)


def test_p2_the_cost_is_upgraded_at_the_next_good_sign_in(app: Flask) -> None:
    account = factories.account()
    _change_settings(app, bcrypt_cost=6)

    assert not passwords.verify(account.id, "wrong")
    assert "$04$" in _stored(account)
    assert passwords.verify(account.id, PASSWORD)
    assert "$06$" in _stored(account)
    assert passwords.verify(account.id, PASSWORD)


def test_p2_a_lower_setting_weakens_no_stored_hash(app: Flask) -> None:
    _change_settings(app, bcrypt_cost=5)
    account = factories.account()
    _change_settings(app, bcrypt_cost=4)
    assert passwords.verify(account.id, PASSWORD)
    assert "$05$" in _stored(account)


def test_p2_an_upgrade_never_undoes_a_change(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    account = factories.account()
    _change_settings(app, bcrypt_cost=5)
    run = bcrypt_gate.run

    def change_while_hashing(function: Any, *args: Any) -> Any:
        result = run(function, *args)
        if function is passwords._hash:
            monkeypatch.setattr(bcrypt_gate, "run", run)
            passwords.set_password(account.id, NEW)
        return result

    monkeypatch.setattr(bcrypt_gate, "run", change_while_hashing)
    assert passwords.verify(account.id, PASSWORD)
    assert passwords.verify(account.id, NEW)
    assert not passwords.verify(account.id, PASSWORD)


def test_p3_length_alone_is_asked_and_configurable_down_to_8(app: Flask) -> None:
    strength.check_new("correcthorsebatterystaple", context=())
    _change_settings(app, password_minimum=8)
    strength.check_new("x7kq9mpw", context=())
    _change_settings(app, password_minimum=7)
    assert any(
        "PASSWORD_MINIMUM" in each for each in safety.problems(app.extensions["idp.settings"])
    )


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("password1234", "common"),
        ("motdepasse1234", "common"),
        ("claire.dubois", "contains_name"),
        ("Lina-Dubois-12", "contains_name"),
        ("tilleuls-2026", "contains_name"),
        ("itschool-2026", "contains_name"),
        ("azertyuiop1234", "easily_guessed"),
    ],
)
def test_p4_common_and_own_words_are_refused_with_a_reason(
    app: Flask, password: str, reason: str
) -> None:
    school = factories.school("Collège des Tilleuls")
    parent, _ = factories.family(school, "Lina", username="claire.dubois", status="invited")
    with pytest.raises(strength.WeakPassword) as weak:
        lifecycle.claim_with_token(_token_id(parent), password)
    assert weak.value.code == reason


def test_p4_judging_a_password_made_to_be_slow_is_quick(app: Flask) -> None:
    strength.check_new(NEW, context=())  # reads the lists
    for slow in ("4@8({[<3691!|70$5+%2" * 6, "4@({[1!|$5+7" * 10, "ab" * 64, "a1" * 64):
        began = time.process_time()
        with contextlib.suppress(strength.WeakPassword):
            strength.check_new(slow, context=["a" * 254] * 50)
        assert time.process_time() - began < 1


def test_p6_a_token_is_28_characters_of_crockfords_alphabet_from_secrets(app: Flask) -> None:
    account = factories.account()
    minted = {one_time_tokens.mint(account.id, "password_reset") for _ in range(20)}
    assert len(minted) == 20
    for clear in minted:
        assert [len(group) for group in clear.split("-")] == [4] * 7
        assert set(clear) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ-")
    assert "secrets.choice" in inspect.getsource(one_time_tokens)


def test_p6_the_clear_token_is_in_no_column_of_the_database(app: Flask) -> None:
    account = factories.account(status="invited", email="claire@example.org")
    mail_requests.invite(account.id)
    clear = one_time_tokens.mint(account.id, "first_sign_in")
    lifecycle.claim_with_token(_id_of(clear), NEW)

    dump = "".join(
        repr(tuple(row))
        for table in inspect_database(db.engine).get_table_names()
        for row in db.session.execute(text(f'SELECT * FROM "{table}"'))
    )

    assert account.id in dump
    for secret in (clear, clear.replace("-", ""), NEW):
        assert secret not in dump


def test_p6_its_hash_is_keyed(app: Flask) -> None:
    account = factories.account()
    clear = one_time_tokens.mint(account.id, "password_reset")
    _change_settings(app, token_hash_key=b"another key of 32 bytes, or more")
    assert one_time_tokens.find(clear) == Unknown()


def test_p6_of_twenty_submissions_at_once_one_wins(app: Flask) -> None:
    account = factories.account(status="invited")
    token_id = _token_id(account)
    candidates = iter([f"{NEW}-{number}" for number in range(20)])

    def claim() -> str:
        mine = next(candidates)
        lifecycle.claim_with_token(token_id, mine)
        return mine

    winners, losers = at_once(app, 20, claim)

    assert len(winners) == 1
    assert [type(error) for error in losers] == [TokenGone] * 19
    assert passwords.verify(account.id, winners[0])
    assert db.session.scalars(select(OutboxMessage.kind)).all() == ["password_changed"]


@pytest.mark.parametrize(
    "moment", ["INSERT INTO passwords", "UPDATE accounts", "INSERT INTO outbox"]
)
def test_p6_a_crash_on_the_way_leaves_token_and_password_as_they_were(
    app: Flask, moment: str
) -> None:
    account = factories.account(status="invited")
    token_id = _token_id(account)

    def crash(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(moment):
            raise OperationalError(statement, {}, Exception("gone"))

    event.listen(Engine, "before_cursor_execute", crash)
    try:
        with pytest.raises(OperationalError):
            lifecycle.claim_with_token(token_id, NEW)
    finally:
        event.remove(Engine, "before_cursor_execute", crash)

    assert isinstance(one_time_tokens.find_by_id(token_id), Live)
    assert not passwords.verify(account.id, NEW)
    lifecycle.claim_with_token(token_id, NEW)


def test_p6_a_new_token_ends_the_old(app: Flask) -> None:
    account, other = factories.account(), factories.account()
    theirs = one_time_tokens.mint(other.id, "password_reset")
    old = one_time_tokens.mint(account.id, "first_sign_in")
    one_time_tokens.mint(account.id, "password_reset")
    assert one_time_tokens.find(old) == Unknown()
    assert isinstance(one_time_tokens.find(theirs), Live)


def test_p10_expiry_is_checked_at_use_by_our_clock(app: Flask) -> None:
    account = factories.account()
    token_id = _token_id(account)
    lifetime = app.extensions["idp.settings"].password_reset_lifetime
    with time_machine.travel(clock.now() + lifetime), pytest.raises(TokenGone):
        lifecycle.claim_with_token(token_id, NEW)
    lifecycle.claim_with_token(token_id, NEW)


def test_p12_no_other_secret_is_a_one_time_token(app: Flask) -> None:
    account = factories.account()
    clear = one_time_tokens.mint(account.id, "password_reset")
    canonical = clear.replace("-", "")
    kinds = ("session", "browser", "known_device", "code", "access_token", "refresh_token")

    hashes = {keyed_hash(kind, canonical) for kind in kinds}

    stored = db.session.scalars(select(OneTimeToken.token_hash)).one()
    assert stored not in hashes
    assert sessions.find(clear) is None
    assert sessions.find(canonical) is None
    assert not devices.is_known_device(account.id, canonical)
    assert interactions.newest_waiting(canonical) is None
    _, secret = sessions.begin(account.id, amr=("pwd",), acr="1")
    for foreign in (secret, devices.remember_device(account.id, None), account.id):
        assert one_time_tokens.find(foreign) == Unknown()


def test_p14_setting_a_password_wipes_what_was_before(app: Flask) -> None:
    account = factories.account()
    _, secret = sessions.begin(account.id, amr=("pwd",), acr="1")
    device = devices.remember_device(account.id, None)

    lifecycle.claim_with_token(_token_id(account), NEW)

    assert sessions.find(secret) is None
    assert not devices.is_known_device(account.id, device)
    assert not passwords.verify(account.id, PASSWORD)


@pytest.mark.parametrize(
    "happening",
    [
        lambda account: one_time_tokens.mint(account.id, "password_reset"),
        lambda account: lifecycle.change_password(account, PASSWORD, NEW, None),
        lambda account: endings.disable_account(account.id),
    ],
)
def test_p15_older_tokens_end(app: Flask, happening: Any) -> None:
    account = factories.account()
    clear = one_time_tokens.mint(account.id, "password_reset")
    happening(account)
    assert one_time_tokens.find(clear) == Unknown()


@pytest.mark.parametrize(
    "look_alike",
    [
        "mike@example.org".replace("k", "\u212a"),  # Kelvin sign: lower case is "k"
        "mike@example.org".replace("i", "\u0131"),  # dotless i
        "mike@example.org".replace("e", "\u0435", 1),  # Cyrillic
        "mike@exam\u217cple.org",  # Roman numeral fifty
        "mike@ex\u0430mple.org",
        "ｍike@example.org",
        "mike@ｅxample.org",
        "mike@example。org",
    ],
)
def test_p16_look_alike_unicode_matches_nobody(app: Flask, look_alike: str) -> None:
    factories.account("mike", email="mike@example.org")
    assert accounts.accounts_with_email(look_alike) == []
    assert accounts.find_by_identifier(look_alike) is None
    assert accounts.find_by_identifier("m\u0456ke") is None


def test_e1_nobody_costs_the_same_bcrypt_work(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    active, invited = factories.account(), factories.account(status="invited")
    _change_settings(app, bcrypt_cost=7)  # the active one's hash of cost 4 waits for its upgrade
    rounds: list[int] = []
    check = bcrypt.checkpw

    def counted(password: bytes, stored: bytes) -> bool:
        rounds.append(2 ** int(stored.split(b"$")[2]))
        return check(password, stored)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for account_id in (active.id, invited.id, None, "a_none"):
        rounds.clear()
        assert not passwords.verify(account_id, "wrong")
        assert sum(rounds) == 2**7


def test_e5_no_connection_is_held_while_bcrypt_runs(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = factories.account("claire")
    token_id = _token_id(account)
    held: list[int] = []
    run = bcrypt_gate.Gate.run

    def look(gate: Any, function: Any, *args: Any) -> Any:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return run(gate, function, *args)

    monkeypatch.setattr(bcrypt_gate.Gate, "run", look)
    lifecycle.prove_password("claire", PASSWORD, address="192.0.2.1")
    lifecycle.claim_with_token(token_id, NEW)
    lifecycle.change_password(account, NEW, PASSWORD, None)

    assert held == [0] * 4


def test_e5_a_storm_beyond_the_queue_is_turned_away_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = factories.account()
    gate = bcrypt_gate.Gate(parallel=1, queue=1)
    monkeypatch.setattr(bcrypt_gate, "_gate", lambda *_: gate)
    _change_settings(app, bcrypt_cost=10)
    answers, busy = at_once(app, 12, lambda: passwords.verify(account.id, "wrong"))
    assert {type(error) for error in busy} == {bcrypt_gate.Busy}
    assert set(answers) == {False}


@pytest.mark.long
def test_e6_200_guesses_at_once_are_judged_at_most_as_often_as_the_budget_allows(
    app: Flask,
) -> None:
    account = factories.account("claire")
    with time_machine.travel(clock.now(), tick=False):
        outcomes, errors = at_once(
            app,
            200,
            lambda: throttling.check_sign_in("claire", account.id, "192.0.2.1", False),
        )
    assert errors == []
    assert len(outcomes) == 200
    assert outcomes.count(Allowed()) == 5


def test_a5_a_printed_token_is_refused_once_the_account_is_active(app: Flask) -> None:
    account = factories.account(status="invited")
    lifecycle.claim_with_token(_id_of(mail_requests.issue_letter_token(account.id)), NEW)
    with pytest.raises(Invalid):
        mail_requests.issue_letter_token(account.id)


def test_k3_the_lists_of_words_are_shipped() -> None:
    words = Path(inspect.getfile(strength)).with_name("common_passwords.txt")
    assert len(words.read_text("utf-8").splitlines()) > 500


def _token_id(account: Account) -> str:
    return _id_of(one_time_tokens.mint(account.id, "password_reset"))


def _id_of(clear: str) -> str:
    found = one_time_tokens.find(clear)
    assert isinstance(found, Live)
    return found.token.id


def _stored(account: Account) -> str:
    return db.session.scalars(select(Password.hash).where(Password.account_id == account.id)).one()


def _change_settings(app: Flask, **changes: Any) -> None:
    app.extensions["idp.settings"] = replace(app.extensions["idp.settings"], **changes)
