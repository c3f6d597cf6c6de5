"""``idp check`` tries what serving needs, and says what to do about what does not work."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from idp import clock
from idp.database import db, transaction
from idp.doctor import Finding
from idp.doctor.running import of_running
from idp.mail.models import OutboxMessage
from idp.readiness import marks
from idp.roster.models import RosterJob, RosterRun
from idp.sessions import interactions
from idp.sessions.models import Interaction
from idp.settings import Settings
from idp.web import trusted_proxies
from tests.conftest import settings_for_tests
from tests.smtp import MailServer, free_port, running

pytestmark = [pytest.mark.quick_on("postgresql"), pytest.mark.long]

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    with running() as server:
        yield server


@pytest.fixture
def settings(
    database_url: str, keys_folder: Path, tmp_path: Path, mail_server: MailServer
) -> Settings:
    spool = tmp_path / "spool"
    spool.mkdir()
    return settings_for_tests(
        database_url,
        keys_folder,
        mail_port=mail_server.port,
        spool_folder=spool,
        database_connections=2,
        trusted_proxies=(),
    )


def found_by_doctor() -> dict[str, Finding]:
    return {finding.subject: finding for finding in of_running()}


def change(app: Flask, **changes: Any) -> None:
    import dataclasses

    app.extensions["idp.settings"] = dataclasses.replace(app.extensions["idp.settings"], **changes)


def a_backup_is_proved() -> None:
    value = f"{clock.now().isoformat()} 0.5.0"
    with marks.connection() as now, now.begin():
        marks.write(now, "backup proved", value)


def test_what_works_is_left_in_peace(app: Flask) -> None:
    a_backup_is_proved()
    assert found_by_doctor() == {}


def test_r3_a_mail_server_that_is_away_is_told(app: Flask) -> None:
    app.extensions["mail"].port = free_port()
    change(app, mail_port=app.extensions["mail"].port)
    away = found_by_doctor()["mail server"]
    assert away.level == "trouble"
    assert str(app.extensions["mail"].port) in away.sentence
    assert "IDP_MAIL_SERVER" in away.remedy


def test_r3_a_mail_server_that_refuses_our_sender_is_told(app: Flask) -> None:
    with running() as server:
        server.sender_answer = "550 5.7.1 sender unknown"
        app.extensions["mail"].port = server.port
        change(app, mail_port=server.port)
        refuses = found_by_doctor()["mail server"]
    assert "sender refused, 550" in refuses.sentence
    assert "IDP_MAIL_FROM" in refuses.remedy


def test_mails_that_nobody_sends_are_counted(app: Flask) -> None:
    with transaction() as writes:
        for due in (clock.now() - HOUR, clock.now() + HOUR):
            writes.add(OutboxMessage(kind="invitation", due_at=due))
    assert "1 mail is due, the first" in found_by_doctor()["mail worker"].sentence
    with transaction() as writes:
        writes.add(OutboxMessage(kind="invitation", due_at=clock.now() - HOUR))
    assert "2 mails are due, the first" in found_by_doctor()["mail worker"].sentence
    assert "idp mail work" in found_by_doctor()["mail worker"].remedy


def test_imports_that_nobody_works_on_are_counted(app: Flask) -> None:
    with transaction() as writes:
        for state, lease in (("waiting", None), ("working", clock.now() - HOUR)):
            run = RosterRun(format="table", fingerprint=state)
            writes.add(run)
            writes.flush()
            asked_at = clock.now() - 2 * HOUR
            job = RosterJob(run_id=run.id, task="read", state=state, asked_at=asked_at)
            job.lease_until = lease
            writes.add(job)
    assert "2 imports wait" in found_by_doctor()["import worker"].sentence
    assert "idp roster work" in found_by_doctor()["import worker"].remedy


def test_r8_a_purge_that_never_ran_is_told(app: Flask) -> None:
    interactions.keep(interactions.begin("browser"))
    with transaction():
        left = db.session.query(Interaction).one()
        left.expires_at = clock.now() - timedelta(days=2)
    assert "purge" not in found_by_doctor(), "it runs once a day"
    with transaction():
        left.expires_at = clock.now() - timedelta(days=9)
    assert "idp purge" in found_by_doctor()["purge"].remedy


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_more_connections_than_postgresql_allows_are_told(app: Flask) -> None:
    change(app, database_connections=900)
    finding = found_by_doctor()["connections"]
    assert "PostgreSQL allows" in finding.sentence
    assert "max_connections" in finding.remedy


@pytest.mark.parametrize("folder", ["keys_folder", "spool_folder"])
def test_r6_a_folder_that_takes_no_file_is_told(app: Flask, folder: str) -> None:
    # /proc refuses even root
    change(app, **{folder: Path("/proc/self")})
    finding = found_by_doctor()[folder.removesuffix("_folder")]
    assert "/proc/self" in finding.sentence
    assert finding.level == "trouble"


def test_r6_a_database_that_takes_no_writes_is_told(app: Flask) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE installation_marks RENAME TO gone"))
    sentences = " ".join(finding.sentence for finding in of_running())
    assert "takes no writes" in sentences


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted_proxies, "_next", {})


def test_e8_a_proxy_that_nobody_believes_is_told(app: Flask, unseen: None) -> None:
    from ipaddress import ip_network

    change(app, trusted_proxies=(ip_network("10.0.0.0/8"),))
    browser = app.test_client()
    browser.get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    finding = found_by_doctor()["trusted proxies"]
    assert "127.0.0.1" in finding.sentence
    assert "IDP_TRUSTED_PROXIES" in finding.remedy


def test_e8_a_proxy_that_is_named_and_a_visitor_without_one_are_not(
    app: Flask, unseen: None
) -> None:
    from ipaddress import ip_network

    app.test_client().get("/")
    change(app, trusted_proxies=(ip_network("127.0.0.0/8"),))
    app.test_client().get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    a_backup_is_proved()
    assert found_by_doctor() == {}


@pytest.mark.parametrize(
    ("forwarded", "writer"),
    [
        ("203.0.113.9, unknown", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("203.0.113.9, unknown, 127.0.0.9:443", "127.0.0.9"),
    ],
)
def test_e8_a_trusted_proxy_that_names_no_address_is_told(
    app: Flask, unseen: None, forwarded: str, writer: str
) -> None:
    from ipaddress import ip_network

    stranger = {"environ_base": {"REMOTE_ADDR": "192.0.2.66"}}
    change(app, trusted_proxies=(ip_network("127.0.0.0/8"),))
    app.test_client().get("/", headers={"X-Forwarded-For": "203.0.113.9"}, **stranger)
    app.test_client().get("/", headers={"X-Forwarded-For": forwarded})
    told = [each.sentence for each in of_running() if each.subject == "trusted proxies"]
    assert any("from 192.0.2.66" in sentence for sentence in told)
    assert any(f"What {writer} writes" in sentence for sentence in told)


def test_n6_a_stranger_who_sends_the_header_costs_one_row(app: Flask, unseen: None) -> None:
    for number in range(5):
        app.test_client().get("/", headers={"X-Forwarded-For": f"203.0.113.{number}"})
    count = db.session.scalar(
        text("SELECT count(*) FROM installation_marks WHERE name LIKE 'unbelieved%'")
    )
    assert count == 1
