"""Flask-Mail over SMTP, with what it leaves to us: timeouts, verified TLS, typed outcomes."""

import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from email import charset, policy
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import parseaddr
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import flask_mail
from flask import Flask, current_app

from idp import settings
from idp.mail.messages import Message, clean, logo_id
from idp.people.addresses import can_be_mailed

TIMEOUT = 10
"""Seconds that each step of the dialogue may take."""

_QUOTED_PRINTABLE = charset.Charset("utf-8")
_QUOTED_PRINTABLE.body_encoding = charset.QP


@dataclass(frozen=True)
class Sent:
    """The mail server took the mail over."""


@dataclass(frozen=True)
class Refused:
    """The mail server will never take it, or it can't be addressed at all."""

    answer: str


@dataclass(frozen=True)
class Deferred:
    """The mail server did not take it now."""

    answer: str


@dataclass(frozen=True)
class Lost:
    """The connection broke: whether the server has the mail is not known."""

    answer: str


Outcome = Sent | Refused | Deferred | Lost


class ServerAway(Exception):
    """No mail can be sent at present, whoever it is for; ``answer`` names no person.

    ``code``: what the server said, where it was there and refused us; else 0.
    """

    def __init__(self, answer: str, code: int = 0) -> None:
        super().__init__(answer)
        self.answer = answer
        self.is_refusal = code >= 500  # RFC 5321 §4.2.1: for good, whenever we come


def init_app(app: Flask) -> None:
    """Configure Flask-Mail from our settings."""
    values: settings.Settings = app.extensions["idp.settings"]
    app.config.update(
        MAIL_SERVER=values.mail_server,
        MAIL_PORT=values.mail_port,
        MAIL_USERNAME=values.mail_username or None,
        MAIL_PASSWORD=values.mail_password.reveal() or None,
        MAIL_USE_TLS=values.mail_tls == "starttls",
        MAIL_USE_SSL=values.mail_tls == "implicit",
        MAIL_DEFAULT_SENDER=values.mail_from,
        MAIL_SUPPRESS_SEND=False,  # tests talk to a real server
        MAIL_DEBUG=False,  # would print every token that is mailed
    )
    flask_mail.Mail(app)


class Post:
    """A connection to the mail server: opened when needed, kept for the next mail.

    Each is tried with our sender's address and no mail. Who refuses that refuses us
    (``ServerAway``); who takes it and then refuses a mail as it begins means that mail, such as
    its size, or what came before it on the same connection.
    """

    def __init__(self) -> None:
        self._connection: _Connection | None = None
        self._is_fresh = False
        self.was_opened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> None:
        """Reach a mail server that takes our sender, unless it is reached already.

        Raises ``ServerAway``.
        """
        self._opened()

    def _opened(self) -> "_Connection":
        if self._connection is not None:
            return self._connection
        connection = _Connection(current_app.extensions["mail"])
        try:
            connection.__enter__()
        except smtplib.SMTPSenderRefused as error:
            raise ServerAway(f"sender refused, {error.smtp_code}", error.smtp_code) from None
        except smtplib.SMTPResponseException as error:
            answer = f"{type(error).__name__} {error.smtp_code}"
            raise ServerAway(answer, error.smtp_code) from None
        except (smtplib.SMTPException, OSError) as error:
            raise ServerAway(type(error).__name__) from None
        self._connection = connection
        self._is_fresh = self.was_opened = True
        return connection

    def send(self, message: Message, reference: str) -> Outcome:
        """Send one mail; ``reference`` begins its Message-ID.

        Raises ``ServerAway`` where the server refuses us rather than the mail.
        """
        if not is_addressable(message.recipient):
            return Refused("not an address that SMTP can carry")
        connection = self._opened()
        was_fresh, self._is_fresh = self._is_fresh, False
        try:
            connection.send(_Letter.of(message, reference))
        except smtplib.SMTPRecipientsRefused as error:
            return self._answered(*error.recipients[message.recipient], message)
        except smtplib.SMTPSenderRefused as error:
            self.close()
            if not was_fresh:  # so many mails on one connection were enough for the server
                return self.send(message, reference)
            return self._not_begun(error, message)
        except smtplib.SMTPDataError as error:
            return self._answered(error.smtp_code, error.smtp_error, message)
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            return Lost(f"the connection broke: {type(error).__name__}")
        return Sent()

    def close(self) -> None:
        """Say goodbye, if there is anybody to say it to."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.host is not None:
            with suppress(smtplib.SMTPException, OSError):
                connection.host.quit()
            connection.host.close()

    def _not_begun(self, error: smtplib.SMTPSenderRefused, message: Message) -> Outcome:
        outcome = self._answered(error.smtp_code, error.smtp_error, message)
        # RFC 1870 §6.1: too large, whenever it comes. What else a server may say here is as likely
        # a rate, whatever its first digit.
        return outcome if error.smtp_code == 552 else Deferred(outcome.answer)

    def _answered(self, code: int, words: bytes | str, message: Message) -> Refused | Deferred:
        if code == 421:  # RFC 5321 §4.2.1: the server closes the channel
            self.close()
        text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
        answer = f"{code} {clean(text)}".replace(message.recipient, "…")
        return Refused(answer) if code >= 500 else Deferred(answer)


class _Connection(flask_mail.Connection):
    """Flask-Mail's connection has neither timeout nor verified TLS (rule R10)."""

    def configure_host(self) -> smtplib.SMTP | smtplib.SMTP_SSL:
        host = self._connected()
        try:
            if self.mail.use_tls:
                # raises where the server offers none
                host.starttls(context=ssl.create_default_context())
            if self.mail.username and self.mail.password:
                host.login(self.mail.username, self.mail.password)
            _try_sender(host)
        except BaseException:
            host.close()
            raise
        return host

    def _connected(self) -> smtplib.SMTP | smtplib.SMTP_SSL:
        # smtplib would ask the DNS for our own name, at every connection
        name = _our_host()
        if self.mail.use_ssl:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(
                self.mail.server, self.mail.port, name, timeout=TIMEOUT, context=context
            )
        return smtplib.SMTP(self.mail.server, self.mail.port, name, timeout=TIMEOUT)


