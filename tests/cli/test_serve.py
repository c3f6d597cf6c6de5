"""``idp serve`` starts only on sound ground, answers, and stops without cutting anybody off."""

import http.client
import json
import os
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from idp.cli.listening import resolved
from tests.cli.conftest import finished, invoked, refused, start

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def own_keys(environment: dict[str, str], tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    shutil.copytree(environment["IDP_KEYS_FOLDER"], folder)
    environment["IDP_KEYS_FOLDER"] = str(folder)
    return folder


def signing_file(folder: Path) -> Path:
    entries = json.loads((folder / "keyring.json").read_text())["keys"]
    kid = next(entry["kid"] for entry in entries if entry["state"] == "current")
    return folder / f"{kid}.pem"


def test_a_taken_port_is_one_line(environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]

        line = refused(finished(environment, "serve", "--port", str(number)))

    assert f"port {number} at 127.0.0.1 is taken" in line


def test_k3_what_check_calls_unsafe_is_not_served(
    environment: dict[str, str], tmp_path: Path
) -> None:
    database = Path(environment["DATABASE_URL"].removeprefix("sqlite:///"))
    database.chmod(0o600)
    pepper, settings = tmp_path / "pepper", tmp_path / "idp.env"
    pepper.write_text(environment.pop("IDP_PASSWORD_PEPPER"))
    pepper.chmod(0o644)
    del environment["IDP_DEMO"]
    environment |= {
        "IDP_ISSUER": "https://id.example",
        "IDP_MAIL_FROM": "no-reply@id.example",
        "IDP_BCRYPT_COST": "12",
        "IDP_PASSWORD_PEPPER_FILE": str(pepper),
    }
    for unsafe, safe, path in (
        (0o644, 0o600, pepper),
        (0o644, 0o600, database),
        (0o644, 0o600, settings),
    ):
        settings.write_text("IDP_MAIL_PASSWORD=hush-hush\n")
        settings.chmod(0o600)
        path.chmod(unsafe)
        checked = invoked(environment, "--env-file", str(settings), "check").stdout
        line = refused(invoked(environment, "--env-file", str(settings), "serve", "--port", "1"))
        assert f"{path} may be read by other users" in checked
        assert f"{path} may be read by other users" in line
        path.chmod(safe)
    environment["IDP_CODE_LIFETIME"] = "3600"
    assert "10 minutes" in refused(invoked(environment, "serve"))


@pytest.mark.parametrize("host", ["localhost", "[::1]", "127.1"])
def test_a_host_is_taken_as_people_write_it(environment: dict[str, str], host: str) -> None:
    family = socket.AF_INET6 if ":" in resolved(host) else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((resolved(host), 0))
        other.listen()
        number = other.getsockname()[1]
        line = refused(invoked(environment, "serve", "--host", host, "--port", str(number)))
    assert f"port {number} at {resolved(host)} is taken" in line


@pytest.mark.parametrize("host", ["[nowhere.invalid]", "a" * 64, "::1]"])
def test_a_host_that_is_none_is_one_line(environment: dict[str, str], host: str) -> None:
    assert f"there is no address {host}" in refused(invoked(environment, "serve", "--host", host))


def test_a_port_shared_by_a_reusing_server_counts_as_taken(environment: dict[str, str]) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()

        line = refused(invoked(environment, "serve", "--port", str(other.getsockname()[1])))

    assert "is taken" in line


def test_an_address_of_nobody_is_one_line(environment: dict[str, str]) -> None:
    line = refused(invoked(environment, "serve", "--host", "no-such-host.invalid"))
    assert "no-such-host.invalid" in line


def test_a_foreign_address_is_one_line(environment: dict[str, str]) -> None:
    line = refused(invoked(environment, "serve", "--host", "192.0.2.1"))
    assert "can't listen at 192.0.2.1" in line


def test_k1_a_key_that_cannot_be_read_is_named(environment: dict[str, str], tmp_path: Path) -> None:
    path = signing_file(own_keys(environment, tmp_path))
    path.unlink()
    path.mkdir(mode=0o700)

    line = refused(finished(environment, "serve"))

    assert f"{path} can't be read" in line


def test_k1_a_key_that_others_may_read_is_named(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = signing_file(own_keys(environment, tmp_path))
    path.chmod(0o644)

    line = refused(invoked(environment, "serve"))

    assert f"{path} may be read by others" in line


def test_without_keys_it_says_how_to_make_them(environment: dict[str, str], tmp_path: Path) -> None:
    environment["IDP_KEYS_FOLDER"] = str(tmp_path / "none")
    assert "idp keys ensure" in refused(invoked(environment, "serve"))


def test_a_schema_that_is_behind_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path}/empty.db"
    assert "idp db upgrade" in refused(finished(environment, "serve"))


def test_a4_unsafe_settings_are_refused(environment: dict[str, str]) -> None:
    del environment["IDP_PASSWORD_PEPPER"]
    environment["IDP_SUBJECT_KEY"] = environment["IDP_SESSION_SECRET"]

    line = refused(invoked(environment, "serve"))

    assert "IDP_PASSWORD_PEPPER is missing" in line
    assert "two secrets are the same" in line


def test_a_database_that_is_away_is_one_line(environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = "postgresql://idp:hush-hush@127.0.0.1:1/idp"

    line = refused(invoked(environment, "serve"))

    assert "database can't be reached" in line
    assert "hush-hush" not in line


def test_it_answers_and_stops_at_a_signal(environment: dict[str, str], port: int) -> None:
    server = start(environment, "serve", "--port", str(port), "--workers", "1")
    try:
        assert answer(f"http://127.0.0.1:{port}/health/live?token=do-not-log-me") == 200
        waiting = socket.create_connection(("127.0.0.1", port))  # an idle browser stops nobody
    finally:
        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=40)
    waiting.close()

    assert server.returncode == 0
    assert out == ""
    records = [json.loads(line) for line in err.splitlines()]
    assert any("Listening at" in record["message"] for record in records)
    assert "do-not-log-me" not in err


def test_r12_before_it_stops_it_is_not_ready_and_serves(
    environment: dict[str, str], port: int
) -> None:
    environment["IDP_DRAIN"] = "3"
    server = start(environment, "serve", "--port", str(port), "--workers", "1")
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        assert answer(f"http://127.0.0.1:{port}/health/ready") == 200
        assert health(kept, "/health/ready") == (200, None, "ok")
    finally:
        server.send_signal(signal.SIGTERM)
    while (ready := health(kept, "/health/ready"))[0] == 200:  # on its way
        assert server.poll() is None
    assert ready == (503, "close", "leaving")
    assert health(kept, "/health/live") == (200, "close", "ok")
    server.communicate(timeout=40)
    assert server.returncode == 0


def test_r12_a_second_signal_stops_it_at_once(environment: dict[str, str], port: int) -> None:
    environment["IDP_DRAIN"] = "300"
    server = start(environment, "serve", "--port", str(port), "--workers", "1")
    try:
        assert answer(f"http://127.0.0.1:{port}/health/ready") == 200
    finally:
        server.send_signal(signal.SIGTERM)
        while urlopened(f"http://127.0.0.1:{port}/health/ready") == 200:
            assert server.poll() is None
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=40)
    assert server.returncode == 0


