"""Detects the encoding of a CSV file from its content, because no CSV file names it.

UTF-8 and UTF-16 are recognised for certain. Spreadsheets also write one-byte encodings: « CSV »,
« CSV (MS-DOS) », « CSV (Macintosh) ». Of these we choose the one in which the file's letters are
letters of names, at places where names have them: « Léger », not « L‚ger » or « LŽger ». Libraries
that use the statistics of whole texts see too few letters in a list of names.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from typing import IO, Final

UTF_8: Final = "utf-8-sig"
OF_ONE_BYTE: Final = ("cp1252", "cp850", "mac_roman")
CHOICES: Final = ("utf-8", "utf-16", *OF_ONE_BYTE)
"""What a person may choose."""

_LOOKED_AT: Final = 64 * 1024
_PIECE: Final = 1024**2
_MOST_WORDS: Final = 5_000
_WORD: Final = re.compile(rb"[A-Za-z'\x80-\xff-]*[\x80-\xff][A-Za-z'\x80-\xff-]*")

_OFTEN: Final = {
    **dict.fromkeys("éÉ", 6.0),
    **dict.fromkeys("èëçêüöäïÈËÇÊÜÖÄÏ", 4.0),
    **dict.fromkeys("ôîâàßáíóúñøåôûÔÎÂÀÁÍÓÚÑØÅÛ", 2.5),
    **dict.fromkeys("ãõìòùýœæšžŠŽÿŸŒÆ", 1.0),
}
"""How much a letter speaks for an encoding: as often as names of our languages hold it."""
_BESIDE_NAMES: Final = "’‘'«»“”„–—°ºª·´`…€§\u00a0"
_MISPLACED: Final = -8.0
_NO_LETTER: Final = -10.0


def detect_encoding(opened: Callable[[], IO[bytes]], chosen: str | None = None) -> str:
    """The encoding by Python's name; ``chosen``: what somebody says it is."""
    with opened() as stream:
        first = stream.read(_LOOKED_AT)
        if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if zeros := _zeros(first):
            return zeros
        if chosen and chosen != "utf-16":
            return UTF_8 if chosen == "utf-8" else chosen
        if _is_utf_8(first, stream):
            return UTF_8
    with opened() as stream:
        return _best(_words(stream))


def _zeros(first: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of our letters is zero."""
    start = first[:200]
    if start[1::2].count(0) > len(start) // 4:
        return "utf-16-le"
    return "utf-16-be" if start[::2].count(0) > len(start) // 4 else None


def _is_utf_8(first: bytes, rest: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = first
    try:
        while chunk:
            decoder.decode(chunk)
            chunk = rest.read(_PIECE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _words(stream: IO[bytes]) -> Counter[bytes]:
    """Words with letters beyond ASCII; the first thousands say enough."""
    words: Counter[bytes] = Counter()
    while len(words) < _MOST_WORDS and (chunk := stream.read(_PIECE)):
        words.update(_WORD.findall(chunk))
    return words


def _best(words: Counter[bytes]) -> str:
    # A file that is UTF-8 but for a broken cell is UTF-8; of equals, the first
    candidates = (UTF_8, *OF_ONE_BYTE)
    scores = {name: sum(_score(word, name) for word in words) for name in candidates}
    best = max(scores.values())
    return next(name for name in ("cp1252", *candidates) if scores[name] == best)


def _score(word: bytes, encoding: str) -> float:
    text = unicodedata.normalize("NFC", word.decode(encoding, errors="replace"))
    return sum(_of_letter(text, place) for place, c in enumerate(text) if not c.isascii())


def _of_letter(text: str, place: int) -> float:
    letter = text[place]
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if not letter.isalpha():
        between = before.isalpha() and after.isalpha()
        beside = letter in _BESIDE_NAMES and (letter in "’‘´`·" or not between)
        return 0.0 if beside else _NO_LETTER
    if letter.isupper() and before.islower():
        return _MISPLACED
    if letter.isupper() and before.isupper() and after.islower():
        return _MISPLACED  # « LÇger »
    if letter.islower() and before.isupper() and after.isupper() and letter != "ß":
        return _MISPLACED
    return _OFTEN.get(letter, -2.0)
