"""Security rules R1 to R7, K1 and A4: crashes, outages, clocks, garbage, and unsafe settings."""

import base64
import json
import os
import shutil
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from idp import Settings, UnsafeSettings, clock, create_app
from idp.audit.models import AuditEvent
from idp.credentials import one_time_tokens, passwords, throttling
from idp.credentials.models import OneTimeToken
from idp.lifecycle import passwords as lifecycle
from idp.lifecycle.mails import requests as mail_requests
from idp.mail import delivery
from idp.mail.models import OutboxMessage
from idp.oidc.models import AccessToken, AuthorizationCode, Grant
from idp.people.models import Account
from idp.sessions.models import BrowserSession
from idp.settings import safety
from idp.web import bodies, slow_clients
from tests import databases, factories, smtp
from tests.conftest import SECRETS, settings_for_tests
from tests.relying_party import Browser, leads_to, world
from tests.security.outages import (
    SLOW,
    Trickle,
    away,
    chunked_post,
    cluster,
    count_of,
    crash_everywhere,
    databases_app,
    eventually,
    fetch,
    idp,
    mail_at,
    posted_from,
    receiving,
    row,
    serving,
    slow_post,
    timed,
    while_away,
)
from tests.security.whole_site import (
    ENDS,
    busy_world,
    csrf_of,
    everything,
    filled,
    forms,
    pages,
    upload_paths,
)