@pytest.mark.parametrize("moment", [0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0, 1.5, 2.5])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_that_all_its_processes_hear_ends_them_soon_at_whatever_moment(
    environment: dict[str, str], port: int, moment: float, number: signal.Signals
) -> None:
    """A terminal's Ctrl-C, and the main process tells its workers besides."""
    arguments = ("serve", "--port", str(port), "--workers", "2")
    server = start(environment, *arguments, measured=False, start_new_session=True)
    assert server.stderr is not None
    for line in server.stderr:
        if "Spawning worker-2" in line:
            break
    time.sleep(moment)
    try:
        os.killpg(server.pid, number)
        # A worker that has to be killed takes 30; « refused to gracefully stop » is said, too,
        # of one that has ended a moment before
        server.communicate(timeout=28)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.communicate()

    assert server.returncode in ({0, 130} if number == signal.SIGINT else {0})


def health(kept: http.client.HTTPConnection, path: str) -> tuple[int, str | None, str]:
    """Status, « Connection » and what it says, on one connection as long as it is kept."""
    kept.request("GET", path)
    with kept.getresponse() as response:
        status = json.load(response)["status"]
        return response.status, response.headers["Connection"], status


def urlopened(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_workers_end_with_a_main_process_that_was_killed(
    environment: dict[str, str], port: int
) -> None:
    arguments = ("serve", "--port", str(port), "--workers", "2")
    killed = start(environment, *arguments)
    try:
        assert answer(f"http://127.0.0.1:{port}/health/live") == 200
    finally:
        killed.kill()
        killed.communicate(timeout=40)  # the workers hold its pipes until they end

    after = start(environment, *arguments)
    try:
        assert answer(f"http://127.0.0.1:{port}/health/live") == 200
        assert after.poll() is None
    finally:
        after.send_signal(signal.SIGTERM)
        after.communicate(timeout=40)
    assert after.returncode == 0


def answer(url: str) -> int:
    """The status of an answer, from a server that may still be starting."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                status: int = response.status
                return status
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"no answer from {url}")
