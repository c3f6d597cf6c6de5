"""Security rules of mail: M1 to M3, R3, R10, P6, P9, P16, E3 and L1."""

import logging
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import text

from idp import create_app
from idp.credentials import one_time_tokens
from idp.database import db, transaction
from idp.mail import delivery, messages, outbox
from idp.mail import smtp as smtp_client
from idp.people.models import Account
from idp.settings import Settings
from tests import factories, smtp
from tests.conftest import settings_for_tests
from tests.smtp import TOKEN, MailServer

pytestmark = pytest.mark.quick_on("sqlite")

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
INJECTION = "Eve\r\nBcc: victim@example.org\r\n\r\nbody\u2028<script>alert(1)</script>\u202e"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with smtp.running() as server:
        yield server


@pytest.fixture
def settings(database_url: str, keys_folder: Path, mail_server: MailServer) -> Settings:
    return settings_for_tests(
        database_url, keys_folder, mail_port=mail_server.port, issuer="http://127.0.0.1:8765"
    )


def parent(**changes: Any) -> Account:
    values = {"username": "alice", "email": "alice@example.org", "locale": "en", **changes}
    return factories.account(**values)


def spoil(account: Account, **columns: str) -> None:
    """Write what no service would accept, as a faulty import might."""
    with transaction() as session:
        for name, value in columns.items():
            setattr(session.get(Account, account.id), name, value)


def request_reset(email: str = "alice@example.org") -> Any:
    return outbox.enqueue("password_reset", about={"email": email})


def statuses() -> list[str]:
    return sorted(message.status for message in fresh_messages())


def test_m1_names_cannot_add_headers_lines_or_markup(app: Flask, mail_server: MailServer) -> None:
    school = factories.school("Collège")
    account, _ = factories.family(school, "Lina", email="alice@example.org", locale="en")
    spoil(account, given_name=INJECTION, username="al\nice")
    with transaction() as session:
        session.merge(school).name = INJECTION[:100]
    request_reset()
    delivery.deliver_due()
    (letter,) = mail_server.letters
    assert letter.recipients == ["alice@example.org"]
    assert letter.message["Bcc"] is None
    assert "\n" not in letter.subject
    assert letter.subject.startswith("Choose a new password for Eve Bcc: victim@example.org")
    assert not any(line.startswith("Bcc") for line in letter.text.splitlines())
    assert "Your user name: al ice" in letter.text
    assert "\u202e" not in letter.text
    assert "<script" not in letter.html


@pytest.mark.parametrize(
    "address",
    [
        "alice@example.org\r\nBcc: victim@example.org",
        "alice@example.org, victim@example.org",
        "Alice <alice@example.org>",
        "élise@example.org",
        "@example.org",
        "alice",
    ],
)
def test_m1_an_address_that_smtp_cannot_carry_reaches_nobody(
    app: Flask, mail_server: MailServer, address: str
) -> None:
    spoil(account := parent(), email=address)
    message = outbox.enqueue("password_changed", account_id=account.id)
    delivery.deliver_due()
    assert mail_server.seen == []
    db.session.refresh(message)
    assert (message.status, message.answer) == ("refused", "not an address that SMTP can carry")


def test_m1_an_international_domain_is_written_in_ascii() -> None:
    assert messages.mailbox("claire@Écoles.example") == "claire@xn--coles-9ra.example"


def test_m1_long_and_foreign_subjects_arrive_as_they_were(
    app: Flask, mail_server: MailServer
) -> None:
    name = "Ελληνικό Σχολείο «Ὅμηρος» " + "مدرسة الزيتون " * 4
    school = factories.school(name.strip())
    account, _ = factories.family(school, "Lina", email="alice@example.org", locale="en")
    outbox.enqueue("password_changed", account_id=account.id)
    delivery.deliver_due()
    (letter,) = mail_server.letters
    assert letter.subject == f"Your password for {name.strip()} was changed"
    assert max(map(len, letter.raw.splitlines())) <= 998  # RFC 5322 §2.1.1
    assert letter.raw.isascii()


