"""Security rules E1 to E8 from outside: nobody learns who has an account, guesses slow down.

Strangers come with browsers of their own; only the clock and their addresses are ours.
"""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import count
from time import monotonic, perf_counter
from typing import Any

import bcrypt
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select
from werkzeug.test import TestResponse

from idp import clock, create_app
from idp.credentials import bcrypt_gate, one_time_tokens, throttling
from idp.credentials.models import ThrottleCounter
from idp.database import db, transaction
from idp.lifecycle import endings
from idp.lifecycle import passwords as lifecycle
from idp.mail.models import OutboxMessage
from idp.people.models import Account
from idp.settings import Settings
from tests import factories
from tests.apart import ApartClient
from tests.factories import PASSWORD
from tests.relying_party import Browser, form_of

pytestmark = pytest.mark.quick_on("sqlite")

UNKNOWN = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV"
WRONG = "Wrong-Guess-Of-A-Stranger-1"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
_addresses = count(1)


@pytest.fixture
def still() -> Iterator[time_machine.Traveller]:
    """A clock that only the test moves."""
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


class TestSameAnswers:
    """E1: the same text, status, headers and size, whoever was meant."""

    def test_e1_sign_in_answers_alike_for_every_kind_of_account(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        names = accounts_of_every_kind()
        answers = {name: seen(guess(stranger(app), name), name) for name in names}
        assert answers["nobody1"][0] == 400
        assert all(answer == answers["nobody1"] for answer in answers.values()), answers

    def test_e1_throttled_sign_ins_answer_alike(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        answers = {}
        for name in accounts_of_every_kind():
            use_up(app, name)
            answers[name] = seen(guess(stranger(app), name), name)
        assert answers["nobody1"][0] == 429
        assert all(answer == answers["nobody1"] for answer in answers.values()), answers

    def test_e1_a_second_name_of_a_throttled_account_tells_nothing(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire1", email="claire1@dubois.example")
        use_up(app, "claire1")
        by_address = guess(stranger(app), "claire1@dubois.example")
        nobodys = guess(stranger(app), "nobody1@dubois.example")
        assert seen(by_address, "claire1") == seen(nobodys, "nobody1")

    def test_e1_forgotten_answers_alike_for_every_address(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        accounts_of_every_kind()
        for name in ("twins1", "twins2"):
            factories.account(name, email="shared1@x.example")
        addresses = [f"{n}@x.example" for n in ("active1", "invited", "disabld", "nobody1")]
        answers = {each: forgotten(app, each) for each in [*addresses, "shared1@x.example"]}
        expected = answers["nobody1@x.example"]
        assert [status for status, *_ in expected] == [303, 200]
        assert all(answer == expected for answer in answers.values()), answers

    def test_e1_every_token_that_does_not_work_answers_alike(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        tokens = {"unknown": UNKNOWN, "malformed": "?" * len(UNKNOWN), **dead_tokens()}
        used = one_time_tokens.mint(factories.account().id, "password_reset")
        one_time_tokens.spend(one_time_tokens.find(used).token.id)  # type: ignore[union-attr]
        assert (
            "a déjà servi" in try_token(app, used).text
        )  # 140 bits prove it: the letter was used, no more
        answers = {kind: seen(try_token(app, token), token) for kind, token in tokens.items()}
        assert answers["unknown"][0] == 400
        assert all(answer == answers["unknown"] for answer in answers.values()), answers

    def test_e3_a_reached_limit_of_mails_looks_the_same(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        here = an_address()
        answers = [forgotten(app, "nobody1@x.example", here) for _ in range(25)]
        assert all(answer == answers[0] for answer in answers)
        assert db.session.scalar(select(func.count()).select_from(OutboxMessage)) < 25


@pytest.mark.long
class TestSameTime:
    """E1: within noise the same time. 200 samples a side, in turns, so that load hits both."""

    @on_sqlite
    def test_e1_sign_in_takes_the_same_time_for_known_and_unknown_names(self, app: Flask) -> None:
        groups = {kind: [f"{kind}{i:02}" for i in range(20)] for kind in ("known", "nobody")}
        for name in groups["known"]:
            factories.account(name)
        page = stranger(app)
        times = in_turns(
            groups, lambda name: page.timed("login-form", username=name, password=WRONG)
        )
        assert abs(superiority(times["known"], times["nobody"]) - 0.5) < 0.15

    @on_sqlite
    @pytest.mark.parametrize("status", ["invited", "disabled"])
    def test_e1_judging_takes_the_same_time_for_accounts_that_may_not_sign_in(
        self, app: Flask, status: str
    ) -> None:
        groups = {kind: [f"{kind}{i:02}" for i in range(20)] for kind in ("theirs", "nobody")}
        for name in groups["theirs"]:
            factories.account(name, status=status)
        times = in_turns(groups, lambda name: seconds(lambda: judged_wrong(name)))
        assert abs(superiority(times["theirs"], times["nobody"]) - 0.5) < 0.15

    @on_sqlite
    def test_e1_forgotten_takes_the_same_time_for_every_address(self, app: Flask) -> None:
        factories.account("claire", email="claire@x.example")
        groups = {"known": ["claire@x.example"], "unknown": ["nobody@x.example"]}
        page = stranger(app).open_at("forgotten")
        times = in_turns(groups, lambda email: page.timed("forgotten-form", email=email))
        assert abs(superiority(times["known"], times["unknown"]) - 0.5) < 0.15

    @on_sqlite
    @pytest.mark.parametrize("kind", ["disabled", "replaced", "spent"])
    def test_e1_tokens_take_the_same_time(self, app: Flask, kind: str) -> None:
        """Those that are answered alike: who holds a spent one of an active account is led on."""
        groups = {"unknown": [UNKNOWN], kind: [dead_tokens()[kind]]}
        times = in_turns(groups, lambda token: seconds(lambda: one_time_tokens.find(token)))
        assert abs(superiority(times[kind], times["unknown"]) - 0.5) < 0.15


class TestDelays:
    """E2 and E4: delays grow by name and by address, are said, and end."""

    @pytest.mark.parametrize("name", ["claire", "nobody"])
    def test_e4_delays_grow_and_are_said_for_known_and_unknown_names(
        self, app: Flask, still: time_machine.Traveller, name: str
    ) -> None:
        factories.account("claire")
        use_up(app, name)
        waits = []
        for _ in range(5):
            refused = guess(stranger(app), name)
            assert refused.status_code == 429
            waits.append(int(refused.headers["Retry-After"]))
            still.shift(waits[-1])
            assert guess(stranger(app), name).status_code == 400
        assert waits == [2, 4, 8, 16, 32]

    def test_e4_before_the_delay_is_over_even_the_right_password_waits(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire")
        use_up(app, "claire")
        browser = stranger(app)
        assert guess(browser, "claire", PASSWORD).status_code == 429
        still.shift(2)
        guess(browser, "claire", PASSWORD)
        assert browser.shows("sign-out")

    @pytest.mark.long
    def test_e2_an_owner_is_not_locked_out_after_hours_of_guessing(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire")
        use_up(app, "claire")
        for _ in range(30):
            still.shift(900)
            assert guess(stranger(app), "claire").status_code == 400
        refused = guess(stranger(app), "claire", PASSWORD)
        assert int(refused.headers["Retry-After"]) <= 900
        still.shift(int(refused.headers["Retry-After"]))
        owner = stranger(app)
        guess(owner, "claire", PASSWORD)
        assert owner.shows("sign-out")

    def test_e2_a_mailed_token_lets_the_owner_in_while_strangers_guess(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        account = factories.account("claire")
        use_up(app, "claire")
        owner = stranger(app)
        owner.open(f"/welcome?token={one_time_tokens.mint(account.id, 'password_reset')}")
        owner.submit("token-form", token=field_value(owner.page, "token"))
        new = "Brouette-Citadelle-Orage-9"
        owner.submit("password-form", new_password=new, repeat_password=new)
        assert owner.shows("sign-out")
        later = stranger(app)
        guess(later, "claire", new)
        assert later.shows("sign-out")

    def test_e2_a_known_device_is_not_slowed_by_strangers(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire")
        own = stranger(app)
        guess(own, "claire", PASSWORD)
        own.press("sign-out")
        use_up(app, "claire")
        assert guess(stranger(app), "claire").status_code == 429
        own.open("/")
        guess(own, "claire", PASSWORD)
        assert own.shows("sign-out")

    def test_e2_a_device_known_for_one_account_has_no_budget_for_another(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        for name in ("mallory", "claire"):
            factories.account(name)
        mallory = stranger(app)
        guess(mallory, "mallory", PASSWORD)
        mallory.press("sign-out")
        use_up(app, "claire")
        mallory.open("/")
        assert guess(mallory, "claire").status_code == 429

    @on_sqlite
    def test_e2_an_address_is_slowed_across_names_and_ipv6_counts_by_64_bits(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        network = ip_network("2001:db8:7:7::/64")
        for _ in range(100):
            throttling.attempt("address", str(network))
        same = guess(stranger(app, "2001:db8:7:7:a::1"), "anybody")
        other = guess(stranger(app, "2001:db8:7:8::1"), "anybody")
        assert (same.status_code, same.headers["Retry-After"]) == (429, "2")
        assert other.status_code == 400

    @on_sqlite
    def test_e8_a_forged_forwarded_address_escapes_no_budget(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        for _ in range(100):
            throttling.attempt("address", "192.0.2.66/32")
        browser = stranger(app, "192.0.2.66")
        browser.client.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.9"
        assert guess(browser, "anybody").status_code == 429


class TestSharedCounters:
    """E2, E6 and E7: one budget for all workers, all threads and all doors."""

    def test_e2_two_workers_and_a_restart_share_one_budget(
        self, settings: Settings, still: time_machine.Traveller
    ) -> None:
        statuses = []
        for _ in range(6):
            with another_worker(settings) as worker:
                statuses.append(guess(stranger(worker), "claire").status_code)
        assert statuses == [400] * 5 + [429]

    @pytest.mark.long
    def test_e6_of_200_guesses_at_once_no_more_are_judged_than_the_budget_allows(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire")
        browser = stranger(app)
        path, data, headers = raw_form(browser, "login-form", username="claire", password=WRONG)
        data.pop("once")  # with it, equal forms are one guess: the answer of the first for all

        def send(number: int) -> int:
            http = app.test_client(use_cookies=False)
            at = {"REMOTE_ADDR": f"198.51.100.{number}"}
            return http.post(path, data=data, headers=headers, environ_overrides=at).status_code

        with ThreadPoolExecutor(200) as threads:
            statuses = list(threads.map(send, range(200)))
        assert set(statuses) <= {400, 429}
        assert 1 <= statuses.count(400) <= 5

    def test_e7_guesses_at_the_current_password_are_guesses_at_the_sign_in(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire")
        thief = stranger(app)
        guess(thief, "claire", PASSWORD)
        thief.client.delete_cookie("idp_device")
        for _ in range(5):
            thief.open("/account/password")
            assert change(thief, WRONG).status_code == 400
        assert guess(stranger(app), "claire").status_code == 429
        assert change(thief, PASSWORD).status_code == 429

    def test_e7_a_known_device_has_one_budget_for_both_doors(
        self, app: Flask, still: time_machine.Traveller
    ) -> None:
        factories.account("claire")
        own = stranger(app)
        guess(own, "claire", PASSWORD)
        for _ in range(5):
            own.open("/account/password")
            change(own, WRONG)
        assert int(change(own, PASSWORD).headers["Retry-After"]) == 2
        own.open("/")
        own.press("sign-out")
        own.open("/")
        assert guess(own, "claire", PASSWORD).status_code == 429

    def test_e6_an_unjudged_guess_never_reaches_bcrypt(
        self, app: Flask, still: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        factories.account("claire")
        use_up(app, "claire")
        asked: list[object] = []
        monkeypatch.setattr(bcrypt, "checkpw", lambda *args: asked.append(args))
        assert guess(stranger(app), "claire", PASSWORD).status_code == 429
        assert asked == []


class TestStorm:
    """E5: sign-ins may queue; nothing else waits for them."""

    @on_sqlite
    def test_e5_a_storm_of_sign_ins_queues_is_bounded_and_starves_no_other_page(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate = bcrypt_gate.Gate(parallel=1, queue=2)
        hold = threading.Event()
        monkeypatch.setattr(bcrypt_gate, "_gate", lambda *_: gate)
        monkeypatch.setattr(bcrypt, "checkpw", lambda *_: hold.wait(60) and False)
        browsers = [stranger(app) for _ in range(8)]
        with ThreadPoolExecutor(8) as storm:
            sent = [storm.submit(guess, each, f"n{i}abc") for i, each in enumerate(browsers)]
            wait_until(lambda: sum(each.done() for each in sent) == 5)
            quick = [timed_get(app, path) for path in ("/.well-known/openid-configuration", "/")]
            hold.set()
        answers = [each.result() for each in sent]
        assert sorted(answer.status_code for answer in answers) == [400] * 3 + [503] * 5
        assert all("Retry-After" in a.headers for a in answers if a.status_code == 503)
        assert max(quick) < 5


# What strangers do


class Stranger(Browser):
    """A browser that nobody knows, at an address of its own."""

    address = ""

    def open_at(self, page: str) -> "Stranger":
        """Open one of the pages of the sign-in that is open."""
        assert self.page is not None
        self.open(self.page.request.path.rpartition("/")[0] + f"/{page}")
        return self

    def timed(self, form_id: str, **fields: str) -> float:
        """Seconds that one submission takes; the page stays open, the address is new."""
        assert self.page is not None
        action, hidden = form_of(self.page.text, form_id)
        at = {"REMOTE_ADDR": an_address()}
        started = perf_counter()
        self.client.post(action, data={**hidden, **fields}, environ_overrides=at)
        return perf_counter() - started


def stranger(app: Flask, address: str | None = None) -> Stranger:
    app.test_client_class = ApartClient
    client: FlaskClient = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address or an_address()
    browser = Stranger(client)
    browser.open("/")
    return browser


def an_address() -> str:
    number = next(_addresses)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def guess(browser: Browser, name: str, password: str = WRONG) -> TestResponse:
    return browser.sign_in(name, password)


def judged_wrong(name: str) -> None:
    with pytest.raises(lifecycle.WrongPassword):
        lifecycle.prove_password(name, WRONG, address=an_address())


def seconds(call: Callable[[], object]) -> float:
    started = perf_counter()
    call()
    return perf_counter() - started


def use_up(app: Flask, name: str) -> None:
    """Spend what guesses at this name are free, from many places."""
    for _ in range(5):
        assert guess(stranger(app), name).status_code == 400


def change(browser: Browser, current: str) -> TestResponse:
    browser.open("/account/password")
    form = next(iter(re.findall(r'<form id="([\w-]*password[\w-]*)"', browser.page.text)))  # type: ignore[union-attr]
    new = "Brouette-Citadelle-Orage-9"
    return browser.submit(form, current_password=current, new_password=new, repeat_password=new)


def forgotten(app: Flask, email: str, address: str | None = None) -> list[tuple[Any, ...]]:
    """What a stranger sees of the answer, and of the page that it leads to."""
    browser = stranger(app, address).open_at("forgotten")
    path, data, _cookies = raw_form(browser, "forgotten-form", email=email)
    answer = browser.client.post(path, data=data)
    page = browser.client.get(answer.headers["Location"])
    return [seen(answer, email), seen(page, email)]


def try_token(app: Flask, token: str) -> TestResponse:
    browser = stranger(app).open_at("token")
    return browser.submit("token-form", token=token)


def raw_form(
    browser: Browser, form_id: str, **fields: str
) -> tuple[str, dict[str, str], dict[str, str]]:
    """Path, fields and cookies of a form, to be sent from elsewhere."""
    assert browser.page is not None
    action, hidden = form_of(browser.page.text, form_id)
    cookie = browser.client.get_cookie("idp_browser")
    assert cookie is not None
    return action, {**hidden, **fields}, {"Cookie": f"idp_browser={cookie.value}"}


def field_value(page: TestResponse | None, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*?value="([^"]*)"', page.text if page else "", re.DOTALL)
    assert found is not None
    return found[1]


def timed_get(app: Flask, path: str) -> float:
    started = monotonic()
    assert app.test_client().get(path).status_code in {200, 303}
    return monotonic() - started


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "it does not come true"
        threading.Event().wait(0.02)


# Who they try


def accounts_of_every_kind() -> list[str]:
    """Names of one length: an active account, an invited, a disabled one, and nobody's."""
    for name, status in (("active1", "active"), ("invited", "invited"), ("disabld", "active")):
        account = factories.account(name, status=status, email=f"{name}@x.example")
        if name == "disabld":
            endings.disable_account(account.id)
    return ["active1", "invited", "disabld", "nobody1"]


def dead_tokens() -> dict[str, str]:
    """Tokens that were good once: spent before an account was opened anew, replaced, and one whose
    owner was disabled."""
    spent, replaced, disabled = (factories.account() for _ in range(3))
    tokens = {
        "spent": one_time_tokens.mint(spent.id, "password_reset"),
        "replaced": one_time_tokens.mint(replaced.id, "password_reset"),
        "disabled": one_time_tokens.mint(disabled.id, "password_reset"),
    }
    one_time_tokens.spend(one_time_tokens.find(tokens["spent"]).token.id)  # type: ignore[union-attr]
    one_time_tokens.mint(replaced.id, "password_reset")
    with transaction() as writes:
        writes.get(Account, disabled.id).status = "disabled"
        writes.get(Account, spent.id).status = "invited"
    return tokens


@contextmanager
def another_worker(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    app.testing = True
    yield app
    with app.app_context():
        db.engine.dispose()


# What they compare


def seen(response: TestResponse, typed: str) -> tuple[Any, ...]:
    """All that an answer shows, without what is random in each: status, text, headers."""
    text = re.sub(r'name="(csrf_token|once)" value="[^"]+"', "CSRF", response.text)
    text = re.sub(r"kept=f_[\w-]{22}", "KEPT", text)
    walk = re.compile(r"/interaction/[\w-]+")  # carried by the browser, or a row
    text = walk.sub("/interaction", text).replace(typed, "TYPED")
    hidden = {"X-Request-Id", "Set-Cookie", "Content-Length"}
    headers = sorted((name, value) for name, value in response.headers if name not in hidden)
    headers = [(name, walk.sub("/interaction", value)) for name, value in headers]
    cookies = sorted(c.partition("=")[0] for c in response.headers.getlist("Set-Cookie"))
    return response.status_code, text, headers, cookies


def in_turns(
    groups: dict[str, list[str]], measure: Callable[[str], float], samples: int = 200
) -> dict[str, list[float]]:
    """Seconds for each group, one of each in turn, each after a fresh budget."""
    times: dict[str, list[float]] = {kind: [] for kind in groups}
    order = list(groups)
    for number in range(samples):
        if number % 20 == 0:
            with transaction() as writes:
                writes.execute(delete(ThrottleCounter))
        for kind in order:
            each = groups[kind]
            times[kind].append(measure(each[number % len(each)]))
        order.append(order.pop(0))
    return times


def superiority(some: list[float], others: list[float]) -> float:
    """How often one of ``some`` is longer than one of ``others`` (Mann–Whitney's U / nm).

    0.5 means indistinguishable; with 200 a side its standard error is 0.03, whatever the noise.
    """
    wins = sum((a > b) + (a == b) / 2 for a in some for b in others)
    return wins / (len(some) * len(others))
