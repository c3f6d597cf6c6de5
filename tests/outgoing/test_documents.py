"""Documents of clients are cached as their headers say, within limits, and outlive an outage."""

import threading
from typing import Any

import pytest
from flask import Flask

from idp.outgoing.documents import AFTER_FAILURE, Documents
from idp.outgoing.trouble import Trouble
from tests.outgoing.servers import Server, reply
from tests.times import later

pytestmark = pytest.mark.quick_on("sqlite")


@pytest.fixture
def documents(app: Flask, no_proxy: None) -> Documents[Any]:
    return Documents("document", lambda answer: answer.json_object(), most=2)


def test_a_document_is_asked_for_once_within_its_time(
    documents: Documents[Any], server: Server
) -> None:
    server.answer = reply(b'{"n": 1}', Cache_Control="public, max-age=120")
    assert [documents.at(server.address()).get()["n"] for _ in range(3)] == [1, 1, 1]
    assert len(server.requests) == 1
    with later(seconds=130):
        documents.at(server.address()).get()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("control", "seconds", "requests"),
    [
        ("max-age=1", 50, 1),
        ("no-store", 50, 1),
        ("no-store", 70, 2),
        ("max-age=999999999", 23 * 3600, 1),
        ("max-age=999999999", 25 * 3600, 2),
        ("public", 3500, 1),
        ("public", 3700, 2),
    ],
)
def test_an_age_is_a_minute_at_the_least_and_a_day_at_the_most(
    documents: Documents[Any], server: Server, control: str, seconds: int, requests: int
) -> None:
    server.answer = reply(Cache_Control=control)
    documents.at(server.address()).get()
    with later(seconds=seconds):
        documents.at(server.address()).get()
    assert len(server.requests) == requests


def test_the_last_good_one_serves_for_a_day_while_the_server_is_away(
    documents: Documents[Any], server: Server
) -> None:
    server.answer = reply(b'{"n": 1}', Cache_Control="max-age=60")
    documents.at(server.address()).get()
    server.answer = reply(b"", "503 Later")
    with later(hours=23):
        assert documents.at(server.address()).get() == {"n": 1}
    with later(hours=25), pytest.raises(Trouble):
        documents.at(server.address()).get()


def test_after_a_failure_nobody_waits_for_a_moment(
    documents: Documents[Any], server: Server
) -> None:
    server.answer = reply(b"", "503 Later")
    for _ in range(5):
        with pytest.raises(Trouble):
            documents.at(server.address()).get()
    assert len(server.requests) == 1
    server.answer = reply(b'{"n": 2}')
    with later(seconds=int(AFTER_FAILURE.total_seconds()) + 1):
        assert documents.at(server.address()).get() == {"n": 2}


def test_again_is_heard_once_a_minute(documents: Documents[Any], server: Server) -> None:
    documents.at(server.address()).get()
    with later(seconds=61):
        for _ in range(5):
            documents.at(server.address()).again()
    assert len(server.requests) == 2


def test_twenty_at_once_ask_once_and_all_are_served(
    documents: Documents[Any], server: Server, app: Flask
) -> None:
    released = threading.Event()
    server.before = lambda: (released.wait(5), None)[1]
    server.answer = reply(b'{"n": 1}')
    answers: list[Any] = []

    def read() -> None:
        with app.app_context():
            answers.append(documents.at(server.address()).get())

    threads = [threading.Thread(target=read) for _ in range(20)]
    for each in threads:
        each.start()
    released.set()
    for each in threads:
        each.join()

    assert answers == [{"n": 1}] * 20
    assert len(server.requests) == 1


def test_a_worker_keeps_so_many_and_no_more(documents: Documents[Any], server: Server) -> None:
    for path in ("/1", "/2", "/1", "/3", "/1", "/2"):
        documents.at(server.address(path=path)).get()
    assert [request.split()[1] for request in server.requests] == [b"/1", b"/2", b"/3", b"/2"]


def test_garbage_is_not_kept(documents: Documents[Any], server: Server) -> None:
    server.answer = reply(b"[1, 2]")
    with pytest.raises(Trouble, match="no JSON object"):
        documents.at(server.address()).get()
    assert documents.at(server.address()).kept is None
