"""Letters on paper: A4, ready to be folded in three for a window envelope (``papers/letters.typ``).

The file holds tokens in clear: it goes to whoever prints, and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from idp.desk.printed_letters import sheets
from idp.desk.printed_letters.sheets import drawable
from idp.desk.printed_letters.words import Letter, Words, for_whom, greeting, until
from idp.mail.messages import welcome_link


def printed(
    letters: Sequence[Letter], *, title: str, locale: str, colour: str, logo: bytes | None
) -> bytes:
    """The letters as one PDF, a page each. ``colour`` as ``#rrggbb``; ``logo``: a PNG.

    ``title`` and ``locale`` tell what the file as a whole is.
    """
    return sheets.printed(
        "letters.typ",
        title=title,
        locale=locale,
        colour=colour,
        logo=sheets.logo_of(logo),
        words={letter.words.locale: _words(letter.words) for letter in letters},
        letters=[_letter(letter) for letter in letters],
    )


def _letter(letter: Letter) -> dict[str, Any]:
    locale = letter.words.locale
    return {
        "words": locale,
        "name": drawable(letter.name),
        "pupils": drawable(for_whom(letter.pupils, locale)) if letter.pupils else None,
        "greeting": drawable(greeting(letter.name, locale)),
        "username": drawable(letter.username),
        "token": letter.token,
        "until": until(letter.expires_at, locale),
        "qr": sheets.picture_of(welcome_link(letter.token)),
    }


def _words(words: Words) -> dict[str, Any]:
    return asdict(words) | {
        "place": drawable(words.place),
        "contact": [drawable(line) for line in words.contact],
        "subject": drawable(words.subject),
        "opening": drawable(words.opening),
        "steps": [drawable(step) for step in words.steps],
    }
