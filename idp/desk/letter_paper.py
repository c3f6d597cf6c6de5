"""Letters on paper: A4, ready to be folded in three for a window envelope (DIN 5008, form B;
ISO 269, C5/6 and DL).

The file holds tokens in clear: it goes to whoever prints, and nowhere else.
"""

from collections.abc import Sequence
from typing import Final

from idp.desk.letter_words import Letter, for_whom, greeting, until
from idp.desk.paper import BODY, LEFT, QUIET, RIGHT, SMALL, WIDTH, Sheets, below, picture_of
from idp.mail.messages import welcome_link

FOLDS: Final = (105.0, 210.0)
MIDDLE: Final = 148.5
QR_SIZE: Final = 42.0


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


class _Sheets(Sheets):
    """The letters while they are drawn."""

    def letter(self, letter: Letter) -> None:
        """Draw one letter on a sheet of its own."""
        self.add_page()
        words = letter.words
        self.head(words.place)
        self._window(letter)
        y = self.lines(112, words.subject, 13, "B")
        y = self.lines(y + 4, greeting(letter.name, words.locale))
        y = self.lines(y + 2, words.opening)
        for number, step in enumerate(words.steps, 1):
            self.put(LEFT, y + 2, f"{number}.", BODY, "B")
            y = self.lines(y + 2, step, left=LEFT + 7)
        y = self._access(max(y + 3, 164), letter)
        self._foot(y + 6, letter)
        self._marks()

    def _window(self, letter: Letter) -> None:
        """What shows through the envelope's window: 20 to 105 mm, 45 to 90 mm."""
        words = letter.words
        sender = self.fitting(words.place, 7, "", 75)
        self.put(LEFT, 57, sender, 7, "", QUIET)
        self.set_draw_color(*QUIET)
        self.line(LEFT, 58.2, LEFT + 75, 58.2)
        y = 67.0
        for line in self.wrap(letter.name, 11, "B", 75)[:2]:
            self.put(LEFT, y, line, 11, "B")
            y += below(11)
        if letter.pupils:
            text = for_whom(letter.pupils, words.locale)
            for line in self.wrap(text, 9, "", 75)[:3]:
                self.put(LEFT, y, line, 9)
                y += below(9)
        self.put(125, 57, words.today, 9, "", QUIET)

    def _access(self, top: float, letter: Letter) -> float:
        """The box with user name, token and picture; returns where it ends."""
        words, bottom = letter.words, top + QR_SIZE + 4
        self.set_draw_color(*QUIET)
        self.rect(LEFT, top, WIDTH, bottom - top)
        inner, width = LEFT + 4, WIDTH - QR_SIZE - 12
        self.put(inner, top + 8, words.username, SMALL, "", QUIET)
        y = top + 14
        for line in self.wrap(letter.username, 12, "B", width)[:2]:
            self.put(inner, y, line, 12, "B")
            y += below(12)
        y = max(y + 2, top + 24)
        self.put(inner, y, words.token, SMALL, "", QUIET)
        size = _largest(self, letter.token, width)
        self.put(inner, y + 7, letter.token, size, "B")
        caption = self.fitting(f"{words.picture} →", SMALL, "", width)
        self.put(inner, bottom - 4, caption, SMALL, "", QUIET)
        self.image(
            picture_of(welcome_link(letter.token)), RIGHT - QR_SIZE - 2, top + 2, QR_SIZE, QR_SIZE
        )
        return bottom

    def _foot(self, y: float, letter: Letter) -> None:
        words = letter.words
        y = self.lines(y, until(letter.expires_at, words.locale), style="B")
        y = self.lines(y + 1, words.secret)
        y = self.lines(y + 4, words.question)
        if words.contact:
            self.lines(y + 0.5, " · ".join((words.place, *words.contact)))

    def _marks(self) -> None:
        """Where to fold, and where to punch (DIN 5008)."""
        self.set_draw_color(*QUIET)
        for y in FOLDS:
            self.line(4, y, 8, y)
        self.line(4, MIDDLE, 10, MIDDLE)


def _largest(sheets: Sheets, text: str, width: float) -> float:
    """The largest size in points at which the token fits on its line, 15 at most."""
    sheets.set_font("letters", "B", 15)
    return min(15.0, 15 * width / sheets.get_string_width(text))
