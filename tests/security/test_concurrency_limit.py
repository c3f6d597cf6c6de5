"""Security rule E5: so many requests run at once in a worker, and nobody waits for ever."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from time import sleep
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from idp.audit import continuity
from idp.concurrency_limit import ConcurrencyLimit, Crowded, released
from tests.relying_party import world
from tests.security.outages import eventually


def status_and_headers(limit: ConcurrencyLimit) -> tuple[str, dict[str, str]]:
    got: list[Any] = []
    b"".join(limit({}, lambda *answer: got.extend(answer)))
    return got[0], dict(got[1])


def stalling(began: Event, goes_on: Event) -> Callable[..., list[bytes]]:
    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        began.set()
        assert goes_on.wait(30)
        start_response("200 OK", [])
        return [b"done"]

    return application


def test_e5_who_waits_too_long_for_a_place_is_told_to_come_back() -> None:
    began, goes_on = Event(), Event()
    limit = ConcurrencyLimit(stalling(began, goes_on), at_once=1, patience=0.05)

    with ThreadPoolExecutor(1) as pool:
        stalled = pool.submit(status_and_headers, limit)
        assert began.wait(30)
        status, headers = status_and_headers(limit)
        goes_on.set()

        assert stalled.result()[0] == "200 OK"
    assert status == "503 Service Unavailable"
    assert int(headers["Retry-After"]) > 0
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Access-Control-Allow-Origin"] == "*"  # fixed words, for who reads no request
    assert headers["Access-Control-Expose-Headers"] == "Retry-After"
    assert status_and_headers(limit)[0] == "200 OK"  # its place is free again


def test_e5_who_waits_without_the_processor_leaves_its_place() -> None:
    began, goes_on = Event(), Event()
    inner = stalling(began, goes_on)

    def waiting(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ:
            start_response("200 OK", [])
            return [b"another"]
        with released():
            return inner(environ, start_response)

    limit = ConcurrencyLimit(waiting, at_once=1, patience=5)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(status_and_headers, limit)
        assert began.wait(30)
        other: list[Any] = []
        assert list(limit({"REQUEST_METHOD": "GET"}, lambda *answer: other.extend(answer)))
        goes_on.set()

        assert first.result()[0] == "200 OK"
    assert other[0] == "200 OK"


def test_e5_who_gets_no_place_again_is_told_to_come_back() -> None:
    """A password was checked, and meanwhile others took every place and keep them."""
    outside, goes_on, began, ends = Event(), Event(), Event(), Event()
    crowded: list[Crowded] = []

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if environ:
            return stalling(began, ends)(environ, start_response)
        try:
            with released():
                outside.set()
                assert goes_on.wait(30)
        except Crowded as error:
            crowded.append(error)
            start_response("503 Service Unavailable", [])
        return [b""]

    limit = ConcurrencyLimit(application, at_once=1, patience=0.1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(status_and_headers, limit)
        assert outside.wait(30)
        other: list[Any] = []
        second = pool.submit(
            lambda: list(limit({"REQUEST_METHOD": "GET"}, lambda *said: other.extend(said)))
        )
        assert began.wait(30)
        goes_on.set()
        assert first.result(30)[0] == "503 Service Unavailable"
        ends.set()
        second.result(30)

    assert crowded[0].retry_after > 0
    assert other[0] == "200 OK"
    # It gave back no place that it did not hold: there is one, as before
    assert limit._line._free == 1


def test_e5_whoever_came_first_is_next() -> None:
    """Nobody who comes just as a place is left takes it from those who wait."""
    answered: list[int] = []
    began, goes_on = Event(), Event()

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        if "number" not in environ:
            return stalling(began, goes_on)(environ, start_response)
        answered.append(environ["number"])
        if environ["number"] == 0:  # somebody new comes while the others wait
            pool.submit(come, 99)
        return [b""]

    def come(number: int) -> None:
        list(limit({"number": number}, lambda *_: None))

    limit = ConcurrencyLimit(application, at_once=1, patience=30)
    with ThreadPoolExecutor(12) as pool:
        first = pool.submit(status_and_headers, limit)
        assert began.wait(30)
        for number in range(8):
            pool.submit(come, number)
            assert eventually(lambda: len(limit._line._waiting) == number + 1)  # noqa: B023
        goes_on.set()
        first.result(30)
        assert eventually(lambda: len(answered) == 9)

    assert answered == [*range(8), 99]


def test_e5_no_place_is_lost_where_patience_ends_as_it_is_given() -> None:
    limit = ConcurrencyLimit(lambda *_: sleep(0.001) or [b""], at_once=2, patience=0.003)

    def come(_number: int) -> None:
        for _ in range(40):
            list(limit({}, lambda *_: None))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(come, range(12)))

    assert limit._line._free == 2
    assert not limit._line._waiting


def test_e5_a_page_and_a_program_are_told_so(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crowded(*_anything: Any) -> None:
        raise Crowded

    for name in ("account.home", "oauth2.token"):
        monkeypatch.setitem(client.application.view_functions, name, crowded)
    for answer in (client.get("/"), client.post("/oauth2/token")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke"])
def test_e5_a_browsers_application_reads_that_we_are_away(client: FlaskClient, path: str) -> None:
    world(client, origins=["https://app.example"], signed_in=False)
    known, stranger = {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}
    server = client.application.test_client(use_cookies=False)
    bearer = {"Authorization": "Bearer x"} if path.endswith("userinfo") else {}
    assert server.options(path, headers=known).headers["Access-Control-Allow-Origin"]

    with database_away():
        form = {"grant_type": "authorization_code", "code": "x", "token": "x", "client_id": "x"}
        heard = server.post(path, data=form, headers=known | bearer)
        unheard = server.post(path, data=form, headers=stranger | bearer)

    assert (heard.status_code, heard.json["error"]) == (503, "temporarily_unavailable")
    assert heard.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Retry-After" in heard.headers["Access-Control-Expose-Headers"]
    assert heard.headers["X-Content-Type-Options"] == "nosniff"
    assert unheard.status_code == 503
    assert "Access-Control-Allow-Origin" not in unheard.headers


def test_e5_whoever_reads_public_documents_reads_that_we_are_away(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = {"Origin": "https://app.example"}
    monkeypatch.setattr(continuity, "goes_on", lambda: False)  # restored, and nobody was told

    away = client.get("/oauth2/jwks", headers=origin)
    page = client.get("/oauth2/authorize?client_id=x", headers=origin)

    assert (away.status_code, away.headers["Access-Control-Allow-Origin"]) == (503, "*")
    assert page.status_code == 503
    assert "Access-Control-Allow-Origin" not in page.headers


@contextmanager
def database_away() -> Iterator[None]:
    def away(*_statement: Any) -> None:
        raise OperationalError("", {}, Exception("away"))

    event.listen(Engine, "before_cursor_execute", away)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", away)
