"""Security rule R2, where nothing breaks: a PostgreSQL that answers no more, and says nothing."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from urllib.parse import urlsplit

import psycopg
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

import idp
from idp.database import db, silence, transaction
from tests.relying_party import World, world
from tests.security.outages import databases_app

pytestmark = [
    pytest.mark.long,
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]


class Line:
    """A TCP line to PostgreSQL that can go silent: open, and nothing comes through."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._speaks = Event()
        self._ends: list[socket.socket] = []
        self.opened = 0
        self.speak()
        Thread(target=self._accept, daemon=True).start()

    def speak(self) -> None:
        self._speaks.set()

    def fall_silent(self) -> None:
        self._speaks.clear()

    def close(self) -> None:
        self.speak()
        for end in (self._listening, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._listening.accept()
                self._speaks.wait()
                there = socket.create_connection(self._to)
                self.opened += 1
                self._ends += [here, there]
                for source, target in ((here, there), (there, here)):
                    Thread(target=self._carry, args=(source, target), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._speaks.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(database_url: str) -> Iterator[Line]:
    to = urlsplit(database_url)
    made = Line(to.hostname or "", to.port or 5432)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def far(
    database_url: str, line: Line, keys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """The provider at the other end of the line; impatient, for the tests' time."""
    monkeypatch.setattr(silence, "PATIENCE", 0.5)
    monkeypatch.setattr(silence, "KNOCKING", 2)
    monkeypatch.setitem(idp.REACHED, "connect_timeout", 2)
    to = urlsplit(database_url)
    there = to._replace(netloc=f"{to.username}:{to.password}@127.0.0.1:{line.port}")
    with databases_app(there.geturl(), keys_folder) as app:
        yield app


def statuses(site: World, count: int) -> list[tuple[int, bool]]:
    """What so many refreshes at once are answered, and whether they may try again."""

    def ask(_: int) -> tuple[int, bool]:
        client = site.http.application.test_client()
        answer = site.portal.refresh(client, "anything")
        return answer.status_code, int(answer.headers.get("Retry-After", 0)) > 0

    with ThreadPoolExecutor(count) as at_once:
        return list(at_once.map(ask, range(count)))


@pytest.mark.changed_elsewhere("database/silence.py")
def test_r2_a_silent_database_frees_those_who_wait_and_is_asked_again(
    far: Flask, line: Line
) -> None:
    site = world(far.test_client(), "Lina")
    db.session.remove()
    assert statuses(site, 4) == [(400, False)] * 4
    before = line.opened

    line.fall_silent()
    began = monotonic()
    assert statuses(site, 4) == [(503, True)] * 4
    assert monotonic() - began < 8

    speaks_again(line)
    assert statuses(site, 1) == [(400, False)]
    assert line.opened > before


def test_r2_who_asks_again_a_moment_later_does_not_wait_as_long_again(
    far: Flask, line: Line
) -> None:
    """As a request does: whether the database is still the same one, then what it came for."""
    with ExitStack() as stack:
        first, second = (stack.enter_context(db.engine.connect()) for _ in range(2))
        for each in (first, second):
            each.exec_driver_sql("SELECT 1")
        line.fall_silent()
        assert 2 < seconds_until_silent(lambda: first.exec_driver_sql("SELECT 1")) < 5
        assert seconds_until_silent(lambda: second.exec_driver_sql("SELECT 1")) < 1.5
    assert seconds_until_silent(lambda: db.engine.connect().close()) < 2.5
    assert seconds_until_silent(lambda: db.engine.connect().close()) < 0.5

    speaks_again(line)
    with db.engine.connect() as now:
        assert now.exec_driver_sql("SELECT 7").scalar() == 7


def speaks_again(line: Line) -> None:
    """It answers, and nobody has in mind any more that it did not."""
    line.speak()
    sleep(silence.REMEMBERED)


def seconds_until_silent(ask: Callable[[], object]) -> float:
    began = monotonic()
    with pytest.raises(OperationalError):
        ask()
    return monotonic() - began


def test_r2_what_takes_long_is_waited_for(far: Flask, line: Line) -> None:
    with db.engine.connect() as now:
        before = line.opened
        assert now.exec_driver_sql("SELECT pg_sleep(2), 7").one()[1] == 7
        assert line.opened > before, "nobody has knocked"


def test_r2_a_change_that_nobody_answers_for_is_not_kept(far: Flask, line: Line) -> None:
    def change() -> None:
        with transaction() as writes:
            writes.connection().exec_driver_sql("CREATE TABLE half (id int)")
            line.fall_silent()
            writes.connection().exec_driver_sql("SELECT 1")

    with pytest.raises(OperationalError, match="gone silent"):
        change()
    speaks_again(line)
    with db.engine.connect() as now:
        assert now.exec_driver_sql("SELECT to_regclass('half')").scalar() is None


def test_a_server_that_refuses_has_answered(far: Flask, line: Line) -> None:
    def refused() -> None:
        raise psycopg.OperationalError("FATAL: sorry, too many clients already")

    assert silence._opens(refused)


def test_what_the_address_says_of_its_network_counts(database_url: str, keys_folder: Path) -> None:
    with databases_app(f"{database_url}?connect_timeout=30", keys_folder) as app:
        options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]
        assert "connect_timeout" not in options
        assert options["tcp_user_timeout"] == 10_000
        with db.engine.connect() as now:
            driver = now.connection.dbapi_connection
            assert driver is not None
            assert driver.info.get_parameters()["connect_timeout"] == "30"