def test_m2_every_mail_is_text_and_html_without_anything_remote(
    app: Flask, mail_server: MailServer
) -> None:
    active = parent()
    invited = parent(username="bob", email="bob@example.org", status="invited")
    outbox.enqueue("invitation", account_id=invited.id)
    outbox.enqueue("fresh_token", account_id=active.id)
    outbox.enqueue("password_changed", account_id=active.id)
    request_reset()
    assert delivery.deliver_due() == 4
    for letter in mail_server.letters:
        assert "not you" in letter.text or "not meant for you" in letter.text
        assert not re.search(r"<(img|script|link|iframe|object|form|style)\b|url\(", letter.html)
        for address in re.findall(r'(?:href|src)="([^"]*)"', letter.html):
            assert address.startswith("http://127.0.0.1:8765/")


def test_m2_headers_say_that_a_machine_writes(app: Flask, mail_server: MailServer) -> None:
    message = outbox.enqueue("password_changed", account_id=parent().id)
    delivery.deliver_due()
    headers = mail_server.letters[0].message
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["Message-ID"] == f"<{message.id}.1.0@[127.0.0.1]>"
    assert headers["Date"].datetime.tzinfo is not None
    assert headers["From"] == '"iT.SCHOOL" <no-reply@localhost>'
    assert headers["To"] == "alice@example.org"


def test_m3_a_doubled_mail_does_no_harm(app: Flask, mail_server: MailServer) -> None:
    # given a server that took the mail while its answer was lost
    parent()
    mail_server.drop_at = "250"
    with time_machine.travel(START, tick=False) as now:
        request_reset()
        delivery.deliver_due()
        mail_server.behave()
        now.shift(timedelta(seconds=10))
        delivery.deliver_due()
        # then both mails work, until one token is spent
        first, second = (letter.tokens[0] for letter in mail_server.letters)
        for token in (first, second):
            assert isinstance(one_time_tokens.find(token), one_time_tokens.Live)
    assert statuses() == ["sent"]


def test_m3_a_worker_that_died_before_its_commit_loses_nothing(
    app: Flask, mail_server: MailServer
) -> None:
    with time_machine.travel(START, tick=False) as now:
        outbox.enqueue("password_changed", account_id=parent().id)
        outbox.claim_due()  # and the worker dies
        now.shift(outbox.LEASE + timedelta(seconds=1))
        assert delivery.deliver_due() == 1
    assert len(mail_server.letters) == 1


def test_r3_mail_waits_for_a_server_that_is_away_and_leaves_when_it_is_back(
    app: Flask, mail_server: MailServer
) -> None:
    account = parent()
    mail_server.stop()
    with time_machine.travel(START, tick=False):
        for _ in range(3):
            outbox.enqueue("password_changed", account_id=account.id)
        assert delivery.deliver_due() == 0
        assert statuses() == ["queued"] * 3
    mail_server.start()
    stop = threading.Event()

    def run() -> None:
        with app.app_context():
            delivery.work(stop, pause=0.05)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: statuses() == ["sent"] * 3)
    stop.set()
    thread.join()
    assert len(mail_server.letters) == 3


def test_r3_the_worker_says_once_that_mail_waits_and_once_that_it_flows(
    app: Flask, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "idp.mail")
    mail_server.stop()
    account = parent()
    for _ in range(3):
        outbox.enqueue("password_changed", account_id=account.id)
    stop = threading.Event()

    def run() -> None:
        with app.app_context():
            delivery.work(stop, pause=0.02)

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(lambda: all(message.answer for message in fresh_messages()))
    mail_server.start()
    outbox.enqueue("password_changed", account_id=account.id)
    wait_for(lambda: "mail flows again" in caplog.text)
    stop.set()
    thread.join()
    assert caplog.text.count("mail waits: mail server: ConnectionRefusedError") == 1
    assert caplog.text.count("mail flows again") == 1


def test_r10_a_mail_server_must_prove_who_it_is(
    settings: Settings,
    tmp_path: Path,
    keys_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = self_signed(tmp_path)
    with smtp.running(**smtp.starttls(certificate, key)) as server:
        changes = {"mail_port": server.port, "mail_tls": "starttls"}
        app = create_app(settings_for_tests(settings.database_url, keys_folder, **changes))
        with app.app_context():
            message = outbox.enqueue("password_changed", account_id=parent().id)
            assert delivery.deliver_due() == 0
            db.session.refresh(message)
            assert (message.status, message.answer) == ("queued", "SSLCertVerificationError")

            monkeypatch.setenv("SSL_CERT_FILE", certificate)
            with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1)):
                assert delivery.deliver_due() == 1
            db.session.remove()
            db.engine.dispose()
        assert len(server.letters) == 1


