"""How people are found by what somebody heard: spellings of one word come to one form.

Everything is brought to a–z and 0–9, whatever its script, so that either spelling finds the
other and no database's collation decides. Nothing else comes out of here: what was folded holds
no character that a query of ours could stumble over (security rule A7).
"""

import re
import unicodedata
from typing import Final

from anyascii import anyascii

from idp.people.names import unaccented

SOUND: Final = "~"
"""Begins the sound of a word, which therefore is never the beginning of a word."""

_OTHERS: Final = re.compile(r"[^a-z0-9]+")
_VOWELS: Final = re.compile(r"[aeiouyhw]+")
_LIKE_OTHERS: Final = (
    ("ph", "f"), ("ck", "k"), ("sch", "s"), ("ch", "s"), ("sh", "s"), ("th", "t"), ("qu", "k"),
    ("c", "k"), ("q", "k"), ("x", "ks"), ("z", "s"), ("v", "f"),
)  # fmt: skip
_DOUBLED: Final = re.compile(r"(.)\1+")
_SHORTEST_WITH_SOUND: Final = 3


class _Letters(dict[int, str]):
    """A character of decomposed text → what stays of it where two spellings are compared."""

    def __missing__(self, code: int) -> str:
        self[code] = kept = _kept(chr(code))
        return kept


_LETTERS: Final = _Letters()


def comparable(text: str) -> str:
    """What two spellings of one name share: « D’Hœkelaere » and « d'Hoekelaere » are one.

    Case, accents, dashes, apostrophes, spaces and what nobody sees do not count. Letters of other
    scripts stay as they are: two Chinese names may be written alike in ours.
    """
    if text.isascii():
        return _OTHERS.sub("", text.lower())
    return unicodedata.normalize("NFKD", text.casefold()).translate(_LETTERS)


def _kept(letter: str) -> str:
    if unicodedata.category(letter)[0] not in "LNM" or unicodedata.combining(letter):
        return ""
    name = unicodedata.name(letter, "")
    if name.startswith("VARIATION SELECTOR"):
        return ""
    # œ, ø, ł, ı, ð: letters that no decomposition takes apart
    return anyascii(letter).lower() if name.startswith("LATIN") else letter


def words(text: str) -> list[str]:
    """The words of a text: « Élodie D'Hondt » gives ``elodie``, ``d``, ``hondt``."""
    plain = text if text.isascii() else anyascii(unaccented(text))
    return _OTHERS.sub(" ", plain.lower()).split()


def name_words(name: str) -> list[str]:
    """The words of a name, and all in one: « D'Hondt » is typed « dhondt », too."""
    parts = words(name)
    return [*parts, "".join(parts)] if len(parts) > 1 else parts


def sound(word: str) -> str:
    """What stays of a word that was misheard, mistyped, or written without vowels (as in Arabic).

    « Dubios » and « Dubois » share theirs, and so do « Youssef », « Yusuf » and « يوسف ». Empty
    for a word that is too short, or is no word.
    """
    if len(word) < _SHORTEST_WITH_SOUND or not word.isalpha():
        return ""
    for written, heard in _LIKE_OTHERS:
        word = word.replace(written, heard)
    first = "a" if _VOWELS.match(word) else ""
    heard = first + _DOUBLED.sub(r"\1", _VOWELS.sub("", word))
    return SOUND + heard if len(heard) > 1 else ""
