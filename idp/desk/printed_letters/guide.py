"""The guide for parents on paper: its words, and an A4 page for each language with the
school's face.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select

from idp.database import db
from idp.desk.printed_letters import sheets
from idp.desk.printed_letters.sheets import drawable
from idp.desk.printed_letters.words import whom_to_ask
from idp.mail.messages import clean, sign_in_link
from idp.people import schools as kept
from idp.people.models import School
from idp.settings import LOCALES
from idp.settings import current as settings


@dataclass(frozen=True)
class Part:
    """A heading and its steps; ``numbered`` where one comes after the other."""

    title: str
    steps: tuple[str, ...]
    numbered: bool = True


@dataclass(frozen=True)
class Guide:
    """One language's page."""

    locale: str
    place: str
    title: str
    opening: str
    parts: tuple[Part, ...]
    address: str
    picture: str
    question: str
    contact: tuple[str, ...]


def guide(school: School, locale: str) -> Guide:
    """The guide of this school in the language ``locale``."""
    with force_locale(locale):
        contact, question = whom_to_ask(school)
        return Guide(
            locale=locale,
            place=clean(school.name),
            title=_("How to sign in: a guide for parents"),
            opening=_(
                "Follow the link on the school's own site, or open the address below. Everything"
                " is there in several languages, and works on a phone."
            ),
            parts=(_first_time(), _next_times(), _forgotten(), _children(), _care()),
            address=sign_in_link(),
            picture=_("Opens the sign-in page"),
            question=question,
            contact=contact,
        )


def _first_time() -> Part:
    return Part(
        _("Your first sign-in"),
        (
            _(
                "The school sends you an e-mail or a letter with your user name and a connection"
                " token, which works once. Open the link in it."
            ),
            _(
                "No link at hand? Press “%(button)s” on the sign-in page and type the token."
                " Spaces and capitals don't matter.",
                button=_("CONNECTION TOKEN"),
            ),
            _(
                "Choose your own password of at least %(num)d characters, type it twice and press"
                " “%(button)s”. You are signed in at once.",
                num=settings().password_minimum,
                button=_("CHANGE"),
            ),
        ),
    )


def _next_times() -> Part:
    return Part(
        _("Every time after that"),
        (
            _(
                "Type your user name and your password and press “%(button)s”.",
                button=_("SIGN IN"),
            ),
        ),
        numbered=False,
    )


def _forgotten() -> Part:
    return Part(
        _("Have you forgotten your password, or is the token too old?"),
        (
            _(
                "On the sign-in page, press the link that begins with “%(words)s” and type the"
                " e-mail address that the school knows.",
                words=_("Forgotten password"),
            ),
            _("An e-mail brings your user name and a new token: go on as the first time."),
            _("Nothing comes? Look in your spam folder, then ask the school."),
        ),
    )


def _children() -> Part:
    return Part(
        _("Several children?"),
        (
            _(
                "Press “%(button)s” under the child's name. On your page you can choose another"
                " child at any time.",
                button=_("Sign in with this account"),
            ),
        ),
        numbered=False,
    )


def _care() -> Part:
    return Part(
        _("Stay safe"),
        (
            _(
                "Your token and your password are for you alone: nobody at school ever asks for"
                " them. On a computer that others use, sign out when you are done."
            ),
        ),
        numbered=False,
    )


def of_school(school: School) -> bytes:
    """The guide in each language that the school's pages offer, its own first."""
    locales = [each for each in kept.offered_languages(school) if each in LOCALES]
    logo = db.session.scalar(select(School.logo_png).where(School.id == school.id))
    pages = [guide(school, locale) for locale in locales]
    return drawn(pages, colour=school.colour, logo=logo)


def drawn(pages: Sequence[Guide], *, colour: str, logo: bytes | None) -> bytes:
    """These guides as one PDF, a page each (``papers/guide.typ``)."""
    return sheets.printed(
        "guide.typ",
        title=pages[0].title,
        locale=pages[0].locale,
        colour=colour,
        logo=sheets.logo_of(logo),
        pages=[_page(page) for page in pages],
    )


def _page(page: Guide) -> dict[str, Any]:
    return asdict(page) | {
        "place": drawable(page.place),
        "contact": [drawable(line) for line in page.contact],
        "parts": [_part(part) for part in page.parts],
        "qr": sheets.picture_of(page.address),
    }


def _part(part: Part) -> dict[str, Any]:
    steps = [drawable(step) for step in part.steps]
    return asdict(part) | {"title": drawable(part.title), "steps": steps}
