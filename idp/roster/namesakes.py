"""Decides whether rows of one name, in a list without numbers, are one pupil or several; and finds
names of classes that seem one.

In a list with a row for each pupil, a second row of one name and class with other guardians is
another pupil, for certain. In a list with a row for each guardian it is mostly the same pupil.
Where neither is certain, somebody is asked (security rule N2).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from idp.people.names import sort_key
from idp.roster.records import Row

Key = tuple[str, str]
"""A pupil's name key and class."""

_FEW: Final = 5
_SHARE: Final = 0.2
"""Where at least so many pupils, and so large a part, have several rows, it is a list with a row
for each guardian."""
_MOST_PARENTS: Final = 2


@dataclass(frozen=True)
class Reads:
    """How a row is read: the pupil's name key, the class, and its guardians.

    A guardian is a name key and, where the list says it, whether mother or father.
    """

    pupil: Callable[[Row], str | None]
    class_name: Callable[[Row], str]
    guardians: Callable[[Row], tuple[Key, ...]]
    per_pupil: bool
    """Whether a row has room for several guardians: then it is a whole pupil."""


@dataclass(frozen=True)
class Namesakes:
    """Which names need more than themselves to say who is meant."""

    in_classes: frozenset[str] = frozenset()
    """Names that stand in several classes: there the class is part of who it is."""
    apart: frozenset[Key] = frozenset()
    """Rows of these are pupils of their own, known by their guardians."""
    doubtful: frozenset[Key] = frozenset()
    """Rows of these too, unless somebody says that they are one pupil."""
    joined: frozenset[Key] = frozenset()
    """Rows of these are one pupil's."""


@dataclass
class _Rows:
    guardians: list[tuple[Key, ...]] = field(default_factory=list)


def find_namesakes(rows: Callable[[], Iterator[Row]], reads: Reads) -> Namesakes:
    """Look through a list for names that stand in it more than once; again only if there are."""
    classes: dict[str, str] = {}
    several: set[str] = set()
    counted: Counter[Key] = Counter()
    for row in rows():
        if name := reads.pupil(row):
            class_name = reads.class_name(row)
            counted[name, class_name] += 1
            if classes.setdefault(name, class_name) != class_name:
                several.add(name)
    twice = {key for key, count in counted.items() if count > 1}
    if not twice:
        return Namesakes(frozenset(several))
    repeated: dict[Key, _Rows] = {key: _Rows() for key in twice}
    for row in rows():
        key = (reads.pupil(row) or "", reads.class_name(row))
        if key in repeated:
            repeated[key].guardians.append(reads.guardians(row))
    differing = {key: each for key, each in repeated.items() if len(set(each.guardians)) > 1}
    pairs = not reads.per_pupil and len(differing) >= max(_FEW, _SHARE * len(counted))
    verdicts = {key: _verdict(each.guardians, reads, pairs) for key, each in differing.items()}

    def judged(verdict: str) -> frozenset[Key]:
        return frozenset(key for key, each in verdicts.items() if each == verdict)

    return Namesakes(frozenset(several), judged("apart"), judged("asked"), judged("joined"))


def _verdict(guardians: list[tuple[Key, ...]], reads: Reads, pairs: bool) -> str:
    named = [{name for name, _ in each} for each in guardians]
    if reads.per_pupil:
        together = any(one & other for at, one in enumerate(named) for other in named[:at])
        return "asked" if together or not all(named) else "apart"
    words = [word for each in guardians for _, word in each if word]
    fits = len(guardians) <= _MOST_PARENTS and len(set(words)) == len(words)
    return "joined" if pairs and fits else "asked"


_ORDINAL = re.compile(r"(?<=\d)\s?(ieme|eme|ere|er|e|de|ste|th|st|nd|rd|\.)(?=\s+[a-z0-9])")


def key(name: str) -> str:
    """What two spellings of one class share."""
    return re.sub(r"[^a-z0-9]+", "", _ORDINAL.sub("", " ".join(sort_key(name).split())))


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that seem to be one class."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        if name_key := key(name):
            groups.setdefault(name_key, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
