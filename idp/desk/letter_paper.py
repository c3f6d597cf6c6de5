"""Letters on paper: A4, ready to be folded in three for a window envelope (DIN 5008, form B;
ISO 269, C5/6 and DL).

The file holds tokens in clear: it goes to whoever prints, and nowhere else. Text stands in the
order in which it is read; the file is not tagged, because fpdf2 tags pictures only, and a file
whose text is outside its tags is read aloud as if it were empty.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import Final

import segno
from anyascii import anyascii
from fpdf import FPDF
from fpdf.fonts import TTFFont
from PIL import Image

from idp.desk.letter_words import Words, for_whom, greeting, until
from idp.mail.messages import welcome_link
from idp.resources import folder

# Lengths in millimetres, from the sheet's upper left corner; sizes of letters in points.
LEFT: Final = 25.0
RIGHT: Final = 190.0
WIDTH: Final = RIGHT - LEFT
FOLDS: Final = (105.0, 210.0)
MIDDLE: Final = 148.5
QR_SIZE: Final = 42.0
LOGO: Final = (60.0, 20.0)
"""What a logo fits into."""


BODY: Final = 10.5
SMALL: Final = 8.0
LEAD: Final = 1.35
POINT: Final = 25.4 / 72

INK: Final = (23, 28, 36)
QUIET: Final = (76, 85, 99)


@dataclass(frozen=True)
class Letter:
    """One family's letter. Its token is shown on paper and nowhere else (security rule A5)."""

    name: str
    username: str
    pupils: tuple[str, ...]
    token: str = field(repr=False)
    expires_at: datetime
    words: Words


def printed(
    letters: Sequence[Letter], *, title: str, locale: str, colour: str, logo: bytes | None
) -> bytes:
    """The letters as one PDF, a page each. ``colour`` as ``#rrggbb``; ``logo``: a PNG.

    ``title`` and ``locale`` tell what the file as a whole is.
    """
    sheets = _Sheets(colour, logo)
    sheets.set_title(title)
    sheets.set_lang(locale)
    sheets.set_creator("school-idp")
    sheets.set_producer("school-idp")
    for letter in letters:
        sheets.letter(letter)
    return bytes(sheets.output())


class _Sheets(FPDF):
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

    def letter(self, letter: Letter) -> None:
        """Draw one letter on a sheet of its own."""
        self.add_page()
        words = letter.words
        self._head(words)
        self._window(letter)
        y = self._lines(112, words.subject, 13, "B")
        y = self._lines(y + 4, greeting(letter.name, words.locale))
        y = self._lines(y + 2, words.opening)
        for number, step in enumerate(words.steps, 1):
            self._put(LEFT, y + 2, f"{number}.", BODY, "B")
            y = self._lines(y + 2, step, left=LEFT + 7)
        y = self._access(max(y + 3, 164), letter)
        self._foot(y + 6, letter)
        self._marks()

    def _head(self, words: Words) -> None:
        self.set_fill_color(*self._school_colour)
        self.rect(0, 0, 210, 4, style="F")
        if self._logo is None:
            self._put(LEFT, 20, self._fitting(words.place, 15, "B", WIDTH), 15, "B")
            return
        wide, high = self._logo.size
        scale = min(LOGO[0] / wide, LOGO[1] / high)
        self.image(self._logo, LEFT, 12, wide * scale, high * scale)
        x, y = LEFT + wide * scale + 6, 20.0
        for line in self._wrap(words.place, 13, "B", RIGHT - x)[:2]:
            self._put(x, y, line, 13, "B")
            y += _below(13)

    def _window(self, letter: Letter) -> None:
        """What shows through the envelope's window: 20 to 105 mm, 45 to 90 mm."""
        words = letter.words
        sender = self._fitting(words.place, 7, "", 75)
        self._put(LEFT, 57, sender, 7, "", QUIET)
        self.set_draw_color(*QUIET)
        self.line(LEFT, 58.2, LEFT + 75, 58.2)
        y = 67.0
        for line in self._wrap(letter.name, 11, "B", 75)[:2]:
            self._put(LEFT, y, line, 11, "B")
            y += _below(11)
        if letter.pupils:
            text = for_whom(letter.pupils, words.locale)
            for line in self._wrap(text, 9, "", 75)[:3]:
                self._put(LEFT, y, line, 9)
                y += _below(9)
        self._put(125, 57, words.today, 9, "", QUIET)

    def _access(self, top: float, letter: Letter) -> float:
        """The box with user name, token and picture; returns where it ends."""
        words, bottom = letter.words, top + QR_SIZE + 4
        self.set_draw_color(*QUIET)
        self.rect(LEFT, top, WIDTH, bottom - top)
        inner, width = LEFT + 4, WIDTH - QR_SIZE - 12
        self._put(inner, top + 8, words.username, SMALL, "", QUIET)
        y = top + 14
        for line in self._wrap(letter.username, 12, "B", width)[:2]:
            self._put(inner, y, line, 12, "B")
            y += _below(12)
        y = max(y + 2, top + 24)
        self._put(inner, y, words.token, SMALL, "", QUIET)
        size = _largest(self, letter.token, width)
        self._put(inner, y + 7, letter.token, size, "B")
        caption = self._fitting(f"{words.picture} →", SMALL, "", width)
        self._put(inner, bottom - 4, caption, SMALL, "", QUIET)
        self.image(_qr_code(letter.token), RIGHT - QR_SIZE - 2, top + 2, QR_SIZE, QR_SIZE)
        return bottom

    def _foot(self, y: float, letter: Letter) -> None:
        words = letter.words
        y = self._lines(y, until(letter.expires_at, words.locale), style="B")
        y = self._lines(y + 1, words.secret)
        y = self._lines(y + 4, words.question)
        if words.contact:
            self._lines(y + 0.5, " · ".join((words.place, *words.contact)))

    def _marks(self) -> None:
        """Where to fold, and where to punch (DIN 5008)."""
        self.set_draw_color(*QUIET)
        for y in FOLDS:
            self.line(4, y, 8, y)
        self.line(4, MIDDLE, 10, MIDDLE)

    # Text

    def _lines(
        self, y: float, text: str, size: float = BODY, style: str = "", *, left: float = LEFT
    ) -> float:
        """Write a paragraph from the baseline ``y`` on; returns the next paragraph's."""
        for line in self._wrap(text, size, style, RIGHT - left):
            self._put(left, y, line, size, style)
            y += _below(size)
        return y

    def _put(
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

    def _wrap(self, text: str, size: float, style: str, width: float) -> list[str]:
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

    def _fitting(self, text: str, size: float, style: str, width: float) -> str:
        """The text on one line, cut where it is too long."""
        lines = self._wrap(text, size, style, width - 3)
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


def _below(size: float) -> float:
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


def _largest(sheets: FPDF, text: str, width: float) -> float:
    """The largest size in points at which the token fits on its line, 15 at most."""
    sheets.set_font("letters", "B", 15)
    return min(15.0, 15 * width / sheets.get_string_width(text))


def _from_the_right(text: str) -> bool:
    return any(unicodedata.bidirectional(c) in {"R", "AL"} for c in text if not c.isascii())


def _qr_code(token: str) -> BytesIO:
    """The welcome link as a picture, with the quiet zone that scanners need (ISO/IEC 18004)."""
    picture = BytesIO()
    segno.make(welcome_link(token), error="m", micro=False).save(picture, kind="png", scale=6)
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
