"""Paper of the school's: A4 sheets with its head, and text that wraps, in every script.

Text stands in the order in which it is read. The files are not tagged: fpdf2 (2.8) tags pictures
only, and a file whose text is outside its tags is read aloud as if it were empty.
"""

import unicodedata
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from typing import Final

import segno
from anyascii import anyascii
from fpdf import FPDF
from fpdf.fonts import TTFFont
from PIL import Image

from idp.resources import folder

# Lengths in millimetres, from the sheet's upper left corner; sizes of letters in points.
LEFT: Final = 25.0
RIGHT: Final = 190.0
WIDTH: Final = RIGHT - LEFT
LOGO: Final = (60.0, 20.0)
"""What a logo fits into."""


BODY: Final = 10.5
SMALL: Final = 8.0
LEAD: Final = 1.35
POINT: Final = 25.4 / 72

INK: Final = (23, 28, 36)
QUIET: Final = (76, 85, 99)


class Sheets(FPDF):
    """The sheets while they are drawn."""

    def __init__(self, colour: str, logo: bytes | None) -> None:
        super().__init__(format="A4", unit="mm")
        self.set_auto_page_break(False)
        self.c_margin = 0
        fonts = folder("idp.fonts")
        self.add_font("letters", "", fonts / "DejaVuSansCondensed.ttf")
        self.add_font("letters", "B", fonts / "DejaVuSansCondensed-Bold.ttf")
        self._school_colour = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        self._logo = _readable(logo)
        self._wrapped: dict[tuple[str, float, float, str], list[str]] = {}

    def head(self, place: str) -> None:
        self.set_fill_color(*self._school_colour)
        self.rect(0, 0, 210, 4, style="F")
        if self._logo is None:
            self.put(LEFT, 20, self.fitting(place, 15, "B", WIDTH), 15, "B")
            return
        wide, high = self._logo.size
        scale = min(LOGO[0] / wide, LOGO[1] / high)
        self.image(self._logo, LEFT, 12, wide * scale, high * scale)
        x, y = LEFT + wide * scale + 6, 20.0
        for line in self.wrap(place, 13, "B", RIGHT - x)[:2]:
            self.put(x, y, line, 13, "B")
            y += below(13)

    # Text

    def lines(
        self,
        y: float,
        text: str,
        size: float = BODY,
        style: str = "",
        *,
        left: float = LEFT,
        right: float = RIGHT,
    ) -> float:
        """Write a paragraph from the baseline ``y`` on; returns the next paragraph's."""
        for line in self.wrap(text, size, style, right - left):
            self.put(left, y, line, size, style)
            y += below(size)
        return y

    def height(
        self, text: str, size: float = BODY, style: str = "", *, left: float = LEFT
    ) -> float:
        """What ``lines`` would take."""
        return below(size) * len(self.wrap(text, size, style, RIGHT - left))

    def put(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        style: str = "",
        colour: tuple[int, int, int] = INK,
    ) -> None:
        """Write one line, ``y`` its baseline."""
        self.set_font("letters", style, size)
        self.set_text_color(*colour)
        text = self._drawable(text)
        if not _from_the_right(text):
            self.text(x, y, text)
            return
        # Arabic letters join and run from right to left; nothing else of ours needs this
        self.set_text_shaping(True)
        self.set_xy(x, y - 0.8 * self.font_size)
        self.cell(w=self.get_string_width(text), h=self.font_size, text=text)
        self.set_text_shaping(False)

    def wrap(self, text: str, size: float, style: str, width: float) -> list[str]:
        """The text in lines that fit; the same sentences stand in every letter."""
        key = (text, size, width, style)
        if key not in self._wrapped:
            self._wrapped[key] = list(self._broken(self._drawable(text), size, style, width))
        return self._wrapped[key]

    def _broken(self, text: str, size: float, style: str, width: float) -> Iterator[str]:
        self.set_font("letters", style, size)
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if self.get_string_width(longer) <= width:
                line = longer
                continue
            if line:
                yield line
            *whole, line = _pieces(self, word, width)
            yield from whole
        if line:
            yield line

    def fitting(self, text: str, size: float, style: str, width: float) -> str:
        """The text on one line, cut where it is too long."""
        lines = self.wrap(text, size, style, width - 3)
        return lines[0] + (" …" if len(lines) > 1 else "") if lines else ""

    def _drawable(self, text: str) -> str:
        """The text in letters that the font has; others as one would spell them in Latin."""
        text = unicodedata.normalize("NFC", text)
        if text.isascii():
            return text
        return "".join(c if ord(c) in self._letters else anyascii(c) for c in text)

    @cached_property
    def _letters(self) -> frozenset[int]:
        fonts = (self.fonts["letters"], self.fonts["lettersB"])
        return frozenset.intersection(
            *(frozenset(each.cmap) for each in fonts if isinstance(each, TTFFont))
        )


def below(size: float) -> float:
    """From one baseline to the next."""
    return size * POINT * LEAD


def _pieces(sheets: FPDF, word: str, width: float) -> list[str]:
    """A word in pieces that fit; one piece nearly always."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and sheets.get_string_width(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _from_the_right(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in {"R", "AL"} for c in text if not c.isascii())


def picture_of(address: str) -> BytesIO:
    """An address as a QR code, with the quiet zone that scanners need (ISO/IEC 18004)."""
    picture = BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="png", scale=6)
    picture.seek(0)
    return picture


def _readable(logo: bytes | None) -> Image.Image | None:
    """The school's logo; none where it can't be read: a letter goes without."""
    if logo is None:
        return None
    try:
        picture = Image.open(BytesIO(logo), formats=("PNG",))
        picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return picture
