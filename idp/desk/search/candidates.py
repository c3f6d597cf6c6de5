"""Looks words up in the directory, within a scope: as they are typed, and as they may be meant,
with how near each comes to what was typed.

SQLite narrows down by its index of three letters each (``directory_index``), PostgreSQL by the
one behind LIKE; then every piece is compared with the text itself. What is compared comes from
``people.normalise``, which lets nothing through but a–z, 0–9, and our own marks (rule A7).
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    column,
    func,
    or_,
    select,
    table,
    text,
    union_all,
)

from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import SchoolScope
from idp.people.normalise import SOUND, sound
from idp.people.search_index import DirectoryEntry
from idp.people.search_texts import BEHIND, place_of

_LINE: Final = DirectoryEntry.__table__.c
_COLUMNS: Final = (
    _LINE.kind,
    func.coalesce(_LINE.account_id, _LINE.child_id).label("person_id"),
    _LINE.school_id,
    _LINE.text,
)
_INDEX: Final = table("directory_index", column("rowid"))
_FEW_SCHOOLS: Final = 8
"""Whose lines are read one by one by the index of schools, whatever the words."""
_GRAM: Final = 3
"""Characters of each entry of the indexes behind LIKE and MATCH."""
_SHORTEST_MEANT: Final = 4
"""Shorter words are taken as they are: every other word is near « 3B »."""

Pieces = tuple[str, ...]
"""Parts of a text, at least one of which it must have; each of three characters or more."""
Reading = Callable[[str], Pieces]
Has = Callable[[str], ColumnElement[bool]]
"""The condition that a line has a piece."""


class Entry(NamedTuple):
    """A line of the directory."""

    kind: str
    person_id: str
    school_id: str | None
    text: str


def find(
    words: Sequence[str],
    reading: Reading,
    school_scope: SchoolScope,
    *,
    most: int,
    kind: str | None = None,
) -> list[Entry]:
    """Up to ``most`` entries that have all these words as ``reading`` takes them, in no order.

    ``kind``: of this kind only.
    """
    wanted = [reading(word) for word in words]
    query: Any = select(*_COLUMNS)
    if kind is not None:
        query = query.where(_LINE.kind == kind)
    if db.engine.dialect.name == "sqlite":
        # Not by the index of schools: SQLite would ask the other one for each line of the school
        school_id = func.coalesce(_LINE.school_id, "")
        query = _narrowed(query.where(scope.at(school_scope, school_id)), wanted, school_scope)
        query = _having(query, wanted, _has).limit(most)
    else:
        query = query.where(scope.at(school_scope, _LINE.school_id))
        if not school_scope.everywhere and len(school_scope.school_ids) <= _FEW_SCHOOLS:
            query = _having(query, wanted, _has_in_school).limit(most)
        else:
            query = _by_piece(query, wanted, most)
    return list(dict.fromkeys(map(Entry._make, db.session.execute(query).all())))


def _by_piece(query: Select[Any], wanted: list[Pieces], most: int) -> Any:
    """An answer of its own for each piece of the most telling word, of bounded length: PostgreSQL
    stops as soon as it has so many, where it would gather all that have any of the pieces.
    """
    telling = max(range(len(wanted)), key=lambda place: len(wanted[place][0]))
    pieces = wanted[telling]
    each = [
        _having(query, [*wanted[:telling], (piece,), *wanted[telling + 1 :]], _has_by_index)
        for piece in pieces
    ]
    if len(wanted) == 1:
        # PostgreSQL walks along until it has so many of a common word: from the same end each time,
        # while a walk through the table itself may begin in its midst, at each page elsewhere. Of
        # several words it would take a walk for short that is none; their index has one order, too.
        each = [part.order_by(_LINE.id) for part in each]
    each = [part.limit(most // len(pieces)) for part in each]
    return union_all(*each) if len(each) > 1 else each[0]


def _having(query: Select[Any], wanted: list[Pieces], has: Has) -> Select[Any]:
    return query.where(*(or_(*map(has, pieces)) for pieces in wanted))


def _has(piece: str) -> ColumnElement[bool]:
    return _LINE.text.like(f"%{piece}%")


def _has_in_school(piece: str) -> ColumnElement[bool]:
    """What no index answers: PostgreSQL would look through everybody of that name first."""
    return _LINE.text.concat("").like(f"%{piece}%")


def _has_by_index(piece: str) -> ColumnElement[bool]:
    """By the letters alone, then by the mark before them too: nearly every line has a word that
    begins with « d », and PostgreSQL would go through all of these beside those with « dub ».
    """
    letters = piece.lstrip(f" {SOUND}")
    if letters == piece or len(letters) < _GRAM:
        return _has(piece)
    return and_(_has(letters), func.strpos(_LINE.text, piece) > 0)


def as_typed(word: str) -> Pieces:
    """The word, or the beginning of one; a single character stands for itself alone."""
    return (f" {word}",) if len(word) > 1 else (f" {word} ",)


def anywhere(word: str) -> Pieces:
    """The middle of a word, too: part of an address."""
    return (word,) if len(word) > 2 else as_typed(word)


def as_meant(word: str) -> Pieces:
    """What a word with a slip in it still shares with the right one.

    A slip is in one half of the word, so that the other is right; or the word sounds the same.
    """
    if len(word) < _SHORTEST_MEANT or not word.isalpha():
        return as_typed(word)
    half = len(word) // 2
    heard = sound(word)
    return (
        f" {word}",
        f" {word[:half]}",
        f"{word[half:]} ",
        *((f"{heard} ",) if heard else ()),
    )


def _narrowed(query: Select[Any], wanted: list[Pieces], school_scope: SchoolScope) -> Select[Any]:
    every = [_any(pieces) for pieces in wanted]
    if not school_scope.everywhere:
        every.append(_any([place_of(school_id) for school_id in sorted(school_scope.school_ids)]))
    return query.join(_INDEX, _INDEX.c.rowid == _LINE.id).where(
        text("directory_index MATCH :match").bindparams(match=" AND ".join(every))
    )


def _any(pieces: Sequence[str]) -> str:
    return f"({' OR '.join(_grams(piece) for piece in pieces)})"


def _grams(piece: str) -> str:
    """The three characters each that a text with this piece has."""
    grams = dict.fromkeys(piece[start : start + 3] for start in range(len(piece) - 2))
    return "(" + " AND ".join(f'"{gram}"' for gram in grams) + ")"


_FAR: Final = 99
_SLIPS: Final = ((4, 0), (6, 1), (9, 2))
"""A word of fewer letters than this may have so many slips; a longer one three."""
_TELLING: Final = 4
"""A sound of so many characters, its mark included, tells enough by itself."""


def nearest(entries: Sequence[Entry], wanted: Sequence[str]) -> list[Entry]:
    """The entries in which each word is nearly there: the nearest first, and of these the ones
    who are called so themselves before those whose child is.
    """
    lines = [(entry, entry.text.split()) for entry in entries]
    known = list({word for _entry, line in lines for word in line})
    costs = [_costs(word, known) for word in wanted]
    ranked = []
    for entry, line in lines:
        own = line[: line.index(BEHIND)] if BEHIND in line else line
        by_own = by_all = _cost(costs, own)
        if own is not line:
            by_all = min(by_own, _cost(costs, line))
        if by_all < _FAR:
            ranked.append((by_all, by_all < by_own, entry.text, entry.person_id, entry))
    return [row[-1] for row in sorted(ranked, key=itemgetter(0, 1, 2, 3))]


def _cost(costs: list[dict[str, int]], words: list[str]) -> int:
    """The least by which these words differ from what was typed; ``_FAR`` where one is missing."""
    total = 0
    for cost in costs:
        near = [cost[word] for word in words if word in cost]
        if not near:
            return _FAR
        total += min(near)
    return min(total, _FAR)


def _costs(typed: str, known: list[str]) -> dict[str, int]:
    """How far each of the known words is from the typed one; those that are near alone."""
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    slips, heard = _slips(typed), sound(typed)
    costs = {}
    if slips:
        near = process.extract(typed, known, scorer=OSA.distance, score_cutoff=slips, limit=None)
        costs = {word: int(distance) for word, distance, _ in near if word[:1] != SOUND}
    if len(heard) >= _TELLING:
        costs[heard] = slips + 1  # the lines hold the sounds of their names
    return costs | {word: 0 for word in known if word.startswith(typed)}


def _slips(word: str) -> int:
    if not word.isalpha():
        return 0
    return next((slips for longer, slips in _SLIPS if len(word) < longer), 3)
