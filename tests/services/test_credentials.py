"""Passwords, one-time tokens and known devices, as services."""

import os
import threading
from datetime import timedelta

import bcrypt
import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select

from idp import clock
from idp.credentials import bcrypt_gate, devices, one_time_tokens, passwords
from idp.credentials.models import KnownDevice, OneTimeToken, Password
from idp.credentials.one_time_tokens import Expired, Live, Unknown
from idp.database import db, transaction
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.long_on("postgresql")

LATER = timedelta(seconds=1)


class TestGate:
    def test_only_so_many_run_and_wait(self) -> None:
        gate = bcrypt_gate.Gate(parallel=1, queue=1)
        running, go_on = threading.Event(), threading.Event()

        def slow() -> None:
            running.set()
            go_on.wait(10)

        waiting = [threading.Thread(target=gate.run, args=(slow,)) for _ in range(2)]
        waiting[0].start()
        running.wait(10)
        waiting[1].start()
        while gate._places._value:
            pass

        with pytest.raises(bcrypt_gate.Busy) as busy:
            gate.run(slow)
        go_on.set()
        for thread in waiting:
            thread.join(10)

        assert busy.value.retry_after > 0
        assert gate.run(lambda: "free again") == "free again"

    def test_an_error_frees_its_place(self) -> None:
        gate = bcrypt_gate.Gate(parallel=1, queue=0)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                gate.run(lambda: 1 // 0)

    def test_its_threads_yield_to_the_rest_of_the_worker(self) -> None:
        gate = bcrypt_gate.Gate(parallel=1, queue=0)
        ours = os.getpriority(os.PRIO_PROCESS, 0)

        theirs = gate.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

        assert theirs == min(19, bcrypt_gate.NICENESS)
        assert os.getpriority(os.PRIO_PROCESS, 0) == ours

    def test_a_system_that_refuses_still_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: int) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "setpriority", refuse)
        assert bcrypt_gate.Gate(parallel=1, queue=0).run(lambda: 1) == 1

    def test_a_forked_worker_has_threads_of_its_own(self, app: Flask) -> None:
        account = factories.account()
        assert passwords.verify(account.id, PASSWORD)
        db.session.remove()
        db.engine.dispose()

        child = os.fork()
        if child == 0:
            os._exit(0 if bcrypt_gate.run(lambda: True) else 1)

        assert os.waitpid(child, 0)[1] == 0


