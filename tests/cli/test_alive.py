"""Is a worker alive? One that waits is, one that works for long is; one whose loop hangs is not."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep

import pytest
from flask import Flask
from sqlalchemy import select

from idp.database import db
from idp.mail import outbox
from idp.roster import jobs, service
from idp.roster.models import RosterJob
from tests import factories
from tests.cli.conftest import invoked, start
from tests.receiver import until
from tests.roster.test_crash import district
from tests.roster.test_crash import environment as of_this_database

pytestmark = [pytest.mark.quick_on("sqlite"), pytest.mark.slow, pytest.mark.long]

SOON = 5.0
of_app = of_this_database


@contextmanager
def working(
    environment: dict[str, str], noun: str, *options: str
) -> Iterator[subprocess.Popen[str]]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = start(environment, noun, "work", *options, **quiet)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(timeout=30)


def is_alive(file: Path) -> bool:
    """As a health check asks: without any setting."""
    asked = invoked({}, "alive", str(file), "--within", str(SOON))
    assert asked.exit_code in {0, 1}, asked.output
    assert asked.stdout.startswith("alive:") == (asked.exit_code == 0)
    return asked.exit_code == 0


@pytest.mark.parametrize("noun", ["mail", "notify", "roster"])
def test_a_worker_that_waits_is_alive_and_one_that_is_stopped_or_gone_is_not(
    noun: str, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "alive"
    assert not is_alive(file)
    with working(environment, noun, "--pause", "600", "--heartbeat", str(file)) as worker:
        until(lambda: is_alive(file), 60)
        sleep(SOON + 1)
        assert is_alive(file), "it waits for ten minutes, and says so"
        worker.send_signal(signal.SIGSTOP)
        until(lambda: not is_alive(file), 20)
        worker.send_signal(signal.SIGCONT)
        until(lambda: is_alive(file), 20)
    until(lambda: not is_alive(file), 20)


@contextmanager
def dripping() -> Iterator[tuple[int, Event]]:
    """A mail server that greets with a letter each half second, and comes to no end."""
    ended, was_asked = Event(), Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            was_asked.set()
            with connection:
                while not ended.wait(0.5):
                    connection.send(b"2")

        thread = Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], was_asked
        finally:
            ended.set()


def test_a_loop_that_hangs_at_a_mail_server_without_end_is_not_alive(
    app: Flask, of_app: dict[str, str], tmp_path: Path
) -> None:
    outbox.enqueue("fresh_token", account_id=factories.account().id)
    db.session.commit()
    file = tmp_path / "alive"
    with dripping() as (port, was_asked):
        server = {"IDP_MAIL_SERVER": "127.0.0.1", "IDP_MAIL_PORT": str(port)}
        with working(of_app | server, "mail", "--heartbeat", str(file)):
            assert was_asked.wait(60)
            assert is_alive(file)
            until(lambda: not is_alive(file), 20)


def test_a_worker_at_a_long_import_tells_so_with_each_statement(
    app: Flask, of_app: dict[str, str], tmp_path: Path
) -> None:
    path = district(1, 500).zip(tmp_path / "roster.zip")
    wish = service.Wish((service.Choice(factories.school("School 0").id),))
    run_id = service.stage(path, wish).id
    assert jobs.request_task(run_id, "apply", {}, "a_somebody")
    db.session.commit()
    file, told = tmp_path / "alive", set()
    with working(of_app, "roster", "--heartbeat", str(file)):
        end = monotonic() + 150
        while (state := state_of(run_id)) != "done":
            assert monotonic() < end
            assert state in {"waiting", "working"}
            if state == "working":
                told.add(file.read_text())
            sleep(0.005)  # whoever looks without a pause takes the time that the import needs
    assert len(told) >= 10, "of one school there is one step: the statements are what is told"


def state_of(run_id: str) -> str:
    db.session.rollback()
    return db.session.scalars(select(RosterJob.state).where(RosterJob.run_id == run_id)).one()


def test_systemd_is_told_where_it_asks(environment: dict[str, str], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        asks = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000000"}
        with working(environment | asks, "mail", "--pause", "600") as worker:
            assert {systemd.recv(100) for _ in range(5)} == {b"WATCHDOG=1"}
            worker.send_signal(signal.SIGSTOP)
            sleep(1)
            systemd.setblocking(False)
            while heard(systemd):
                pass  # what it has told before
            sleep(3)
            assert not heard(systemd)


def heard(systemd: socket.socket) -> bytes:
    try:
        return systemd.recv(100)
    except BlockingIOError:
        return b""


def test_a_file_from_before_the_machine_started_speaks_of_nobody(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    file.write_text(f"{monotonic() + 1000:19.3f}\n")
    assert not is_alive(file)
    file.write_text("")
    assert not is_alive(file)


def test_a_worker_that_can_tell_nobody_does_not_begin(
    environment: dict[str, str], tmp_path: Path
) -> None:
    nowhere = str(tmp_path / "nowhere" / "alive")
    asked = invoked(environment, "mail", "work", "--once", "--heartbeat", nowhere)
    assert asked.exit_code == 2
    assert "can't be written" in asked.stderr
