"""Security rule E5: so many requests run at once in a worker, and nobody waits for ever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from idp.concurrency_limit import ConcurrencyLimit, released


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
