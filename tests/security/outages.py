"""Crashes, outages and processes: what the tests of robustness do to the provider."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from flask import Flask, request
from sqlalchemy import Engine, event, func, select

from idp import create_app
from idp.database import db
from tests import postgres, smtp
from tests.apart import ApartClient
from tests.conftest import SECRET_VARIABLES, history_file, settings_for_tests
from tests.relying_party import World

# Crashes


def crash_everywhere(prepare: Callable[[], Any], act: Callable[[Any], object]) -> Iterator[Any]:
    """For each statement and commit of ``act``: what was prepared, after a death before it."""
    for number in range(1, 200):
        prepared = prepare()
        died = dies_before(number, partial(act, prepared))
        yield prepared
        if not died:
            return
    raise AssertionError("it never ends")


def dies_before(number: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a process of its own that kills itself; false where it came to the end."""
    db.session.remove()
    db.engine.dispose()
    child = os.fork()
    if child == 0:
        _count_down(number)
        code = 1
        try:
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _count_down(number: int) -> None:
    left = [number]

    def step(*_args: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)


def row(model: Any, key: str) -> Any:
    db.session.rollback()
    return db.session.get(model, key, populate_existing=True)


def count_of(model: Any, **having: str | None) -> int:
    db.session.rollback()
    conditions = [getattr(model, name) == value for name, value in having.items()]
    return int(db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0)


# Outages


@contextmanager
def databases_app(
    url: str, keys_folder: Path, *, migrated: bool = True, **changes: Any
) -> Iterator[Flask]:
    """The provider with a database of the test's own."""
    app = create_app(settings_for_tests(url, keys_folder, **changes))
    app.testing = True
    app.test_client_class = ApartClient
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@contextmanager
def away(app: Flask) -> Iterator[None]:
    """SQLite's folder, out of reach for new connections."""
    file = Path(app.extensions["idp.settings"].database_url.removeprefix("sqlite:///"))
    elsewhere = file.parent.with_name(f"{file.parent.name}-away")
    db.session.remove()
    db.engine.dispose()
    file.parent.rename(elsewhere)
    try:
        yield
    finally:
        elsewhere.rename(file.parent)


def while_away(site: World, csrf_token: str) -> None:
    """What is asked of us without a database."""
    http = site.http
    for path in ("/", "/account/password", site.portal.authorize_path(), "/welcome?token=x"):
        answer = http.get(path)
        assert answer.status_code == 503, path
        assert int(answer.headers["Retry-After"]) > 0, path
    for path in ("/account/sign-out", "/account/sessions/end-others"):
        answer = http.post(path, data={"csrf_token": csrf_token})
        assert answer.status_code == 503, path
        assert int(answer.headers["Retry-After"]) > 0, path
    assert site.portal.refresh(http, "anything").status_code == 503
    assert http.get("/health/live").status_code == 200
    assert http.get("/health/ready").status_code == 503
    assert http.get("/.well-known/openid-configuration").status_code == 200
    assert http.get("/oauth2/jwks").status_code == 200


@contextmanager
def cluster() -> Iterator[tuple[postgres.Cluster, str]]:
    """A PostgreSQL server that stops and starts at one and the same port, and a database of it."""
    try:
        with postgres.stoppable_cluster(connections=50) as server:
            yield server, postgres.create_database(server.address, "idp")
    except postgres.Unavailable as reason:
        pytest.skip(f"PostgreSQL is not available: {reason}")


