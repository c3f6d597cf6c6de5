"""The guide for parents on paper: an A4 page for each language, with the school's face."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from idp.database import db
from idp.desk.guide_words import Guide, Part, guide
from idp.desk.paper import BODY, LEFT, RIGHT, SMALL, Sheets, picture_of
from idp.people import schools as kept
from idp.people.models import School
from idp.settings import LOCALES

QR_SIZE: Final = 34.0
SIZES: Final = (12.0, 11.2, BODY, 9.8, 9.0, 8.2)
"""Sizes of text in points: the largest at which a language's page stays one page."""
LOWEST: Final = 284.0


def of_school(school: School) -> bytes:
    """The guide in each language that the school's pages offer, its own first."""
    locales = [each for each in kept.offered_languages(school) if each in LOCALES]
    logo = db.session.scalar(select(School.logo_png).where(School.id == school.id))
    pages = [guide(school, locale) for locale in locales]
    return drawn(pages, colour=school.colour, logo=logo)


def drawn(pages: Sequence[Guide], *, colour: str, logo: bytes | None) -> bytes:
    """These guides as one PDF, a page each."""
    sheets = _Sheets(colour, logo)
    sheets.set_title(pages[0].title)
    sheets.set_lang(pages[0].locale)
    sheets.set_creator("school-idp")
    sheets.set_producer("school-idp")
    for page in pages:
        sheets.guide(page)
    return bytes(sheets.output())


class _Sheets(Sheets):
    """The pages while they are drawn."""

    def guide(self, page: Guide) -> None:
        """Draw one language on a sheet of its own."""
        self.add_page()
        size = next((each for each in SIZES if self._height(page, each) <= LOWEST), SIZES[-1])
        self.head(page.place)
        y = self.lines(46, page.title, 17, "B")
        self._address(54, page)
        y = self.lines(y + 3, page.opening, size, right=RIGHT - QR_SIZE - 8)
        y = self.lines(y + 2, page.address, size, "B", right=RIGHT - QR_SIZE - 8)
        y = max(y + 4, 54 + QR_SIZE + 10)
        for part in page.parts:
            y = self._part(y, part, size)
        y = self.lines(y + 2, page.question, size, "B")
        if page.contact:
            self.lines(y + 0.5, " · ".join((page.place, *page.contact)), size)

    def _address(self, top: float, page: Guide) -> None:
        left = RIGHT - QR_SIZE
        self.image(picture_of(page.address), left, top, QR_SIZE, QR_SIZE)
        self.lines(top + QR_SIZE + 4, page.picture, SMALL, left=left)

    def _part(self, y: float, part: Part, size: float) -> float:
        y = self.lines(y + 3, part.title, size + 2, "B")
        for number, step in enumerate(part.steps, 1):
            if part.numbered:
                self.put(LEFT, y + 0.8, f"{number}.", size, "B")
            y = self.lines(y + 0.8, step, size, left=LEFT + 7 if part.numbered else LEFT)
        return y + 1

    def _height(self, page: Guide, size: float) -> float:
        """Where the page would end at this size."""
        y = 54 + QR_SIZE + 10.0
        for part in page.parts:
            y += 4 + self.height(part.title, size + 2, "B")
            for step in part.steps:
                left = LEFT + 7 if part.numbered else LEFT
                y += 0.8 + self.height(step, size, left=left)
        return y + 3 + 2 * self.height(page.question, size)
