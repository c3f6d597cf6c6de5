"""A real SMTP server for tests: takes mail over a connection, or misbehaves as it is told."""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

TOKEN = re.compile(r"\b(?:[0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}\b")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Letter:
    """A mail as it arrived."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    @property
    def tokens(self) -> list[str]:
        """The tokens that stand on a line of their own, in the order of the text."""
        lines = (line.strip() for line in self.text.splitlines())
        return [line for line in lines if TOKEN.fullmatch(line)]

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """What arrived is in ``letters``; the other fields say how to answer from now on."""

    port: int = field(default_factory=free_port)
    letters: list[Letter] = field(default_factory=list)
    recipient_answer: str | None = None
    """Answer to RCPT, such as ``550 5.1.1 unknown``; None takes everybody."""
    sender_answer: str | None = None
    """Answer to every MAIL, whatever comes after it."""
    size_answer: Callable[[], str | None] | None = None
    """Answer to a MAIL that says how large it is, as one does that brings a mail."""
    per_connection: int | None = None
    """How many mails one connection may bring."""
    data_answer: str | None = None
    drop_at: str | None = None
    """``RCPT``, ``DATA`` (mail lost) or ``250`` (mail taken, answer lost)."""
    on_data: Callable[[], object] | None = None
    """Called while the client waits for the answer to its mail."""
    seen: list[str] = field(default_factory=list)
    """Every recipient that was tried."""
    smtp_options: dict[str, Any] = field(default_factory=dict)
    _controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, **self.smtp_options
        )
        self._controller.start()

    def stop(self) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    def stop_listening(self) -> None:
        """Take no further connections; those that are open go on. For ``on_data``."""
        assert self._controller is not None
        assert self._controller.server is not None
        self._controller.server.close()

    def behave(self) -> None:
        """Take everything again."""
        self.recipient_answer = self.sender_answer = self.data_answer = self.drop_at = None
        self.on_data = self.size_answer = self.per_connection = None

    # The names that aiosmtpd looks for

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.sender_answer:
            return self.sender_answer
        if self.per_connection and getattr(session, "brought", 0) >= self.per_connection:
            return "450 4.7.1 Error: too much mail"
        brings = any(option.startswith("SIZE=") for option in options)
        if brings and self.size_answer and (answer := self.size_answer()):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        self.seen.append(address)
        if self.drop_at == "RCPT":
            server.transport.abort()
        if self.recipient_answer:
            return self.recipient_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        session.brought = getattr(session, "brought", 0) + 1
        if self.on_data:
            self.on_data()
        if self.drop_at == "DATA":
            server.transport.abort()
            return "451 gone"
        if self.data_answer:
            return self.data_answer
        self.letters.append(Letter(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        if self.drop_at == "250":
            server.transport.abort()
        return "250 OK"


def tls_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def starttls(certificate: str, key: str) -> dict[str, Any]:
    """Options of a server that takes mail over TLS only."""
    return {"tls_context": tls_context(certificate, key), "require_starttls": True}


def authentication(username: str, password: str) -> dict[str, Any]:
    """Options of a server, over TLS, that takes mail from one client only."""

    def check(_server: Any, _session: Any, _envelope: Any, _how: str, given: Any) -> AuthResult:
        right = (given.login, given.password) == (username.encode(), password.encode())
        return AuthResult(success=right, handled=False)

    return {"authenticator": check, "auth_required": True}


@contextmanager
def running(**options: Any) -> Iterator[MailServer]:
    """A running SMTP server on loopback, stopped at the end."""
    server = MailServer(smtp_options=options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
