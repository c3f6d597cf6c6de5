"""The guide for parents on paper: an A4 page for each language, with the school's face."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from idp.database import db
from idp.desk.printed_letters import sheets
from idp.desk.printed_letters.guide_words import Guide, Part, guide
from idp.desk.printed_letters.sheets import drawable
from idp.people import schools as kept
from idp.people.models import School
from idp.settings import LOCALES


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
    return {
        "locale": page.locale,
        "place": drawable(page.place),
        "title": page.title,
        "opening": page.opening,
        "address": page.address,
        "picture": page.picture,
        "question": page.question,
        "contact": [drawable(line) for line in page.contact],
        "parts": [_part(part) for part in page.parts],
        "qr": sheets.picture_of(page.address),
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "title": drawable(part.title),
        "steps": [drawable(step) for step in part.steps],
        "numbered": part.numbered,
    }
