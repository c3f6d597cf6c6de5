"""``/metrics``: what Prometheus reads of all workers together, on a port of its own."""

import re
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from idp import Settings, create_app, measures
from idp.cli import metrics as cli_metrics
from tests.cli.conftest import invoked, start
from tests.smtp import free_port

pytestmark = [pytest.mark.slow, pytest.mark.long]

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def fetched(url: str, **form: str) -> tuple[int, str]:
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, data, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def samples(port: int) -> dict[tuple[str, str], float]:
    status, text = fetched(f"http://127.0.0.1:{port}/metrics")
    assert status == 200
    return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(text)}


def until(answer: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            if answer():
                return
        except OSError:
            pass
        assert time.monotonic() < end
        time.sleep(0.2)


@contextmanager
def serving(
    environment: dict[str, str], log: Path
) -> Iterator[tuple[str, int, subprocess.Popen[str]]]:
    """A server with two workers, and the port of its metrics."""
    port, metrics = free_port(), free_port()
    environment["IDP_METRICS_PORT"] = str(metrics)
    with log.open("w") as words:
        process = start(
            environment, "serve", "--port", str(port), "--workers", "2", stderr=words, stdout=words
        )
        try:
            base = f"http://127.0.0.1:{port}"
            until(lambda: fetched(f"{base}/health/live")[0] == 200)
            until(lambda: bool(samples(metrics)))
            yield base, metrics, process
        finally:
            process.terminate()
            process.wait(40)


def test_all_workers_are_counted_together_by_route_and_status(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment["IDP_DATABASE_CONNECTIONS"] = "6"
    connections = "idp_database_connections"
    with serving(environment, tmp_path / "log") as (base, metrics, _):
        for _ in range(40):
            fetched(f"{base}/.well-known/openid-configuration")
        fetched(f"{base}/nowhere/claire.dubois@example.org")
        fetched(f"{base}/oauth2/token", grant_type="authorization_code", code="stolen")
        fetched(f"{base}/oauth2/token", grant_type="marie@example.org")
        # Each has looked at its own: every five seconds
        until(lambda: samples(metrics).get((connections, 'state="most"')) == 2 * 6)
        read = samples(metrics)
        text = fetched(f"http://127.0.0.1:{metrics}/metrics")[1]
    route = "/.well-known/openid-configuration"
    assert read["idp_requests_total", f'method="GET",route="{route}",status="200"'] == 40
    assert read["idp_request_seconds_count", f'route="{route}"'] == 40
    assert read["idp_requests_total", 'method="GET",route="none",status="404"'] == 1
    assert read["idp_tokens_total", 'grant="authorization_code",outcome="invalid_client"'] == 1
    assert read["idp_tokens_total", 'grant="unknown",outcome="unsupported_grant_type"'] == 1
    assert read[connections, 'state="used"'] == 0
    assert read[connections, 'state="free"'] >= 1, "whatever has answered is kept"
    assert read["idp_database_up", ""] == 1
    assert read["idp_waiting", 'what="mails"'] == 0
    # How old which key is, and what waits: test_measured.py
    assert ("idp_key_age_seconds", 'alg="RS256",state="current"') in read
    # Security rule L1: what strangers send is nobody's label
    assert "example.org" not in text
    assert "nowhere" not in text


def test_a_server_that_follows_another_goes_on_counting(
    environment: dict[str, str], tmp_path: Path
) -> None:
    counted = ("idp_requests_total", 'method="GET",route="/oauth2/jwks",status="200"')
    log = tmp_path / "log"
    with serving(environment, log) as (base, metrics, process):
        fetched(f"{base}/oauth2/jwks")
        assert samples(metrics)[counted] == 1
        process.send_signal(signal.SIGHUP)
        until(lambda: "see ya" in log.read_text())  # the one before has left
        fetched(f"{base}/oauth2/jwks")
        until(lambda: samples(metrics)[counted] == 2)
        folders = set(Path(tempfile.gettempdir()).glob("idp-metrics-*"))
    assert folders - set(Path(tempfile.gettempdir()).glob("idp-metrics-*"))


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server of metrics that waits half a second for a question."""
    monkeypatch.setattr(cli_metrics._Silent, "timeout", 0.5)

    def answers(_environ: object, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"idp_database_up 1\n"]

    with answering_at("127.0.0.1", answers) as port:
        yield port


@contextmanager
def answering_at(host: str, answers: Callable[..., list[bytes]]) -> Iterator[int]:
    server = cli_metrics.listening_at(host, 0, answers)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("host", ["::1", "[::1]", "localhost"])
def test_their_host_is_taken_as_people_write_it(host: str) -> None:
    def answers(_environ: object, start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    near = host if host == "localhost" else "[::1]"
    with answering_at(host, answers) as port:
        assert fetched(f"http://{near}:{port}/")[0] == 204


def test_their_host_that_is_none_is_waited_for_as_others_are() -> None:
    with pytest.raises(OSError, match="not known"):
        cli_metrics.listening_at("a" * 64, 0, lambda *_: [])


def test_connections_that_say_nothing_hold_up_nobody(answering: int) -> None:
    with ExitStack() as held:
        for _ in range(cli_metrics.AT_ONCE - 1):
            held.enter_context(socket.create_connection(("127.0.0.1", answering)))
        assert samples(answering)["idp_database_up", ""] == 1


def test_a_question_that_is_not_said_in_time_is_not_waited_for(answering: int) -> None:
    began = time.monotonic()
    with ExitStack() as held:
        slow = [
            held.enter_context(socket.create_connection(("127.0.0.1", answering)))
            for _ in range(cli_metrics.AT_ONCE)
        ]
        for connection in slow:
            connection.settimeout(0.1)
        while slow and time.monotonic() < began + 5:
            slow = [each for each in slow if goes_on(each)]
    assert time.monotonic() - began < 3
    until(lambda: samples(answering)["idp_database_up", ""] == 1, 5)


def goes_on(connection: socket.socket) -> bool:
    """Whether a byte more is still listened to."""
    try:
        connection.sendall(b"G")
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def middlewares(outermost: object) -> Iterator[object]:
    while outermost is not None:
        yield outermost
        kept = getattr(outermost, "__dict__", {})
        outermost = kept.get("application") or kept.get("_application")


def test_nothing_is_listened_at_and_nothing_counted_unless_a_port_is_set(
    environment: dict[str, str],
) -> None:
    app = create_app(Settings.from_environment(environment))
    app.test_client().get("/health/live")
    assert not measures.is_on()
    assert not any(isinstance(each, measures.Requests) for each in middlewares(app.wsgi_app))


def test_what_waits_and_for_how_long_is_told_and_its_worker_answers_alone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    person = ("claire", "--given-name", "C", "--family-name", "D", "--email", "c@d.example")
    invoked(environment, "user", "create", *person, "--invite")
    with serving(environment, tmp_path / "log") as (_, metrics, _process):
        assert samples(metrics)["idp_waiting", 'what="mails"'] == 1
        assert samples(metrics)["idp_waiting_seconds", 'what="mails"'] > 0
    environment |= {"IDP_MAIL_PORT": str(free_port()), "IDP_MAIL_TLS": "none"}
    url = f"http://127.0.0.1:{metrics}/metrics"
    with (tmp_path / "mail").open("w") as words:
        process = start(environment, "mail", "work", stderr=words, stdout=words)
        try:
            until(lambda: "# TYPE idp_mails_total counter" in fetched(url)[1])
        finally:
            process.terminate()
            process.wait(40)
