"""Looks words up in the directory, within a reach: as they are typed, and as they may be meant.

SQLite narrows down by its index of three letters each (``directory_index``), PostgreSQL by the
one behind LIKE; then every piece is compared with the text itself. What is compared comes from
``people.normalise``, which lets nothing through but a–z, 0–9, and our own marks (rule A7).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, column, func, or_, select, table, text

from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Reach
from idp.people.normalise import sound
from idp.people.search_index import DirectoryEntry, place_of

_INDEX: Final = table("directory_index", column("rowid"))
_SHORTEST_MEANT: Final = 4
"""Shorter words are taken as they are: every other word is near « 3B »."""

Pieces = tuple[str, ...]
"""Parts of a text, at least one of which it must have; each of three characters or more."""
Reading = Callable[[str], Pieces]


@dataclass(frozen=True)
class Entry:
    """A line of the directory."""

    kind: str
    person_id: str
    school_id: str | None
    text: str


def find(
    words: Sequence[str],
    reading: Reading,
    reach: Reach,
    *,
    most: int,
    kind: str | None = None,
) -> list[Entry]:
    """Up to ``most`` entries that have all these words as ``reading`` takes them, in no order.

    ``kind``: of this kind only.
    """
    wanted = [reading(word) for word in words]
    query: Any = select(
        DirectoryEntry.kind,
        DirectoryEntry.account_id,
        DirectoryEntry.child_id,
        DirectoryEntry.school_id,
        DirectoryEntry.text,
    ).where(*(_has(pieces) for pieces in wanted))
    if kind is not None:
        query = query.where(DirectoryEntry.kind == kind)
    if db.engine.dialect.name == "sqlite":
        # Not by the index of schools: SQLite would ask the other one for each line of the school
        here = func.coalesce(DirectoryEntry.school_id, "")
        query = _narrowed(query.where(scope.at(reach, here)), wanted, reach)
    else:
        query = query.where(scope.at(reach, DirectoryEntry.school_id))
    rows = db.session.execute(query.limit(most))
    return [
        Entry(row.kind, row.account_id or row.child_id, row.school_id, row.text) for row in rows
    ]


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


def _has(pieces: Pieces) -> ColumnElement[bool]:
    return or_(*(DirectoryEntry.text.like(f"%{piece}%") for piece in pieces))


def _narrowed(query: Select[Any], wanted: list[Pieces], reach: Reach) -> Select[Any]:
    every = [_any(pieces) for pieces in wanted]
    if not reach.everywhere:
        every.append(_any([place_of(school_id) for school_id in sorted(reach.school_ids)]))
    return query.join(_INDEX, _INDEX.c.rowid == DirectoryEntry.id).where(
        text("directory_index MATCH :match").bindparams(match=" AND ".join(every))
    )


def _any(pieces: Sequence[str]) -> str:
    return f"({' OR '.join(_grams(piece) for piece in pieces)})"


def _grams(piece: str) -> str:
    """The three characters each that a text with this piece has."""
    grams = dict.fromkeys(piece[start : start + 3] for start in range(len(piece) - 2))
    return "(" + " AND ".join(f'"{gram}"' for gram in grams) + ")"