NEW = "Brouette-Citadelle-Orage-9"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.long
class TestKilled:
    """R1: kill -9 before any statement or commit leaves no half state."""

    def test_r1_no_password_without_a_spent_token(self, app: Flask) -> None:
        def prepare() -> tuple[Account, str]:
            account = factories.account(status="invited")
            clear = mail_requests.issue_letter_token(account.id)
            return account, one_time_tokens.find(clear).token.id  # type: ignore[union-attr]

        crashes = 0
        for account, token in crash_everywhere(
            prepare, lambda it: lifecycle.claim_with_token(it[1], NEW)
        ):
            facts = {
                row(Account, account.id).status == "active",
                row(OneTimeToken, token).spent_at is not None,
                passwords.verify(account.id, NEW),
                count_of(OutboxMessage, account_id=account.id) == 1,
                count_of(AuditEvent, account_id=account.id, event="password_set") == 1,
            }
            assert len(facts) == 1, crashes
            crashes += 1
        assert crashes > 8

    def test_r1_no_code_without_a_grant_and_no_grant_without_a_code(
        self, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        path = site.portal.authorize_path(scope="openid child")
        crashes = 0
        for _ in crash_everywhere(lambda: None, lambda _it: client.get(path)):
            codes, grants = count_of(AuthorizationCode), count_of(Grant)
            assert codes == grants == count_of(AuditEvent, event="grant_made")
            crashes += 1
        # before the look, the one statement that writes all three, and its commit, and none at all
        assert crashes > 3

    def test_r1_no_spent_code_without_its_tokens(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        crashes = 0
        for _ in crash_everywhere(
            lambda: site.answer()["code"], lambda code: site.portal.redeem(client, code)
        ):
            redeemed = count_of(AuthorizationCode) - count_of(AuthorizationCode, redeemed_at=None)
            assert redeemed == count_of(AccessToken)
            crashes += 1
        # before the look-up, before the one statement that redeems, and none at all
        assert crashes > 2
        assert count_of(AccessToken) == 1

    def test_r1_no_ended_session_with_a_living_grant(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        tokens = site.redeem()
        fields = {"csrf_token": csrf_of(site.browser)}
        for _ in crash_everywhere(
            lambda: None, lambda _it: client.post("/account/sign-out", data=fields)
        ):
            ended = count_of(BrowserSession) != count_of(BrowserSession, ended_at=None)
            refused = site.portal.userinfo(client, tokens["access_token"]).status_code == 401
            assert ended == refused
        assert ended


@pytest.mark.long
class TestServer:
    """R1 and R7 against ``idp serve`` itself, over real connections."""

    def test_r1_and_r7_a_real_server(self, tmp_path: Path, keys_folder: Path) -> None:
        with databases.fresh("sqlite") as url, databases_app(url, keys_folder):
            factories.account("claire")
            with serving(url, keys_folder) as (address, server):
                assert fetch(f"{address}/health/ready")[0] == 200
                assert fetch(f"{address}/language", b"x" * 70_000)[0] in {0, 413}  # 0: cut off
                assert chunked_post(address, 5_000_000) in {0, 400, 413}
                assert fetch(f"{address}/?{'x' * 200_000}")[0] in {0, 400, 414, 431}
                os.killpg(server.pid, signal.SIGKILL)
            # one database, one issuer: it starts again where it was
            with serving(url, keys_folder, urlsplit(address).port) as (address, _server):
                assert fetch(f"{address}/health/ready")[0] == 200
                assert 'id="login-form"' in fetch(f"{address}/")[1]

    def test_r7_slow_clients_leave_room_for_all_others(self, keys_folder: Path) -> None:
        with databases.fresh("sqlite") as url, serving(url, keys_folder) as (address, _server):
            fetch(f"{address}/health/live")
            for kind in SLOW:
                slow = [slow_post(address, kind) for _ in range(150)]
                sleep(1)  # each holds what it can by now
                try:
                    took = [timed(lambda: fetch(f"{address}/health/live")) for _ in range(9)]
                    assert median(took) < 2, kind
                finally:
                    for connection in slow:
                        connection.close()

    @pytest.mark.slow
    def test_r7_senders_who_trickle_are_cut_off_in_time_and_hold_up_nobody(
        self, keys_folder: Path
    ) -> None:
        with databases.fresh("sqlite") as url, serving(url, keys_folder) as (address, _server):
            fetch(f"{address}/health/live")
            kinds = ("chunks", "chunks for a program", "a length")
            slow = [Trickle(address, kinds[number % 3]) for number in range(150)]
            for each in slow:
                each.start()
            until, took = monotonic() + slow_clients.SECONDS + 2, [0.0]
            while monotonic() < until:
                took.append(timed(lambda: fetch(f"{address}/health/live")))
                assert posted_from("127.0.0.2", address) == 401  # there is room for others' forms
                sleep(0.3)
            assert max(took) < 2
            for each in slow:
                each.join()
            answered = Counter(each.status for each in slow)
            assert set(answered) == {"408", "503"}
            assert answered["408"] >= slow_clients.SHARE
            assert max(each.took for each in slow) < slow_clients.SECONDS + 4
            # and none of them holds a place
            form = b"grant_type=authorization_code&code=x"
            assert {fetch(f"{address}/oauth2/token", form)[0] for _ in range(60)} == {401}

    def test_r7_a_storm_of_forms_is_answered_whole(self, keys_folder: Path) -> None:
        with databases.fresh("sqlite") as url, serving(url, keys_folder) as (address, _server):
            fetch(f"{address}/health/live")
            with ThreadPoolExecutor(120) as senders:
                answers = senders.map(lambda _: posted_from("127.0.0.1", address), range(480))
            assert set(answers) == {401}

    @pytest.mark.slow
    def test_r7_uploads_that_trickle_are_told_so_in_time_and_hold_up_nobody(
        self, keys_folder: Path
    ) -> None:
        with databases.fresh("sqlite") as url, receiving(url, keys_folder) as address:
            # one whose length nobody told is no upload, and is cut off as a form is
            untold = Trickle(address, "an upload without a length")
            untold.start()
            for _ in range(2):  # whoever was first gave the place back
                slow = [Trickle(address, "an upload for anybody") for _ in range(6)]
                for each in slow:
                    each.start()
                while any(each.is_alive() for each in slow):
                    assert timed(lambda: fetch(f"{address}/health/live")) < 2
                    sleep(0.3)
                answered = Counter(each.status for each in slow)
                assert answered == {"408": bodies.UPLOADS_AT_ONCE, "503": 2}
                assert max(each.took for each in slow) < 6
            assert fetch(f"{address}/upload", b"x" * 200_000)[0] == 200
            untold.join()
            assert (untold.status, untold.took < slow_clients.SECONDS + 4) == ("408", True)

    def test_r7_a_body_that_ends_early_is_none(self, keys_folder: Path) -> None:
        with databases.fresh("sqlite") as url, serving(url, keys_folder) as (address, _server):
            fetch(f"{address}/health/live")
            with slow_post(address) as connection:
                connection.shutdown(socket.SHUT_WR)
                assert connection.recv(12) in {b"HTTP/1.1 400", b""}

    def test_r7_a_body_without_a_length_is_read_like_any_other(self, keys_folder: Path) -> None:
        with databases.fresh("sqlite") as url, serving(url, keys_folder) as (address, _server):
            asked = f"{address}/oauth2/token"
            status, whole = fetch(asked, b"grant_type=authorization_code&code=x")
            pieces = fetch(asked, iter([b"grant_type=", b"authorization_code&code=x"]))
            assert status == pieces[0] == 401
            assert json.loads(whole)["error"] == json.loads(pieces[1])["error"]
            too_long = fetch(asked, (b"x" * 1000 for _ in range(70)))[0]
            assert too_long in {0, 413}  # 0: cut off while it was still being sent


class TestDatabaseAway:
    """R2: 503 with ``Retry-After`` while it is away, and back by itself."""

    def test_r2_postgresql_stopped_and_started_again(self, keys_folder: Path) -> None:
        with (
            cluster() as (server, url),
            databases_app(url, keys_folder, migrated=False) as app,
        ):
            databases.migrate(url)
            site = world(app.test_client(), "Lina")
            tokens = site.redeem()
            token = csrf_of(site.browser)
            server.stop()
            while_away(site, token)
            server.start()
            assert eventually(lambda: site.http.get("/").status_code == 200)
            site.browser.open("/")
            assert site.browser.shows("sign-out")
            assert site.portal.userinfo(site.http, tokens["access_token"]).status_code == 200
            assert site.http.get("/health/ready").status_code == 200

    @on_sqlite
    def test_r2_sqlite_whose_folder_is_away(self, app: Flask, client: FlaskClient) -> None:
        site = world(client, "Lina")
        token = csrf_of(site.browser)
        with away(app):
            while_away(site, token)
        site.browser.open("/")
        assert site.browser.shows("sign-out")

    @on_sqlite
    def test_r2_a_parents_page_says_so_and_a_program_is_told_by_its_code(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        with away(app):
            page = client.get("/", headers={"Accept-Language": "en"})
            answer = site.portal.redeem(client, "anything")
        assert 'id="oauth-error">database_away' in page.text
        assert 'id="correlation-id"' in page.text
        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["error"] == "temporarily_unavailable"
        assert "sqlite" not in (page.text + answer.text).lower()


class TestMailAway:
    """R3: mail waits, pages work."""

    def test_r3_pages_work_and_the_mail_leaves_when_the_server_is_back(
        self, database_url: str, keys_folder: Path
    ) -> None:
        port = smtp.free_port()
        with databases_app(database_url, keys_folder, mail_port=port) as app:
            factories.account("claire", email="claire@x.example", status="invited")
            browser = Browser(app.test_client())
            browser.open("/")
            path = browser.page.request.path  # type: ignore[union-attr]
            browser.open(path.replace("/login", "/forgotten"))
            assert delivery.deliver_due() == 0
            assert browser.submit("forgotten-form", email="claire@x.example").status_code == 200
            delivery.deliver_due()
            assert count_of(OutboxMessage, status="queued") == 1
            with time_machine.travel(clock.now() + timedelta(minutes=2)), mail_at(port) as server:
                delivery.deliver_due()
                assert [letter.recipients for letter in server.letters] == [["claire@x.example"]]


class TestClock:
    """R5: the clock steps by an hour; nothing ends early by more, nothing lives for ever."""

    @pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
    def test_r5_sessions_survive_a_step_and_end_within_an_hour_of_their_time(
        self, client: FlaskClient, step: timedelta
    ) -> None:
        with time_machine.travel(clock.now(), tick=False) as time:
            site = world(client, "Lina")
            time.shift(step)
            site.browser.open("/")
            assert site.browser.shows("sign-out")
            time.shift(timedelta(hours=25) - min(step, timedelta()))
            site.browser.open("/")
            assert not site.browser.shows("sign-out")

    @pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1)])
    def test_r5_mailed_tokens_survive_a_step_and_end_in_time(
        self, app: Flask, step: timedelta
    ) -> None:
        with time_machine.travel(clock.now(), tick=False) as time:
            account = factories.account()
            token = one_time_tokens.mint(account.id, "password_reset")
            time.shift(step)
            assert isinstance(one_time_tokens.find(token), one_time_tokens.Live)
            time.shift(timedelta(hours=25))
            assert isinstance(one_time_tokens.find(token), one_time_tokens.Expired)

    def test_r5_a_code_does_not_outlive_a_step_back(self, client: FlaskClient) -> None:
        with time_machine.travel(clock.now(), tick=False) as time:
            site = world(client, "Lina")
            code = site.answer()["code"]
            time.shift(timedelta(hours=-1))
            time.shift(timedelta(hours=1, seconds=61))
            assert site.portal.redeem(client, code).status_code == 400

    def test_r5_a_throttled_parent_waits_no_hour_more_after_a_step_back(
        self, client: FlaskClient
    ) -> None:
        with time_machine.travel(clock.now(), tick=False) as time:
            factories.account("claire")
            for _ in range(12):
                outcome = throttling.attempt("identifier", "claire")
                time.shift(getattr(outcome, "retry_after", 0))
            time.shift(timedelta(hours=-1))
            browser = Browser(client)
            browser.open("/")
            browser.sign_in("claire")
            assert browser.shows("sign-out")

    def test_r5_interactions_begun_before_a_step_back_stay_usable(
        self, client: FlaskClient
    ) -> None:
        with time_machine.travel(clock.now(), tick=False) as time:
            site = world(client, "Lina", signed_in=False)
            for _ in range(19):
                site.ask()
            time.shift(timedelta(hours=-1))
            site.ask(state="after the step")
            assert "after+the+step" in leads_to(site.browser.sign_in("claire"))


# What no form of ours sends. Each: body and content type.
GARBAGE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "application/x-www-form-urlencoded"),
    "no type": (b"username=claire&password=x", ""),
    "json": (b'{"username": "claire"}', "application/json"),
    "deep json": (b"[" * 60_000, "application/json"),
    "plain text": (b"username=claire", "text/plain"),
    "binary": (bytes(range(256)) * 100, "application/octet-stream"),
    "binary form": (bytes(range(256)) * 100, "application/x-www-form-urlencoded"),
    "xml": (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml"),
    "broken multipart": (
        b"--x\r\nContent-Disposition: form-data",
        "multipart/form-data; boundary=x",
    ),
    "no boundary": (b"--x\r\n", "multipart/form-data"),
    "1,000 parts": (
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\n1\r\n' % n
            for n in range(1000)
        )
        + b"--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "strange charset": (
        "username=é".encode("utf-16"),
        "application/x-www-form-urlencoded; charset=utf-16",
    ),
}
TOO_LARGE = {
    "form": (b"username=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
    "multipart": (
        b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n'
        + b"x" * 70_000
        + b"\r\n--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "file": (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n'
        + b"x" * 70_000
        + b"\r\n--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
}
# What is typed into every field at once, percent-encoded as a browser's form is.
TYPED = {
    "NUL": "a%00b",
    "invalid UTF-8": "%ff%fe%c3%28",
    "half a surrogate pair": "%ed%a0%80",
    "not a character": "%ef%bf%bf%f4%8f%bf%bf",
    "other directions": "%e2%80%ae%e2%81%a6%e2%80%8b",
    "lines": "a%0d%0ab%0d%0aSet-Cookie:%20x=y",
    "template": "%7b%7b7*7%7d%7d%7b%25%20for%20x%20in%20y%20%25%7d%25(name)s%7b0%7d",
    "markup": "%22%3e%3cscript%3ealert(1)%3c/script%3e",
    "sql": "'%20OR%201=1;--",
    "thousands of characters": "%f0%9f%98%80" * 400,
    "many spaces": "%20" * 1200,
}
_DEEP = base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("=")
STRANGE_TOKENS = (f"{_DEEP}.{_DEEP}.AA", f"{_DEEP}.e30.", "a.b.c", "...", "\0", "é.é.é")
BY_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
STRANGE = ("%00", "%ff", "%ed%a0%80", "a%0d%0ab", "x" * 5000, "..%2f..", "%7b%7b1%7d%7d")
"""Parts of an address that nobody was given."""


FILES = {"/account/data/download": (200,)}
"""Forms without a field, whose answer is a file rather than a page."""


@pytest.mark.long
class TestGarbage:
    """R7: a clear page with a 4xx status, nothing half written."""

    @on_sqlite
    def test_r7_bodies_over_64_kib_are_refused_by_every_form(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = busy_world(app, client)
        before, uploads = everything(), upload_paths(app, site)
        assert uploads
        for kind, (body, content_type) in TOO_LARGE.items():
            for path, _fields in forms(app, site):
                answer = client.post(path, data=body, content_type=content_type)
                # Files are for staff: who is none is sent away with the body unread
                status, code = (404, "not_found") if path in uploads else (413, "too_large")
                assert answer.status_code == status, (kind, path)
                assert f'id="oauth-error">{code}' in answer.text, (kind, path)
        assert everything() == before

    def test_r7_bodies_that_are_no_forms_are_refused_and_change_nothing(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = busy_world(app, client)
        before = everything()
        for kind, (body, content_type) in GARBAGE.items():
            for path, _fields in forms(app, site):
                answer = client.post(path, data=body, content_type=content_type)
                assert answer.status_code in {303, 400, 413, 415}, (kind, path)
        assert everything() == before

    def test_r7_whatever_is_typed_into_every_field_gets_a_clear_answer(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = busy_world(app, client)
        kept = ("accounts", "passwords", "guardianships", "one_time_tokens", "children", "clients")
        before, token = everything(*kept), csrf_of(site.browser)
        for kind, typed in TYPED.items():
            for path, fields in forms(app, site)[: -len(ENDS)]:
                body = "&".join([*(f"{name}={typed}" for name in fields), f"csrf_token={token}"])
                answer = client.post(
                    path, data=body, content_type="application/x-www-form-urlencoded"
                )
                assert answer.status_code in {200, 303, 400, 403, 404, 429, *FILES.get(path, ())}, (
                    path
                )
                assert "<script>alert" not in answer.text, (kind, path)
                assert answer.headers.get("Set-Cookie", "").count("x=y") == 0, (kind, path)
        assert everything(*kept) == before

    def test_r7_1000_parameters_and_repeated_ones_get_a_clear_answer(
        self, app: Flask, client: FlaskClient
    ) -> None:
        site = busy_world(app, client)
        kept = ("accounts", "passwords", "guardianships", "one_time_tokens")
        before, token = everything(*kept), csrf_of(site.browser)
        many = "&".join(f"p{number}=1" for number in range(1000))
        for path, fields in forms(app, site)[: -len(ENDS)]:
            twice = "&".join(f"{name}=a&{name}=b" for name in fields)
            body = f"csrf_token={token}&{many}&{twice}"
            answer = client.post(path, data=body, content_type="application/x-www-form-urlencoded")
            assert answer.status_code in {200, 303, 400, 403, 404, *FILES.get(path, ())}, path
        assert everything(*kept) == before

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_r7_strange_addresses_are_pages_that_do_not_exist(
        self, app: Flask, client: FlaskClient, method: str
    ) -> None:
        site = busy_world(app, client)
        data = {"csrf_token": csrf_of(site.browser)} if method == "POST" else None
        rules = [r for r in app.url_map.iter_rules() if r.arguments and method in (r.methods or ())]
        for typed in STRANGE:
            for rule in rules:
                path = filled(rule, dict.fromkeys(site.places, typed))
                answer = client.open(path, method=method, data=data, buffered=True)
                assert answer.status_code in {303, 400, 404}, path

    def test_r7_strange_queries_get_an_answer(self, app: Flask, client: FlaskClient) -> None:
        site = busy_world(app, client)
        names = ["token", "state", "nonce", "client_id", "redirect_uri", "scope", "prompt", "v"]
        names += ["max_age", "claims", "login_hint", "ui_locales", "id_token_hint", "child_hint"]
        names += ["post_logout_redirect_uri", "response_mode", "next"]
        for typed in TYPED.values():
            query = "&".join(f"{name}={typed[:600]}" for name in names)
            for path in pages(app, site):
                assert client.get(f"{path}?{query}", buffered=True).status_code < 500, path

    @on_sqlite
    def test_r7_strange_cookies_are_no_cookies(self, app: Flask) -> None:
        for value in ("\xff\xfe", "x" * 7000, "%00", '"', "a.b.c", "=", ".eJw.x.y", "é" * 40):
            for name in ("idp_browser", "idp_session", "idp_device", "session"):
                http = app.test_client(use_cookies=False)
                headers = {"Cookie": f"{name}={value}".encode().decode("latin-1")}
                assert http.get("/", headers=headers).status_code == 303

    def test_r7_deep_json_and_strange_tokens_get_a_protocol_error(
        self, client: FlaskClient
    ) -> None:
        site = world(client, "Lina")
        for token in STRANGE_TOKENS:
            ask = site.portal.authorize_path(id_token_hint=token)
            for path in (ask, f"/oauth2/logout?{urlencode({'id_token_hint': token})}"):
                assert client.get(path).status_code < 500
            data = {"grant_type": "authorization_code", "code": "x", "token": token}
            for endpoint in ("token", "revoke", "introspect"):
                signed = {**data, "client_assertion": token, "client_assertion_type": BY_JWT}
                answer = client.post(f"/oauth2/{endpoint}", data=signed)
                assert answer.status_code in {400, 401}, (endpoint, token[:20])

    def test_r7_deep_and_strange_claims_get_a_protocol_error(self, client: FlaskClient) -> None:
        site = world(client, "Lina")
        for claims in ("[" * 3900, '{"a":' * 700, "{}" * 10, '{"id_token": []}', "1e999", "x"):
            assert client.get(site.portal.authorize_path(claims=claims)).status_code < 500

    @on_sqlite
    def test_r7_an_unforeseen_error_is_a_page_without_its_inside(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_args: Any) -> None:
            raise ZeroDivisionError("hunter2 of claire@dubois.example")

        app.testing = False
        monkeypatch.setattr("idp.sessions.interactions.begin", broken)
        answer = client.get("/")
        assert answer.status_code == 500
        assert "hunter2" not in answer.text
        assert "Traceback" not in answer.text
        assert "ZeroDivision" not in answer.text
        assert 'id="correlation-id"' in answer.text
        assert "no-store" in answer.headers["Cache-Control"]


class TestRefusesToStart:
    """A4, K1 and K3: unsafe settings and unreadable keys."""

    @pytest.mark.parametrize("name", SECRETS)
    @pytest.mark.parametrize(
        ("secret", "reason"),
        [
            (b"", "missing"),
            (b"short", "weak"),
            (b"a" * 64, "weak"),
            (b"abab" * 16, "weak"),
            (b"please-changeme-0123456789-abcdefghijkl", "example"),
            (b"My-Password-Is-Very-Long-0123456789-abc", "example"),
        ],
    )
    def test_a4_a_missing_weak_or_default_secret(
        self, tmp_path: Path, name: str, secret: bytes, reason: str
    ) -> None:
        with pytest.raises(UnsafeSettings) as refused:
            create_app(settings_for_tests("sqlite://", tmp_path, **{name: secret}))
        assert any(name.upper() in each and reason in each for each in refused.value.problems)
        if len(secret) > 5:
            assert secret.decode() not in str(refused.value)

    def test_a4_a_secret_that_serves_two_purposes(self, tmp_path: Path) -> None:
        shared = SECRETS["session_secret"]
        with pytest.raises(UnsafeSettings, match="the same"):
            create_app(settings_for_tests("sqlite://", tmp_path, password_pepper=shared))

    def test_a4_there_is_no_default_secret(self) -> None:
        problems = safety.problems(Settings.from_environment({}))
        assert len([each for each in problems if "is missing" in each]) == len(SECRETS)

    @pytest.mark.parametrize(
        "changes",
        [
            {"demo": False},
            {"issuer": "http://id.school.example"},
            {"issuer": "https://id.school.example", "demo": False, "bcrypt_cost": 4},
            {"password_minimum": 7},
            {"mail_tls": "none", "mail_server": "mail.school.example"},
            {"mail_tls": "sometimes"},
            {"issuer": "ftp://x"},
            {"timezone": "Mars/Olympus"},
            {"timezone": ""},
            {"mail_port": 0},
            {"mail_port": 70000},
            {"session_idle": timedelta(0)},
            {"code_lifetime": timedelta(seconds=-5)},
            {"refresh_grace": timedelta(seconds=-1)},
            {"first_sign_in_lifetime": timedelta(days=100_000)},
            {"issuer": "https://id.school.example/?x"},
        ],
    )
    def test_a4_unsafe_combinations(self, tmp_path: Path, changes: dict[str, Any]) -> None:
        with pytest.raises(UnsafeSettings):
            create_app(settings_for_tests("sqlite://", tmp_path, **changes))

    def test_a4_a_duration_that_no_clock_can_count_is_named(self) -> None:
        with pytest.raises(UnsafeSettings, match="IDP_SESSION_IDLE"):
            Settings.from_environment({"IDP_SESSION_IDLE": "1" + "0" * 20})

    @pytest.mark.long
    def test_a4_the_command_says_which_in_one_line(self, tmp_path: Path) -> None:
        done = idp("serve", IDP_SESSION_SECRET="x", IDP_KEYS_FOLDER=str(tmp_path))
        assert done.returncode == 2
        assert "IDP_SESSION_SECRET" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.long
    @pytest.mark.parametrize("spoil", ["garbage", "open to others", "missing", "a folder"])
    def test_k1_a_key_file_that_cannot_be_used_is_named(
        self, tmp_path: Path, keys_folder: Path, spoil: str
    ) -> None:
        folder = tmp_path / "keys"
        shutil.copytree(keys_folder, folder)
        index = json.loads((folder / "keyring.json").read_bytes())
        kid = next(key["kid"] for key in index["keys"] if key["state"] == "current")
        path = folder / f"{kid}.pem"
        {
            "garbage": lambda: path.write_text("-----BEGIN NOTHING-----"),
            "open to others": lambda: path.chmod(0o644),
            "missing": path.unlink,
            "a folder": lambda: (path.unlink(), path.mkdir()),
        }[spoil]()
        with databases.fresh("sqlite") as url:
            done = idp("serve", "--port", "1024", DATABASE_URL=url, IDP_KEYS_FOLDER=str(folder))
        assert done.returncode == 2
        assert kid in done.stderr
        assert "Traceback" not in done.stderr
