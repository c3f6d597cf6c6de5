"""Finds the header of a list by its words, whatever stands above it.

School software writes titles, dates and empty lines above the table, and headers of two lines
(« Élève » over « Nom », « Prénom »). A person may also say which line it is.
"""

from dataclasses import dataclass, replace
from typing import Final

from idp.roster import guessing
from idp.roster.records import Unusable

LOOKED_AT: Final = 40
"""Lines of which one is the header."""
_LEAST_WORDS: Final = 2
_MOST_CELLS: Final = 200

Line = tuple[int, list[str]]
"""A line's number and its cells."""


@dataclass(frozen=True)
class Header:
    """A header: which lines, and its words for each column."""

    first: int
    last: int
    words: list[str]
    known: int = 0
    """How many of the words are known."""
    lines: tuple[list[str], ...] = ()
    """Of a header of several lines, each."""

    def repeats(self, cells: list[str]) -> bool:
        """Whether a row is the header once more, as at the top of each printed page."""
        row = _trimmed(cells)
        filled = [cell for cell in row if cell]
        known = (self.words, *map(_trimmed, self.lines))
        return len(filled) >= _LEAST_WORDS and any(row == each[: len(row)] for each in known)


def _trimmed(cells: list[str]) -> list[str]:
    row = [cell.strip() for cell in cells]
    while row and not row[-1]:
        row.pop()
    return row


def find_header(name: str, lines: list[Line], wanted: tuple[int, int] | None = None) -> Header:
    """The header among the first lines; raises ``Unusable`` where there is none."""
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if not filled:
        raise Unusable("empty", file=name)
    if wanted:
        return _wanted(name, filled, wanted)
    scores = [known(cells) for _, cells in filled]
    best = max(scores)
    if best < _LEAST_WORDS:
        return _checked(name, *_widest(filled), best)
    at = scores.index(best)
    number, cells = filled[at]
    if at and _is_over(filled[at - 1][1]):
        above, upper = filled[at - 1]
        whole = _checked(name, above, number, _joined(upper, cells), best)
        return replace(whole, lines=(upper, cells))
    return _checked(name, number, number, cells, best)


def _wanted(name: str, filled: list[Line], wanted: tuple[int, int]) -> Header:
    first, last = wanted
    chosen = [cells for number, cells in filled if first <= number <= last]
    if not chosen:
        raise Unusable("no_header", file=name, line=first)
    words = chosen[0]
    for lower in chosen[1:]:
        words = _joined(words, lower)
    lines = tuple(chosen) if len(chosen) > 1 else ()
    return replace(_checked(name, first, last, words, known(words)), lines=lines)


def _widest(filled: list[Line]) -> tuple[int, int, list[str]]:
    """The first line that is about as wide as the table: no word of it is known."""
    width = max(sum(map(bool, cells)) for _, cells in filled)
    for number, cells in filled:
        if sum(map(bool, cells)) * 2 >= width:
            return number, number, cells
    raise AssertionError("one line is the widest")


def known(cells: list[str]) -> int:
    """How many cells of a line are words that headers use."""
    return sum(guessing.says_something(cell) for cell in cells[:_MOST_CELLS] if cell)


def _is_over(cells: list[str]) -> bool:
    """Whether a line names people over the columns of another: « Élève », « Responsable 1 »."""
    filled = [cell for cell in cells if cell]
    return len(filled) >= _LEAST_WORDS and sum(map(guessing.is_person, filled)) * 2 >= len(filled)


def _joined(upper: list[str], lower: list[str]) -> list[str]:
    """Two lines as one: what stands above holds for the columns to its right, too."""
    words, over = [], ""
    for place in range(max(len(upper), len(lower))):
        above = upper[place].strip() if place < len(upper) else ""
        below = lower[place].strip() if place < len(lower) else ""
        over = above or over
        words.append(f"{over} {below}".strip() if below else above)
    return words


def checked(name: str, last: int, words: list[str]) -> Header:
    """The header of a table whose first line it is; raises ``Unusable``."""
    return _checked(name, 1, last, words, 0)


def _checked(name: str, first: int, last: int, cells: list[str], count: int) -> Header:
    words = [cell.strip().lstrip("\ufeff") for cell in cells]
    named = [word for word in words if word]
    if len(set(named)) < len(named):
        twice = next(word for word in named if named.count(word) > 1)
        raise Unusable("column_twice", file=name, column=twice[:40])
    return Header(first, last, words, count)
