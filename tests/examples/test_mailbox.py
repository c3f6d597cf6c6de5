"""The demo's mail server and what the portal shows of it."""

import json
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from examples.mailbox.receiving import Receiver
from examples.mailbox.store import Mailbox
from examples.portal import create_app
from examples.portal.config import PortalConfig


@pytest.fixture
def mailbox(tmp_path: Path) -> Mailbox:
    return Mailbox(tmp_path / "mailbox.db")


@pytest.fixture
def portal(mailbox: Mailbox, tmp_path: Path) -> FlaskClient:
    config = PortalConfig(
        school="École d'essai",
        theme="college",
        issuer="http://127.0.0.1:9",
        client_id="portal",
        client_secret="secret",
        port=8001,
        visits_file=tmp_path / "visits.db",
        mailbox_file=mailbox.file,
    )
    return create_app(config).test_client()


async def receive(mailbox: Mailbox, *recipients: str) -> str:
    message = EmailMessage()
    message["Subject"] = "Créez votre mot de passe – Collège"
    message["To"] = recipients[0]
    message.set_content("Bonjour Zoë,\nhttp://127.0.0.1:8000/welcome?token=ABCD.\n")
    message.add_alternative("<p>Bonjour <b>Zoë</b></p><script>evil()</script>", subtype="html")
    envelope = SimpleNamespace(rcpt_tos=list(recipients), content=message.as_bytes())
    return await Receiver(mailbox).handle_DATA(None, None, envelope)  # type: ignore[arg-type]


def run(coroutine: object) -> str:
    import asyncio

    return asyncio.run(coroutine)  # type: ignore[arg-type]


def test_each_recipient_gets_the_mail_with_its_letters_intact(mailbox: Mailbox) -> None:
    answer = run(receive(mailbox, "a@familles.example", "b@familles.example"))
    assert answer.startswith("250")
    mails = mailbox.all()
    assert [mail.to for mail in mails] == ["a@familles.example", "b@familles.example"]
    assert mails[0].subject == "Créez votre mot de passe – Collège"
    assert "Bonjour Zoë" in mails[0].text
    assert "<b>Zoë</b>" in mails[0].html


def test_the_json_has_exactly_the_promised_members(mailbox: Mailbox, portal: FlaskClient) -> None:
    run(receive(mailbox, "a@familles.example"))
    (mail,) = json.loads(portal.get("/mailbox.json").data)
    assert set(mail) == {"to", "subject", "text", "html", "received_at"}
    assert mail["to"] == "a@familles.example"


def test_a_mail_is_shown_with_its_link_and_its_html_in_a_sandbox(
    mailbox: Mailbox, portal: FlaskClient
) -> None:
    run(receive(mailbox, "a@familles.example"))
    page = portal.get("/mailbox/1").text
    assert 'href="http://127.0.0.1:8000/welcome?token=ABCD"' in page
    assert 'sandbox="allow-top-navigation-by-user-activation"' in page
    policy = portal.get("/mailbox/1/html").headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-top-navigation-by-user-activation; default-src 'none'")


@pytest.mark.parametrize("path", ["/mailbox/7", "/mailbox/99999999999999999999", "/mailbox/x"])
def test_a_mail_that_is_not_there_is_a_page(portal: FlaskClient, path: str) -> None:
    answer = portal.get(path)
    assert answer.status_code == 404
    assert "Cette page n&#39;existe pas" in answer.text
