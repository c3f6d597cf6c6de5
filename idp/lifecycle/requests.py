"""What somebody who is not signed in may ask for: a mail with a new token."""

from idp.database import transaction
from idp.mail import outbox
from idp.people.names import email_key
from idp.settings import LOCALES


def request_reset(email_text: str, *, client_id: str | None, locale: str) -> None:
    """Queue a reset for whoever has this address, perhaps nobody.

    One row, whatever was typed: who has the address is the mail worker's to find out, so
    that neither answer nor time tells (security rule E1). The mail goes to the stored
    address, never to the typed one (P16).
    """
    about = {
        "email": email_key(email_text),
        "client_id": client_id,
        "locale": locale if locale in LOCALES else None,
    }
    with transaction():
        outbox.enqueue("password_reset", about=about)
