"""Guesses what each column of a list holds: from the words of its header, and from its first cells
where the words are not clear.

A column without a certain meaning is not read. Columns that we must not store – national numbers,
birth dates, addresses – are recognised so that they are left alone (rule C5).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from idp.roster import words as w
from idp.roster.mapping import MOST_GUARDIANS, PUPIL_FIELDS, Mapping

Cells = Sequence[dict[str, str]]
"""The first rows of a list, by the header's words."""

_LEAST_COUNTED: Final = 2
_LONGEST_HEADER: Final = 60


@dataclass(frozen=True)
class Completed:
    """A kept mapping with what was guessed beside it; ``new``: columns that it did not know."""

    mapping: Mapping
    new: tuple[str, ...] = ()


def is_private(name: str) -> bool:
    """Whether a column's header says that its cells are none of ours (rule C5)."""
    words = w.plain(name)
    return not w.EMAIL.search(words) and bool(w.NEVER.search(words) or w.ADDRESS.search(words))


def says_something(name: str) -> bool:
    """Whether the words are those of a header: read, or known to be none of ours."""
    if "@" in name or len(name) > _LONGEST_HEADER or not (words := w.plain(name)):
        return False
    if is_private(name) or is_person(name) or w.OTHERS.search(words):
        return True
    known = (w.EMAIL, w.RELATIONSHIP, w.PREFIX, w.MIDDLE)
    return any(each.search(words) for each in known) or _target(words, _Guardians()) is not None


def is_person(name: str) -> bool:
    """Whether a header says whom the columns below it are about: « Élève », « Responsable 1 »."""
    words = w.plain(name)
    patterns = (w.PUPIL, w.GUARDIAN, w.MOTHER, w.FATHER)
    rest = words
    for pattern in patterns:
        rest = pattern.sub(" ", rest)
    return rest != words and not w.FILLING.sub(" ", rest).split()


def guess(header: list[str], rows: Cells = ()) -> Mapping:
    """What the header's words say; ``rows``: the first ones, which tell row numbers from others."""
    people = _Guardians()
    targets = {name: _target(w.plain(name), people) for name in filter(None, header)}
    columns: dict[str, str] = {}
    for certain in (True, False):
        for name, target in targets.items():
            if target is None or target.certain is not certain or target.to in columns.values():
                continue
            if target.to.endswith(".number") and counts_rows(name, rows):
                continue
            columns[name] = target.to
    ordered = {name: columns[name] for name in targets if name in columns}
    unused = tuple(name for name in targets if name not in columns)
    return Mapping(_whole_names(ordered), people.constants(set(ordered.values())), unused)


def completed(kept: Mapping, header: list[str], rows: Cells = ()) -> Completed:
    """The kept mapping as far as it fits, and guesses for columns that it does not know."""
    known_columns = {name: at for name, at in kept.columns.items() if name in header}
    guessed = guess(header, rows)
    if not known_columns:
        return Completed(guessed)
    as_kept = _renumbered(guessed, known_columns)
    columns = dict(known_columns)
    known = {*kept.columns, *kept.unused}
    new = tuple(name for name in header if name and name not in known)
    for name in new:
        target = as_kept.get(name)
        if target and target not in columns.values():
            columns[name] = target
    targets = set(columns.values())
    constants = {
        target: word
        for target, word in {**_constants_as_kept(guessed, known_columns), **kept.constants}.items()
        if target not in targets and any(at.startswith(_whose(target)) for at in targets)
    }
    unused = tuple(name for name in header if name and name not in columns)
    return Completed(Mapping(columns, constants, unused), new)


def counts_rows(name: str, rows: Cells) -> bool:
    """Whether a column counts rows: 1, 2, 3… is the number of nobody (rule N2)."""
    words = w.plain(name)
    if w.ROW_NUMBER.search(words):
        return True
    if w.NUMBER.search(words):
        return False
    cells = [row.get(name, "").strip().rstrip(".") for row in rows]
    cells = [cell for cell in cells if cell]
    if len(cells) < _LEAST_COUNTED:
        return not w.PUPIL.search(words)  # « N° » and nothing that tells whose
    if not all(cell.isascii() and cell.isdigit() and len(cell) < 7 for cell in cells):
        return False
    counted = [int(cell) for cell in cells]
    steps = pairwise(counted)
    return counted[0] in {0, 1} and all(after in {1, before, before + 1} for before, after in steps)


def is_counter(name: str, rows: Cells) -> bool:
    """Whether a column would be a number, did it not count the rows."""
    words = w.plain(name)
    numbers = w.ROW_NUMBER.search(words) or w.NUMBER_MAYBE.search(words)
    return bool(numbers) and counts_rows(name, rows)


@dataclass(frozen=True)
class _Target:
    to: str
    certain: bool = True


