"""How near lines of the directory come to what was typed."""

from collections.abc import Sequence
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import OSA

from idp.desk.search.candidates import Entry
from idp.people.normalise import SOUND, sound
from idp.people.search_index import BEHIND

_FAR: Final = 99
_SLIPS: Final = ((4, 0), (6, 1), (9, 2))
"""A word of fewer letters than this may have so many slips; a longer one three."""
_TELLING: Final = 4
"""A sound of so many characters, its mark included, tells enough by itself."""


def nearest(entries: Sequence[Entry], wanted: Sequence[str]) -> list[Entry]:
    """The entries in which each word is nearly there: the nearest first, and of these the ones
    who are called so themselves before those whose child is.
    """
    known = list({word for entry in entries for word in entry.text.split()})
    costs = [_costs(word, known) for word in wanted]
    ranked = []
    for entry in entries:
        own, _, theirs = entry.text.partition(BEHIND)
        by_own = _cost(costs, own.split())
        by_all = min(by_own, _cost(costs, [*own.split(), *theirs.split()]))
        if by_all < _FAR:
            ranked.append((by_all, by_all < by_own, entry.text, entry.person_id, entry))
    return [row[-1] for row in sorted(ranked, key=lambda row: row[:-1])]


def _cost(costs: list[dict[str, int]], words: list[str]) -> int:
    """The least by which these words differ from what was typed; ``_FAR`` where one is missing."""
    each = [min((cost[word] for word in words if word in cost), default=_FAR) for cost in costs]
    return min(sum(each), _FAR)


def _costs(typed: str, known: list[str]) -> dict[str, int]:
    """How far each of the known words is from the typed one; those that are near alone."""
    slips, heard = _slips(typed), sound(typed)
    found = {}
    if slips:
        near = process.extract(typed, known, scorer=OSA.distance, score_cutoff=slips, limit=None)
        found = {word: int(distance) for word, distance, _ in near if word[:1] != SOUND}
    if len(heard) >= _TELLING:
        found[heard] = slips + 1  # the lines hold the sounds of their names
    return found | {word: 0 for word in known if word.startswith(typed)}


def _slips(word: str) -> int:
    if not word.isalpha():
        return 0
    return next((slips for longer, slips in _SLIPS if len(word) < longer), 3)
