"""The one search box: guardians and pupils by whatever is typed, within the scope of who types.

Words are looked up as they are typed; where nobody has them, as part of other words; where still
nobody has them, as they may be meant. Every word must be there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from sqlalchemy import select

from idp.database import db
from idp.desk.access import scope
from idp.desk.access.rights import Right, SchoolScope, Staff
from idp.desk.people.person_rows import PUPIL, Person, listed
from idp.desk.search import candidates as directory
from idp.desk.search.candidates import Entry, nearest
from idp.people.models import Child
from idp.people.normalise import words
from idp.people.search_texts import BEHIND

MOST: Final = 1_000
"""So many people are looked at; who has more before them types another word."""
CANDIDATES: Final = 2_000
"""So many lines are compared letter by letter with what was typed."""
NEAREST: Final = 100
"""So many who come near are shown: whoever comes next is not meant."""
PER_PAGE: Final = 25
LONGEST: Final = 100
_MOST_WORDS: Final = 8
_LONGEST_WORD: Final = 32


@dataclass(frozen=True)
class SearchResult:
    """A page of whom somebody may have meant, the likeliest first."""

    people: list[Person]
    total: int
    """How many were found; at most ``MOST``."""
    cut: bool
    """Whether there are more than that."""
    near: bool
    """Nobody has the words as they were typed: these come near."""
    page: int
    pages: int


def find(staff: Staff, text: str, *, page: int = 1, kind: str | None = None) -> SearchResult:
    """The people that ``text`` may mean: names, e-mail, user name, class, pupil's number.

    Any text will do; of a long one the beginning counts. ``page`` counts from 1; one that is
    not there is the last. ``kind``: ``person_rows.PUPIL`` or ``GUARDIAN``, of these only.
    """
    school_scope = staff.school_scope(Right.LOOK_UP)
    wanted = _words(text)
    if not wanted or not school_scope.any:
        return SearchResult([], 0, cut=False, near=False, page=1, pages=1)
    entries, cut, near = _entries(wanted, school_scope, kind)
    likeliest = _one_for_each_person(entries)
    pages = max(1, -(-len(likeliest) // PER_PAGE))
    page = min(max(page, 1), pages)
    shown = likeliest[(page - 1) * PER_PAGE : page * PER_PAGE]
    return SearchResult(listed(shown, school_scope), len(likeliest), cut, near, page, pages)


def pupils(staff: Staff, text: str) -> list[Child]:
    """Pupils at school, where this person changes people, whom ``text`` may mean, the likeliest
    first.
    """
    ids = [each.id for each in find(staff, text, kind=PUPIL).people]
    in_scope = scope.children(staff.school_scope(Right.CHANGE_PEOPLE))
    query = select(Child).where(in_scope, Child.left_at.is_(None), Child.id.in_(ids))
    return sorted(db.session.scalars(query), key=lambda child: ids.index(child.id))


def _words(text: str) -> list[str]:
    """What is looked up: the words as the directory has them."""
    looked_up = dict.fromkeys(word[:_LONGEST_WORD] for word in words(text[:LONGEST]))
    return list(looked_up)[:_MOST_WORDS]


def _entries(
    wanted: list[str], school_scope: SchoolScope, kind: str | None
) -> tuple[list[Entry], bool, bool]:
    for reading in (directory.as_typed, directory.anywhere):
        matches = directory.find(wanted, reading, school_scope, most=MOST + 1, kind=kind)
        if matches:
            return _ranked(matches, wanted)[:MOST], len(matches) > MOST, False
    candidates = directory.find(
        wanted, directory.as_meant, school_scope, most=CANDIDATES, kind=kind
    )
    return nearest(candidates, wanted)[:NEAREST], False, True


def _ranked(entries: Iterable[Entry], wanted: Iterable[str]) -> list[Entry]:
    """First whose own words these are, then whose own begin so, then whose children's they are."""
    whole, begun = [f" {word} " for word in wanted], [f" {word}" for word in wanted]
    ranked = []
    for entry in entries:
        own = entry.text.partition(BEHIND)[0]
        if all(word in own for word in whole):
            rank = 0
        else:
            rank = 1 if all(word in own for word in begun) else 2
        ranked.append((rank, entry.text, entry.person_id, entry))
    return [row[-1] for row in sorted(ranked, key=itemgetter(0, 1, 2))]


def _one_for_each_person(entries: Iterable[Entry]) -> list[tuple[str, str]]:
    """Kind and id: an operator finds somebody of two schools once."""
    return list(dict.fromkeys((entry.kind, entry.person_id) for entry in entries))