class TestPasswords:
    def test_the_right_one_is_recognised(self, app: Flask) -> None:
        account = factories.account()
        assert passwords.verify(account.id, PASSWORD)
        assert not passwords.verify(account.id, PASSWORD + "x")
        assert not passwords.verify(account.id, "")
        assert not passwords.verify(None, PASSWORD)
        assert not passwords.verify("a_none", PASSWORD)

    def test_an_account_without_password_has_none(self, app: Flask) -> None:
        account = factories.account(status="invited")
        assert not passwords.verify(account.id, "")

    def test_setting_it_again_replaces_it(self, app: Flask) -> None:
        account = factories.account()
        passwords.set_password(account.id, "another one altogether")
        assert not passwords.verify(account.id, PASSWORD)
        assert passwords.verify(account.id, "another one altogether")

    def test_another_form_proves_nothing_and_costs_the_same(self, app: Flask) -> None:
        account = factories.account()
        with transaction():
            row = db.session.get(Password, account.id)
            assert row is not None
            row.hash = "v9$argon2id$something"
        assert not passwords.verify(account.id, PASSWORD)

    def test_an_upgrade_that_finds_no_place_waits_for_the_next_sign_in(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = factories.account()
        before = _stored(account.id)
        run = bcrypt_gate.run

        def full(function: object, *args: object) -> object:
            if function is passwords._hash:
                raise bcrypt_gate.Busy
            return run(function, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(bcrypt_gate, "run", full)
        _raise_cost(app, 5)
        assert passwords.verify(account.id, PASSWORD)
        assert _stored(account.id) == before

    def test_replacing_needs_the_hash_that_was_proved(self, app: Flask) -> None:
        account = factories.account()
        proved = passwords.proved_hash(account.id, PASSWORD)
        assert proved is not None
        passwords.set_password(account.id, "set by somebody meanwhile")

        assert not passwords.replace(account.id, proved, passwords.hashed("too late for this"))

        assert passwords.verify(account.id, "set by somebody meanwhile")
        assert "$2b" not in repr(proved)


class TestTokens:
    @pytest.mark.parametrize(
        "spelling",
        [
            str,
            str.lower,
            lambda token: token.replace("-", ""),
            lambda token: f"  {token.replace('-', ' ')}\r\n",
            lambda token: token.replace("-", " – "),
            lambda token: token.replace("-", "\u2212"),
            "\u200b".join,
            lambda token: token.replace("-", "\u00a0").replace("0", "o").replace("1", "l"),
            lambda token: token.replace("1", "I"),
            lambda token: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in token),
        ],
    )
    def test_any_spelling_finds_it(self, app: Flask, spelling: object) -> None:
        account = factories.account(status="invited")
        clear = one_time_tokens.mint(account.id, "first_sign_in")
        found = one_time_tokens.find(spelling(clear))  # type: ignore[operator]
        assert isinstance(found, Live)
        assert found.account == account

    @pytest.mark.parametrize(
        "text",
        ["", "x", "\0", "U" * 28, "0" * 27, "0" * 29, "é" * 28, "0" * 28 + "-" * 600, "-" * 99_999],
    )
    def test_what_can_not_be_one_is_unknown(self, app: Flask, text: str) -> None:
        assert one_time_tokens.normalise(text) is None
        assert one_time_tokens.find(text) == Unknown()

    def test_unknown_is_unknown(self, app: Flask) -> None:
        assert one_time_tokens.find("0" * 28) == Unknown()
        assert one_time_tokens.find_by_id("t_none") == Unknown()
        assert one_time_tokens.spend("t_none") is False

    def test_it_is_spent_once(self, app: Flask) -> None:
        account = factories.account(status="invited")
        clear = one_time_tokens.mint(account.id, "first_sign_in")
        token = one_time_tokens.find(clear).token  # type: ignore[union-attr]

        assert one_time_tokens.spend(token.id) is True
        assert one_time_tokens.spend(token.id) is False
        assert one_time_tokens.find(clear) == Unknown()

    def test_a_disabled_owner_has_no_token(self, app: Flask) -> None:
        account = factories.account(status="disabled")
        assert one_time_tokens.find(one_time_tokens.mint(account.id, "password_reset")) == Unknown()

    def test_a_mail_sent_twice_carries_two_and_either_works(self, app: Flask) -> None:
        account = factories.account()
        other = one_time_tokens.mint(account.id, "password_reset", outbox_id="m_0")
        printed = one_time_tokens.mint(account.id, "password_reset")
        first = one_time_tokens.mint(account.id, "password_reset", outbox_id="m_1")
        second = one_time_tokens.mint(account.id, "password_reset", outbox_id="m_1")

        assert one_time_tokens.find(other) == Unknown()
        assert one_time_tokens.find(printed) == Unknown()
        assert isinstance(one_time_tokens.find(first), Live)
        assert isinstance(one_time_tokens.find(second), Live)

    def test_an_expired_one_is_told_apart_until_a_newer_replaces_it(self, app: Flask) -> None:
        account = factories.account()
        clear = one_time_tokens.mint(account.id, "password_reset")
        with time_machine.travel(clock.now() + timedelta(hours=24) + LATER):
            found = one_time_tokens.find(clear)
            assert isinstance(found, Expired)
            assert one_time_tokens.spend(found.token.id) is False
            one_time_tokens.mint(account.id, "password_reset")
            assert one_time_tokens.find(clear) == Unknown()

    @pytest.mark.parametrize(
        ("purpose", "lifetime"),
        [("first_sign_in", timedelta(days=14)), ("password_reset", timedelta(hours=24))],
    )
    def test_each_purpose_has_its_lifetime(
        self, app: Flask, purpose: str, lifetime: timedelta
    ) -> None:
        account = factories.account()
        clear = one_time_tokens.mint(account.id, purpose)
        with time_machine.travel(clock.now() + lifetime - LATER):
            assert isinstance(one_time_tokens.find(clear), Live)
        with time_machine.travel(clock.now() + lifetime + LATER):
            assert isinstance(one_time_tokens.find(clear), Expired)

    def test_two_mails_at_once_leave_one_token(self, app: Flask) -> None:
        from tests.parallel import at_once

        account = factories.account()
        minted, errors = at_once(app, 6, lambda: one_time_tokens.mint(account.id, "password_reset"))
        live = select(func.count()).where(OneTimeToken.ended_at.is_(None))
        assert (len(minted), errors, db.session.scalar(live)) == (6, [], 1)


class TestDevices:
    def test_a_browser_is_known_to_whom_signed_in_there(self, app: Flask) -> None:
        claire, paul = factories.account("claire"), factories.account("paul")
        secret = devices.remember_device(claire.id, None)
        assert devices.is_known_device(claire.id, secret)
        assert not devices.is_known_device(paul.id, secret)
        assert not devices.is_known_device(claire.id, None)
        assert not devices.is_known_device(None, secret)
        assert not devices.is_known_device(claire.id, "x" * 100_000)

    def test_its_secret_changes_and_takes_both_parents_along(self, app: Flask) -> None:
        claire, paul = factories.account("claire"), factories.account("paul")
        first = devices.remember_device(claire.id, None)
        second = devices.remember_device(paul.id, first)
        third = devices.remember_device(paul.id, second)

        assert len({first, second, third}) == 3
        assert not devices.is_known_device(claire.id, first)
        assert devices.is_known_device(claire.id, third)
        assert devices.is_known_device(paul.id, third)

    def test_a_planted_secret_becomes_nobodys(self, app: Flask) -> None:
        mallory, claire = factories.account("mallory"), factories.account("claire")
        planted = devices.remember_device(mallory.id, None)
        devices.remember_device(claire.id, planted)
        assert not devices.is_known_device(claire.id, planted)

    def test_it_is_forgotten_after_a_year(self, app: Flask) -> None:
        account = factories.account()
        secret = devices.remember_device(account.id, None)
        with time_machine.travel(clock.now() + devices.REMEMBERED + LATER):
            assert not devices.is_known_device(account.id, secret)

    def test_an_account_keeps_a_bounded_number(self, app: Flask) -> None:
        account = factories.account()
        secrets = [devices.remember_device(account.id, None) for _ in range(25)]
        count = db.session.scalar(select(func.count()).select_from(KnownDevice))
        assert count == devices.MOST_DEVICES
        assert devices.is_known_device(account.id, secrets[-1])


def _stored(account_id: str) -> str:
    return db.session.scalars(select(Password.hash).where(Password.account_id == account_id)).one()


def _raise_cost(app: Flask, cost: int) -> None:
    from dataclasses import replace

    app.extensions["idp.settings"] = replace(app.extensions["idp.settings"], bcrypt_cost=cost)


def test_the_hash_of_nobody_is_one_that_bcrypt_reads() -> None:
    for cost in (4, 12):
        assert not bcrypt.checkpw(b"x" * 64, passwords._nobodys(cost).encode())