def _try_sender(host: smtplib.SMTP) -> None:
    """Begin a mail from us and take it back. Raises ``SMTPSenderRefused``."""
    sender = flask_mail.sanitize_address(settings.current().mail_from)
    host.ehlo_or_helo_if_needed()
    code, words = host.mail(sender)
    if code == 250:
        code, words = host.rset()
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, words, sender)


class _Letter(flask_mail.Message):
    """A mail in quoted-printable: no line is too long and no server needs 8BITMIME."""

    logo: bytes | None = None

    @classmethod
    def of(cls, message: Message, reference: str) -> "_Letter":
        values = settings.current()
        name, address = parseaddr(values.mail_from)
        letter = cls(
            subject=message.subject,
            recipients=[("", message.recipient)],
            body=message.text,
            html=message.html,
            reply_to=message.reply_to if is_addressable(message.reply_to) else None,
            extra_headers={
                "Auto-Submitted": "auto-generated",  # RFC 3834 §5: no vacation notes, please
                "Content-Language": message.locale,
            },
        )
        letter.sender = (clean(name or values.platform_name), address)
        letter.msgId = f"<{reference}@{_our_host()}>"
        letter.logo = message.logo
        return letter

    def _message(self) -> MIMEBase:
        # Folding again what Header has folded loses spaces between encoded words (cpython#92081)
        composed = super()._message()
        if self.logo:
            _show_in_html(composed, self.logo)
        composed.policy = policy.SMTP.clone(refold_source="none")
        return composed

    def _mimetext(self, text: str | None, subtype: str = "plain") -> MIMEText:
        return MIMEText(text or "", subtype, _QUOTED_PRINTABLE)  # type: ignore[arg-type]


def _show_in_html(composed: MIMEBase, logo: bytes) -> None:
    """Put the picture beside the HTML that shows it (RFC 2387); the plain text stays alone."""
    alternative, html = _both(composed)
    picture = MIMEImage(logo, "png")
    picture.add_header("Content-ID", f"<{logo_id(logo)}>")
    picture.add_header("Content-Disposition", "inline", filename="logo.png")
    related = MIMEMultipart("related", type="text/html", _subparts=[html, picture])
    alternative.set_payload([*alternative.get_payload()[:-1], related])


def _both(composed: MIMEBase) -> tuple[Any, Any]:
    """The part that holds text and HTML, and the HTML in it, as Flask-Mail makes them."""
    whole: Any = composed.get_payload()
    alternative = whole[0]
    return alternative, alternative.get_payload()[-1]


def _our_host() -> str:
    host = urlsplit(settings.current().issuer).hostname or "localhost"
    if ":" in host:
        return f"[IPv6:{host}]"  # RFC 5321 §4.1.3
    return f"[{host}]" if host.replace(".", "").isdigit() else host


def is_addressable(recipient: str) -> bool:
    """Whether a mail to the address can be sent: by the rule that lets it be stored."""
    # Without SMTPUTF8 (RFC 6531), which Flask-Mail lacks, an address is ASCII
    return recipient.isascii() and can_be_mailed(recipient)
