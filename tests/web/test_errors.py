"""Errors that a person can read and a program can parse."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp import create_app
from idp.credentials import bcrypt_gate
from idp.mail import outbox
from idp.web.errors import CODES, PageError
from idp.web.explanations import explanation
from tests import factories
from tests.conftest import settings_for_tests
from tests.relying_party import Browser, RelyingParty
from tests.relying_party import answer as fields_of
from tests.times import later
from tests.web.places import Place, element, provider

pytestmark = pytest.mark.quick_on("sqlite")

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
CODES_OF_PAGES = [
    "expired_interaction",
    "expired_form",
    "foreign_form",
    "cookies_blocked",
    "unknown_client",
    "invalid_redirect_uri",
    "no_child",
    "busy",
    "database_away",
    "throttled",
    "server_error",
    "not_found",
    "forbidden",
    "method_not_allowed",
    "too_large",
    "too_slow",
    "unsupported_media_type",
    "bad_request",
    "invalid_request",
    "temporarily_unavailable",
    "invalid_client",
]


@pytest.fixture
def failing(keys_folder: Path, tmp_path: Path) -> Flask:
    """An application whose pages fail in every way."""
    app = create_app(settings_for_tests(f"sqlite:///{tmp_path}/none.db", keys_folder))

    @app.get("/fail/<code>/<int:status>")
    def fail(code: str, status: int) -> str:
        raise PageError(code, status, retry_after=7 if status == 429 else None)

    @app.get("/crash")
    @app.get("/oauth2/token/crash")
    def crash() -> str:
        raise RuntimeError("a secret: hunter2")

    return app


@contextmanager
def all_places_taken(parallel: int, queue: int) -> Iterator[None]:
    """Every place before bcrypt is taken."""
    gate = bcrypt_gate._gate(parallel, queue)
    taken = 0
    while gate._places.acquire(blocking=False):
        taken += 1
    try:
        yield
    finally:
        for _ in range(taken):
            gate._places.release()


@pytest.mark.parametrize("code", CODES_OF_PAGES)
def test_every_error_page_says_what_happened_and_what_to_do(failing: Flask, code: str) -> None:
    browser = failing.test_client()
    browser.set_cookie("any", "cookie")
    page = browser.get(f"/fail/{code}/400")

    assert page.status_code == 400
    assert '<html lang="fr">' in page.text
    assert len(element(page, "correlation-id")) >= 1
    with failing.test_request_context():
        words = explanation(code)
        for sentence in (words.title, words.text, words.advice):
            assert len(str(sentence)) > 10
            assert str(sentence) in page.text.replace("&#39;", "'")


def test_the_page_carries_the_answers_correlation_id(failing: Flask) -> None:
    page = failing.test_client().get("/fail/not_found/404")

    assert page.headers["X-Request-Id"] in page.text


def test_an_unexpected_error_shows_nothing_of_itself(failing: Flask) -> None:
    page = failing.test_client().get("/crash")

    assert page.status_code == 500
    assert "hunter2" not in page.text
    assert "Traceback" not in page.text
    assert element(page, "correlation-id") is not None


def test_a_program_gets_json(failing: Flask) -> None:
    answer = failing.test_client().get("/oauth2/token/crash")

    assert answer.status_code == 500
    assert answer.json is not None
    assert answer.json["error"] == "server_error"
    assert answer.headers["X-Request-Id"] in answer.json["error_description"]
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("status", sorted(CODES))
def test_every_bare_status_has_words(status: int) -> None:
    assert CODES[status] in CODES_OF_PAGES


@on_sqlite
class TestPaths:
    def test_an_unknown_address_is_a_page_with_a_way_home(self, client: FlaskClient) -> None:
        page = client.get("/wp-login.php")

        assert page.status_code == 404
        assert element(page, "go-home")["href"] == "/"
        assert element(page, "oauth-error") is not None

    @pytest.mark.parametrize(
        "path",
        [
            "/interaction/%00/login",
            "/interaction/%ff%fe/login",
            "/interaction/" + "x" * 3000,
            "/branding/%00.css",
            "/branding/unknown.css",
            "/branding/unknown/logo.png",
            "/static/../settings.py",
            "/static/%00",
        ],
    )
    def test_impossible_addresses_are_not_found(self, client: FlaskClient, path: str) -> None:
        client.get("/")

        assert client.get(path).status_code == 404

    def test_a_wrong_method_names_the_right_ones(self, client: FlaskClient) -> None:
        page = client.get("/account/sign-out")

        assert page.status_code == 405
        assert "POST" in page.headers["Allow"]

    @pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect"])
    def test_endpoints_answer_a_wrong_method_in_json(self, client: FlaskClient, path: str) -> None:
        answer = client.get(path)

        assert answer.status_code == 405
        assert answer.json is not None
        assert answer.json["error"] == "invalid_request"

    def test_endpoints_answer_an_oversize_body_in_json(self, client: FlaskClient) -> None:
        answer = client.post("/oauth2/token", data={"code": "x" * 70_000})

        assert answer.status_code == 413
        assert answer.json is not None


@on_sqlite
class TestApplications:
    def test_an_unknown_application_is_named_by_its_oauth_code(self, client: FlaskClient) -> None:
        page = client.get("/oauth2/authorize?client_id=nobody&response_type=code")

        assert page.status_code == 400
        assert 'id="oauth-error">invalid_client<' in page.text
        assert "Application inconnue" in page.text

    def test_a_wrong_redirect_address_never_redirects(self, client: FlaskClient) -> None:
        portal = RelyingParty.of(factories.school())

        page = client.get(portal.authorize_path(redirect_uri="https://evil.example/"))

        assert page.status_code == 400
        assert 'id="oauth-error">invalid_redirect_uri<' in page.text
        assert "Location" not in page.headers

    def test_no_child_names_the_schools_contact_and_goes_back(self, here: Place) -> None:
        factories.account("sans")
        here.at_sign_in(scope="openid child")

        page = here.browser.sign_in("sans")
        assert "bureau@tilleuls.example" in page.text
        back = here.browser.press("no-child-back")

        assert fields_of(back)["error"] == "access_denied"


class TestTrouble:
    def test_r2_a_lost_database_is_a_page_that_says_when_to_come_back(
        self, keys_folder: Path
    ) -> None:
        with provider(settings_for_tests(NOWHERE, keys_folder)) as client:
            page = Browser(client).open("/")  # a stranger is sent on before anything is asked

        assert page.status_code == 503
        assert int(page.headers["Retry-After"]) > 0
        assert "absents un instant" in page.text
        assert "127.0.0.1:1" not in page.text

    def test_r2_a_lost_database_is_json_for_programs(self, keys_folder: Path) -> None:
        with provider(settings_for_tests(NOWHERE, keys_folder)) as client:
            data = {"grant_type": "authorization_code"}
            answer = client.post("/oauth2/token", data=data, auth=("app", "secret"))

        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["error"] == "temporarily_unavailable"

    @on_sqlite
    def test_e5_a_storm_of_sign_ins_is_told_to_come_back(self, here: Place) -> None:
        settings = here.app.extensions["idp.settings"]
        here.at_sign_in()
        with all_places_taken(settings.bcrypt_parallel, settings.bcrypt_queue):
            page = here.browser.sign_in("claire")

            assert page.status_code == 503
            assert int(page.headers["Retry-After"]) > 0
            assert element(page, "try-again")["href"].endswith("/login")  # type: ignore[union-attr]
            other = here.another_browser()
            assert other.open("/").status_code == 200, "other pages go on"


class TestHealth:
    def test_live_asks_nothing_of_the_database(self, keys_folder: Path) -> None:
        with provider(settings_for_tests(NOWHERE, keys_folder)) as client:
            answer = client.get("/health/live")

        assert answer.json == {"status": "ok"}

    def test_ready_where_everything_is(self, client: FlaskClient) -> None:
        answer = client.get("/health/ready")

        assert answer.status_code == 200
        parts = ("database", "migrations", "writes", "history", "keys", "agreement")
        workers = ("mails", "deliveries")
        assert answer.json == dict.fromkeys(("status", *parts, *workers), "ok")

    def test_ready_all_the_same_where_a_worker_is_late(self, client: FlaskClient) -> None:
        outbox.enqueue("invitation", account_id=factories.account().id)
        with later(minutes=4):
            assert (client.get("/health/ready").json or {})["mails"] == "ok"
        with later(minutes=6):
            answer = client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json is not None
        assert (answer.json["mails"], answer.json["deliveries"]) == ("late", "ok")

    def test_not_ready_without_database(self, keys_folder: Path) -> None:
        with provider(settings_for_tests(NOWHERE, keys_folder)) as client:
            answer = client.get("/health/ready")

        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["database"] == answer.json["migrations"] == "failed"

    def test_not_ready_before_the_migrations(self, keys_folder: Path, tmp_path: Path) -> None:
        unmigrated = settings_for_tests(f"sqlite:///{tmp_path}/new.db", keys_folder)
        with provider(unmigrated) as client:
            answer = client.get("/health/ready")

        assert answer.status_code == 503
        assert answer.json is not None
        assert (answer.json["database"], answer.json["migrations"]) == ("ok", "failed")

    def test_not_ready_without_keys(self, database_url: str, tmp_path: Path) -> None:
        with provider(settings_for_tests(database_url, tmp_path / "no-keys")) as client:
            answer = client.get("/health/ready")

        assert answer.status_code == 503
        assert answer.json is not None
        assert answer.json["keys"] == "failed"
