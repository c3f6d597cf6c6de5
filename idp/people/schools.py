"""Schools, with what their parents see of them."""

import hashlib
import re

from sqlalchemy import select

from idp.audit import events
from idp.database import db, transaction
from idp.people.models import EMAIL_LENGTH, School
from idp.people.names import Refused, clean_text, email_key
from idp.settings import LOCALES

LOGO_BYTES = 200_000
_PNG = b"\x89PNG\r\n\x1a\n"
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
PHONE_LENGTH = 40


def create_school(
    name: str,
    *,
    colour: str = "#1d4f91",
    contact_name: str = "",
    contact_email: str = "",
    contact_phone: str = "",
    locale: str = "fr",
    logo_png: bytes | None = None,
) -> School:
    """Make a school; ``colour`` as ``#rrggbb``, the contact is whom parents ask.

    Raises ``Refused``.
    """
    if not _COLOUR.fullmatch(colour):
        raise Refused("colour", "is not written as #1d4f91")
    if locale not in LOCALES:
        raise Refused("locale", f"is none of {', '.join(LOCALES)}")
    if contact_email and not email_key(contact_email):
        raise Refused("contact_email", "is not an e-mail address")
    if logo_png is not None and not _is_logo(logo_png):
        raise Refused("logo", f"is not a PNG picture of at most {LOGO_BYTES} bytes")
    school = School(
        name=clean_text("name", name, required=True),
        colour=colour.lower(),
        contact_name=clean_text("contact_name", contact_name),
        contact_email=clean_text("contact_email", contact_email, longest=EMAIL_LENGTH),
        contact_phone=clean_text("contact_phone", contact_phone, longest=PHONE_LENGTH),
        locale=locale,
        logo_png=logo_png,
        logo_digest=hashlib.sha256(logo_png).hexdigest() if logo_png else None,
    )
    with transaction() as writes:
        writes.add(school)
        writes.flush()
        events.record("school_created", school_id=school.id)
    return school


def list_schools() -> list[School]:
    """Every school, by name."""
    return list(db.session.scalars(select(School).order_by(School.name, School.id)))


def find_school(school_id: str) -> School | None:
    """The school of this id."""
    return db.session.get(School, school_id)


def _is_logo(data: bytes) -> bool:
    return data.startswith(_PNG) and len(data) <= LOGO_BYTES