@contextmanager
def mail_at(port: int) -> Iterator[smtp.MailServer]:
    server = smtp.MailServer(port=port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = monotonic() + seconds
    while monotonic() < end:
        if condition():
            return True
        sleep(0.1)
    return False


# Processes


def environment(**changes: str) -> dict[str, str]:
    base = {"IDP_DEMO": "1", "IDP_MAIL_TLS": "none", "IDP_BCRYPT_COST": "4", "IDP_DRAIN": "0"}
    return {**os.environ, **SECRET_VARIABLES, **base, **changes}


COMMAND = [sys.executable, "-c", "import sys; from idp.cli import main; sys.exit(main())"]


def idp(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


RECEIVES: Final = """
import sys
from idp.cli import main, serve
made = serve._server
def changed(*arguments):
    server = made(*arguments)
    server.target = "tests.security.outages:receiver"
    return server
serve._server = changed
main()
"""


def receiver() -> Flask:
    """The provider with a view that takes files from anybody, for two seconds."""
    from idp.cli import worker
    from idp.web import bodies

    app: Flask = worker.create()
    bodies.seconds_for = lambda _length: 2.0

    @bodies.accepts_uploads(300_000)
    def upload() -> str:
        return str(len(request.get_data()))

    setattr(upload, bodies.GUARD, lambda: None)
    app.add_url_rule("/upload", "upload", upload, methods=["POST"])
    return app


@contextmanager
def receiving(url: str, keys_folder: Path) -> Iterator[str]:
    """``idp serve`` with ``receiver`` for its application."""
    with serving(url, keys_folder, command=[sys.executable, "-c", RECEIVES]) as (address, _server):
        yield address


@contextmanager
def serving(
    url: str, keys_folder: Path, port: int | None = None, command: list[str] = COMMAND
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """``idp serve`` with one worker, in a process group of its own; on a free port or ``port``."""
    port = port or smtp.free_port()
    address = f"http://127.0.0.1:{port}"
    changes = {
        "DATABASE_URL": url,
        "IDP_KEYS_FOLDER": str(keys_folder),
        "IDP_HISTORY_FILE": str(history_file(url, keys_folder)),
        "IDP_ISSUER": address,
    }
    server = subprocess.Popen(
        [*command, "serve", "--port", str(port), "--workers", "1"],
        env=environment(**changes),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert eventually(
            lambda: server.poll() is not None or fetch(f"{address}/health/live")[0] == 200, 60
        )
        assert server.poll() is None, "it refused to start"
        yield address, server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)


def fetch(address: str, data: Any = None, timeout: float = 20) -> tuple[int, str]:
    """Status and text; 0 where the connection was refused or cut."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with opener.open(urllib.request.Request(address, data=data), timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def posted_from(sender: str, address: str) -> int:
    """The status of a token request that a program at ``sender`` makes."""
    to = urlsplit(address)
    connection = http.client.HTTPConnection(
        to.hostname or "", to.port, timeout=60, source_address=(sender, 0)
    )
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with closing(connection):
        connection.request("POST", "/oauth2/token", "grant_type=authorization_code&code=x", form)
        return connection.getresponse().status


def timed(act: Callable[[], object]) -> float:
    """How many seconds it takes."""
    began = monotonic()
    act()
    return monotonic() - began


SLOW = {
    "a length": ("/language", "Content-Length: 5000", "next="),
    "chunks": ("/language", "Transfer-Encoding: chunked", "5\r\nnext=\r\n"),
    "a question before": ("/language", "Content-Length: 5000\r\nExpect: 100-continue", ""),
    "an upload": ("/admin/imports/new/file", "Content-Length: 200000", "next="),
    "chunks for a program": ("/oauth2/token", "Transfer-Encoding: chunked", "1\r\ng\r\n"),
}
"""Bodies that begin, and never go on: where they go, what they announce, how they begin."""
TO_RECEIVER: Final = {
    "an upload for anybody": ("/upload", "Content-Length: 200000", "next="),
    "an upload without a length": ("/upload", "Transfer-Encoding: chunked", "5\r\nnext=\r\n"),
}
"""The same, for ``receiver``."""


def slow_post(address: str, kind: str = "a length") -> socket.socket:
    """A form that begins, and never goes on."""
    path, announced, begun = (SLOW | TO_RECEIVER)[kind]
    form = f"Content-Type: application/x-www-form-urlencoded\r\n{announced}"
    parts = urlsplit(address)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0))
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{form}\r\n\r\n{begun}".encode())
    return connection


class Trickle(Thread):
    """A sender who goes on, a byte a second, until it is answered: the status, and when."""

    def __init__(self, address: str, kind: str) -> None:
        super().__init__(daemon=True)
        self._piece = b"1\r\nx\r\n" if "chunked" in (SLOW | TO_RECEIVER)[kind][1] else b"x"
        self._connection = slow_post(address, kind)
        self._connection.settimeout(1)
        self.status = ""
        self.took = 0.0
        self._began = monotonic()

    def run(self) -> None:
        answer = b""
        with self._connection as connection:
            while not answer and monotonic() - self._began < 60:
                try:
                    answer = connection.recv(15)
                except TimeoutError:
                    connection.sendall(self._piece)
                except OSError:
                    break
        self.took = monotonic() - self._began
        self.status = answer[9:12].decode()


def chunked_post(address: str, size: int) -> int:
    """A body whose length nobody announced."""
    return fetch(f"{address}/language", (b"x" * 1000 for _ in range(size // 1000)))[0]