def test_r10_a_server_without_tls_gets_no_mail(
    settings: Settings, mail_server: MailServer, keys_folder: Path
) -> None:
    changes = {"mail_port": mail_server.port, "mail_tls": "starttls"}
    app = create_app(settings_for_tests(settings.database_url, keys_folder, **changes))
    with app.app_context():
        message = outbox.enqueue("password_changed", account_id=parent().id)
        assert delivery.deliver_due() == 0
        db.session.refresh(message)
        assert (message.status, message.answer) == ("queued", "SMTPNotSupportedError")
        db.session.remove()
        db.engine.dispose()
    assert mail_server.seen == []


def test_r10_tls_from_the_first_byte(
    settings: Settings, tmp_path: Path, keys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    with smtp.running(ssl_context=smtp.tls_context(certificate, key)) as server:
        changes = {"mail_port": server.port, "mail_tls": "implicit"}
        app = create_app(settings_for_tests(settings.database_url, keys_folder, **changes))
        with app.app_context():
            outbox.enqueue("password_changed", account_id=parent().id)
            assert delivery.deliver_due() == 1
            db.session.remove()
            db.engine.dispose()
        assert len(server.letters) == 1


@pytest.mark.parametrize(
    ("password", "fate"),
    [("right", ("sent", None)), ("wrong", ("queued", "SMTPAuthenticationError 535"))],
)
def test_r3_our_own_wrong_password_costs_no_parent_a_mail(
    settings: Settings,
    tmp_path: Path,
    keys_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    fate: tuple[str, str | None],
) -> None:
    certificate, key = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    options = {**smtp.starttls(certificate, key), **smtp.authentication("idp", "right")}
    with smtp.running(**options) as server:
        login = {"mail_tls": "starttls", "mail_username": "idp", "mail_password": password}
        changes = {"mail_port": server.port, **login}
        app = create_app(settings_for_tests(settings.database_url, keys_folder, **changes))
        with app.app_context():
            message = outbox.enqueue("password_changed", account_id=parent().id)
            delivery.deliver_due()
            db.session.refresh(message)
            assert (message.status, message.answer) == fate
            db.session.remove()
            db.engine.dispose()


def test_r3_a_silent_server_does_not_hold_the_worker(
    settings: Settings, keys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_client, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        changes = {"mail_port": silent.getsockname()[1], "issuer": "http://[::1]:8000"}
        app = create_app(settings_for_tests(settings.database_url, keys_folder, **changes))
        with app.app_context():
            message = outbox.enqueue("password_changed", account_id=parent().id)
            assert delivery.deliver_due() == 0
            db.session.refresh(message)
            assert (message.status, message.answer) == ("queued", "SMTPServerDisconnected")
            db.session.remove()
            db.engine.dispose()


def test_r3_no_database_connection_is_held_while_the_mail_server_thinks(
    app: Flask, mail_server: MailServer
) -> None:
    parent()
    request_reset()
    held: list[int] = []
    mail_server.on_data = lambda: held.append(db_pool.checkedout())
    db_pool: Any = db.engine.pool
    delivery.deliver_due()
    assert held == [0]


def test_p6_the_outbox_holds_neither_words_nor_tokens_nor_addresses(
    app: Flask, mail_server: MailServer
) -> None:
    parent()
    request_reset()
    delivery.deliver_due()
    (token,) = mail_server.letters[0].tokens
    rows = [str(row) for row in db.session.execute(text("SELECT * FROM outbox"))]
    stored = "".join(rows)
    assert not TOKEN.search(stored)
    assert token.replace("-", "") not in stored
    assert "alice" not in stored


def test_p9_links_are_built_from_the_configured_issuer_only(
    app: Flask, mail_server: MailServer
) -> None:
    account = parent()
    with app.test_request_context("/", base_url="https://evil.example", headers={"Host": "evil"}):
        outbox.enqueue("fresh_token", account_id=account.id)
        delivery.deliver_due()
    (letter,) = mail_server.letters
    (token,) = letter.tokens
    assert f"\nhttp://127.0.0.1:8765/welcome#{token}\n" in letter.text
    assert "evil" not in letter.text + letter.html


def test_n8_a_mailed_token_stands_where_no_server_sees_it(
    app: Flask, mail_server: MailServer
) -> None:
    outbox.enqueue("fresh_token", account_id=parent().id)
    delivery.deliver_due()
    (letter,) = mail_server.letters
    (token,) = letter.tokens
    for part in (letter.text, letter.html):
        assert f"/welcome#{token}" in part
        assert "?token=" not in part


@pytest.mark.parametrize("typed", ["ALICE@Example.ORG", "alice@example.org"])
def test_p16_mail_goes_to_the_stored_address(
    app: Flask, mail_server: MailServer, typed: str
) -> None:
    parent(email="Alice@example.org")
    request_reset(typed)
    delivery.deliver_due()
    assert mail_server.seen == ["Alice@example.org"]


@pytest.mark.parametrize(
    "typed", ["al\u0131ce@example.org", "\u0430lice@example.org", "alice@ex\u0430mple.org"]
)
def test_p16_look_alikes_reach_nobody(app: Flask, mail_server: MailServer, typed: str) -> None:
    parent()
    request_reset(typed)
    delivery.deliver_due()
    assert mail_server.seen == []
    assert statuses() == ["dropped"]


def test_p16_a_changed_address_counts_at_once(app: Flask, mail_server: MailServer) -> None:
    account = parent()
    outbox.enqueue("fresh_token", account_id=account.id)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET email = 'new@example.org'"))
    delivery.deliver_due()
    assert mail_server.seen == ["new@example.org"]


def test_e3_mails_to_one_address_are_limited(app: Flask, mail_server: MailServer) -> None:
    account = parent()
    with time_machine.travel(START, tick=False) as now:
        for _ in range(6):
            now.shift(timedelta(seconds=2))
            request_reset()
        outbox.enqueue("fresh_token", account_id=account.id)
        request_reset("other@example.org")
        delivery.deliver_due()
        assert len(mail_server.letters) == 4
        now.shift(timedelta(hours=1, seconds=1))
        request_reset()
        delivery.deliver_due()
        assert len(mail_server.letters) == 5
    reasons = {message.answer for message in outbox.list_messages(status="dropped")}
    assert reasons == {"too many for one address in an hour", "nobody to write to"}


def test_e3_what_the_school_sends_is_not_limited(app: Flask, mail_server: MailServer) -> None:
    account = parent()
    for _ in range(6):
        outbox.enqueue("password_changed", account_id=account.id)
    delivery.deliver_due()
    assert len(mail_server.letters) == 6


def test_e3_requests_that_piled_up_in_an_outage_bring_one_mail(
    app: Flask, mail_server: MailServer
) -> None:
    parent()
    mail_server.stop()
    with time_machine.travel(START, tick=False) as now:
        for _ in range(5):
            now.shift(timedelta(minutes=30))
            request_reset()
            assert delivery.deliver_due() == 0
        now.shift(timedelta(minutes=30))
        mail_server.start()
        assert delivery.deliver_due() == 5
    assert len(mail_server.letters) == 1
    assert statuses() == ["dropped"] * 4 + ["sent"]


def test_l1_logs_hold_ids_only(
    app: Flask, mail_server: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    parent()
    request_reset()
    delivery.deliver_due()
    mail_server.recipient_answer = "550 5.1.1 <alice@example.org> unknown"
    message = request_reset()
    delivery.deliver_due()
    logged = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("idp"))
    assert message.id in logged
    for secret in (mail_server.letters[0].tokens[0], "alice", "Claire", "Dubois"):
        assert secret not in logged


def fresh_messages() -> list[Any]:
    db.session.rollback()
    db.session.expire_all()
    return outbox.list_messages()


def wait_for(condition: Any, seconds: float = 20) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "waited in vain"
        sleep(0.05)


def self_signed(folder: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody knows, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem", folder / "key.pem"
    pem[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return str(pem[0]), str(pem[1])
