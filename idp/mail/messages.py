"""What a mail says: rendered as text and as HTML, in the reader's language."""

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import idna
from flask import current_app
from flask_babel import force_locale

from idp import settings

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: they would end a header or a log line
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # bidirectional overrides: they make a name look like another
    "\ud800-\udfff]+"
)


@dataclass(frozen=True)
class Message:
    """One mail to one mailbox, ready to be sent."""

    recipient: str
    subject: str
    text: str
    html: str
    locale: str
    reply_to: str = ""
    """Who reads an answer; empty: nobody does."""
    logo: bytes | None = None
    """A PNG that the HTML shows, from within the mail: nothing is fetched that tells who reads."""
    accounts: tuple[str, ...] = ()
    """The ids of those whom it is for, where one row of the outbox leads to several mails: whose
    has left is not written again."""

    @property
    def in_a_browser(self) -> str:
        """The HTML with its logo within it, as no mail program, but every browser, shows it."""
        if not self.logo:
            return self.html
        address = f"data:image/png;base64,{b64encode(self.logo).decode()}"
        return self.html.replace(f"cid:{logo_id(self.logo)}", address)


@dataclass(frozen=True)
class Face:
    """In whose name a mail comes: a school, or the platform. Colours as ``#rrggbb``."""

    name: str
    colour: str = "#1d4f91"
    on_colour: str = "#ffffff"
    accent: str = "#1d4f91"
    on_accent: str = "#ffffff"
    reply_to: str = ""
    logo: bytes | None = None

    @property
    def logo_source(self) -> str:
        """How the HTML names the logo that comes with it."""
        return f"cid:{logo_id(self.logo)}" if self.logo else ""


def render(template: str, locale: str, recipient: str, *, face: Face, **context: Any) -> Message:
    """Render ``templates/mail/<template>.txt`` and ``.html`` in the language ``locale``.

    The first line of the text is the subject. ``recipient`` is the *stored* address of the
    reader (security rule P16).
    """
    # Straight from the environment: what pages put into every template needs a request.
    templates = current_app.jinja_env
    with force_locale(locale):
        text = templates.get_template(f"mail/{template}.txt").render(
            locale=locale, face=face, **context
        )
        subject, _, body = text.strip().partition("\n")
        subject = clean(subject)
        html = templates.get_template(f"mail/{template}.html").render(
            locale=locale, subject=subject, face=face, **context
        )
    text, html = _tidy(body), html.strip() + "\n"
    answers_to = mailbox(face.reply_to)
    return Message(mailbox(recipient), subject, text, html, locale, answers_to, face.logo)


def logo_id(logo: bytes) -> str:
    """The Content-ID of a logo (RFC 2392): one for the same picture, another for another."""
    return f"{sha256(logo).hexdigest()[:32]}@logo"


def welcome_link(token: str) -> str:
    """The link that fills the token in. Built from the configured issuer only (rule P9).

    The token stands behind « # », which browsers send to nobody (rule N8): ``static/token.js``.
    """
    return f"{settings.current().issuer}/welcome#{token}"


def own_link(path: str, secret: str) -> str:
    """A link to a page of ours that a secret opens. Built from the issuer only (rule P9).

    The secret stands behind « # », as in ``welcome_link``: ``web/account/mailed_links.py``.
    """
    return f"{settings.current().issuer}{path}#{secret}"


def sign_in_link() -> str:
    """Our own start page, where a signed-out reader signs in."""
    return f"{settings.current().issuer}/"


def account_link() -> str:
    """Where a parent sees the providers that their account is linked to."""
    return f"{settings.current().issuer}/account/connections"


def clean(text: str) -> str:
    """The text on one line, without anything that forges a header, a line or a name (rule M1)."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def mailbox(email: str) -> str:
    """The address as SMTP wants it: the local part as it is, the domain in ASCII (RFC 5891).

    A domain that has no such form is left alone; the delivery refuses it.
    """
    local, _, domain = email.rpartition("@")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return email
    return f"{local}@{ascii_domain}"


def _tidy(text: str) -> str:
    lines = (line.rstrip() for line in text.strip("\n").splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"