class _Guardians:
    """Which guardian a column is about: by number, as mother or father, else the one before."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.current: int | None = None

    def of(self, words: str) -> int | None:
        if w.MOTHER.search(words):
            key = "mother"
        elif w.FATHER.search(words):
            key = "father"
        elif w.GUARDIAN.search(words):
            digit = re.search(r"[1-6]", words)
            key = f"guardian{digit[0] if digit else ''}"
        else:
            return None
        self.current = self._numbers.setdefault(key, len(self._numbers) + 1)
        return self.current

    def constants(self, targets: set[str]) -> dict[str, str]:
        """What « Nom mère » says of who that is, where no column says it."""
        return {
            f"guardian.{number}.relationship": key
            for key, number in self._numbers.items()
            if key in {"mother", "father"}
            and f"guardian.{number}.relationship" not in targets
            and any(target.startswith(f"guardian.{number}.") for target in targets)
        }


def _target(words: str, people: _Guardians) -> _Target | None:
    if w.LEFT.search(words):
        return _Target("pupil.left_on")
    email = w.EMAIL.search(words)
    if not email and (w.NEVER.search(words) or w.ADDRESS.search(words)):
        return None
    of_pupil = bool(w.PUPIL.search(words))
    number = None if of_pupil and not re.search(r"[1-6]", words) else people.of(words)
    if number is None and not of_pupil and (email or w.RELATIONSHIP.search(words)):
        number = people.current  # « Courriel », after the guardian's name
    if w.OTHERS.search(words) or w.MIDDLE.search(words):
        return None
    if number is None:
        return None if email else _of_pupil(words, of_pupil)
    if number > MOST_GUARDIANS:
        return None
    if email:
        return _Target(f"guardian.{number}.email")
    return _of_guardian(words, number)


def _of_guardian(words: str, number: int) -> _Target | None:
    for pattern in (w.GUARDIAN, w.MOTHER, w.FATHER):
        words = pattern.sub(" ", words)
    what, certain = _field(words)
    if what is None and not w.FILLING.sub(" ", words).split():
        what = "name"  # « Responsable 1 », and no more
    if what in {None, "class"}:
        return None
    return _Target(f"guardian.{number}.{what}", certain)


def _of_pupil(words: str, named: bool) -> _Target | None:
    words = w.PUPIL.sub(" ", words) if not w.NUMBER.search(words) else words
    what, certain = _field(words)
    if what is None and named and not w.FILLING.sub(" ", words).split():
        what = "name"
    return _Target(f"pupil.{what}", certain) if what in PUPIL_FIELDS else None


def _field(words: str) -> tuple[str | None, bool]:
    """What a column holds of a person, and whether its words are certain."""
    words = " ".join(words.split())
    if w.RELATIONSHIP.search(words):
        return "relationship", True
    if w.PREFIX.search(words):
        return "prefix", True
    if w.CLASS.search(words):
        return "class", True
    if w.NAMES["name"].search(words):
        return "name", True
    for what in ("given", "family"):
        if w.NAMES[what].search(words):
            return what, words != "name" and not w.FEW_LETTERS.search(words)
    if w.NUMBER.search(words):
        return "number", True
    if w.CLASS_MAYBE.search(words):
        return "class", False
    return ("number", False) if w.NUMBER_MAYBE.search(words) else (None, False)


def _whole_names(columns: dict[str, str]) -> dict[str, str]:
    """« Nom » without « Prénom » holds both; « Mother » beside « Mother_First » the family's."""
    targets = set(columns.values())

    def whole(target: str) -> str:
        whose = _whose(target)
        if target == f"{whose}family" and f"{whose}given" not in targets:
            return f"{whose}name" if f"{whose}name" not in targets else target
        if target == f"{whose}name" and f"{whose}given" in targets:
            return f"{whose}family" if f"{whose}family" not in targets else target
        return target

    return {name: whole(target) for name, target in columns.items()}


def _whose(target: str) -> str:
    return target.rpartition(".")[0] + "."


def _renumbered(guessed: Mapping, kept: dict[str, str]) -> dict[str, str]:
    """The guess, with the guardians' numbers of the kept mapping."""
    numbers = _numbers(guessed, kept)
    columns = {}
    for name, target in guessed.columns.items():
        whose = _whose(target)
        if whose == "pupil." or whose in numbers:
            columns[name] = numbers.get(whose, whose) + target.rpartition(".")[2]
    return columns


def _numbers(guessed: Mapping, kept: dict[str, str]) -> dict[str, str]:
    """« guardian.1. » of the guess → what the kept mapping calls the same person."""
    same = {
        _whose(target): _whose(kept[name])
        for name, target in guessed.columns.items()
        if name in kept and target.startswith("guardian.") and kept[name].startswith("guardian.")
    }
    free = [
        f"guardian.{number}."
        for number in range(1, MOST_GUARDIANS + 1)
        if not any(at.startswith(f"guardian.{number}.") for at in kept.values())
    ]
    others = {_whose(at) for at in guessed.columns.values() if at.startswith("guardian.")}
    return {**dict(zip(sorted(others - set(same)), free, strict=False)), **same}


def _constants_as_kept(guessed: Mapping, kept: dict[str, str]) -> dict[str, str]:
    numbers = _numbers(guessed, kept)
    return {
        numbers[_whose(target)] + target.rpartition(".")[2]: word
        for target, word in guessed.constants.items()
        if _whose(target) in numbers
    }
