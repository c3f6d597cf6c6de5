"""Whether a row of a file is about the person whom its id meant before: one pure decision.

A file is one witness, and its ids are the file's own word. They are believed where something else
agrees: the name, and for a guardian the address and the children, for a pupil the class and the
guardians. Where these speak against the id, a person is asked (security rule N2).
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import Final

from idp.people.normalise import comparable, words

_ALIKE: Final = 0.8
"""« Dubios » and « Dubois » are alike (0.83); « Lina » and « Lena », or « Anna » and « Anne », may
be sisters (0.75)."""

_SLIP: Final = 0.9


class Name(Enum):
    """How a full name and another one go together."""

    SAME = "same"
    ALIKE = "alike"
    """A slip, a part more or less, or the two names exchanged."""
    SAME_GIVEN = "given"
    """Another family name, as after a marriage."""
    SAME_FAMILY = "family"
    """Another given name: a brother, a wife."""
    OTHER = "other"


class Says(Enum):
    """What a witness says."""

    SAME = "same"
    OTHER = "other"
    NOTHING = "nothing"
    """The file, or what we know, is silent about it."""


@dataclass(frozen=True)
class Witnesses:
    """What speaks for and against an id.

    ``place``: a guardian's address, a pupil's class. ``company``: a guardian's children, a
    pupil's guardians. ``is_anothers``: the name in the row is that of somebody else at this
    school. ``claimed``: somebody has made the account theirs.
    """

    name: Name
    place: Says = Says.NOTHING
    company: Says = Says.NOTHING
    is_anothers: bool = False
    claimed: bool = False


def is_guardian(seen: Witnesses) -> bool:
    """Whether a row with a guardian's id is about that guardian; false: somebody is asked."""
    place, company = seen.place, seen.company
    against = place is Says.OTHER and company is Says.OTHER
    match seen.name:
        case Name.SAME:
            return not against
        case _ if seen.is_anothers:
            return False
        case Name.ALIKE:
            return not against
        case Name.SAME_GIVEN:  # an address *and* children, or one of them and nothing against it
            if Says.OTHER in (place, company):
                return Says.SAME in (place, company)
            return True
    # Another given name is another person, unless nobody has the account yet and the mail for it
    # goes where it went
    return not seen.claimed and place is Says.SAME and company is not Says.OTHER


def is_pupil(seen: Witnesses) -> bool:
    """Whether a row with a pupil's id is about that pupil; false: somebody is asked."""
    place, company = seen.place, seen.company
    match seen.name:
        case Name.SAME:
            return not (place is Says.OTHER and company is Says.OTHER)
        case _ if seen.is_anothers:
            return False
        case Name.ALIKE:
            return company is not Says.OTHER
        case Name.SAME_GIVEN:
            return company is Says.SAME or (company is Says.NOTHING and place is not Says.OTHER)
    # Brothers and sisters share their guardians, and not their class
    return company is Says.SAME and place is not Says.OTHER


def compare_places(theirs: str | None, ours: str | None) -> Says:
    """How the file's address, or class, and ours go together."""
    if not theirs or not ours:
        return Says.NOTHING
    return Says.SAME if theirs == ours else Says.OTHER


def compare_names(given_name: str, family_name: str, other_given: str, other_family: str) -> Name:
    """How two full names go together, whatever their script."""
    ours, theirs = (given_name, family_name), (other_given, other_family)
    if [comparable(each) for each in ours] == [comparable(each) for each in theirs]:
        return Name.SAME
    one, other = _words(f"{given_name} {family_name}", f"{other_given} {other_family}")
    if sorted(one) == sorted(other):
        return Name.ALIKE
    given_alike, family_alike = _alike(given_name, other_given), _alike(family_name, other_family)
    if given_alike and family_alike:
        return Name.ALIKE
    if given_alike:
        return Name.SAME_GIVEN
    return Name.SAME_FAMILY if family_alike else Name.OTHER


def compare(ours: set[str], theirs: set[str]) -> Says:
    """What two sets of keys say: something in common, nothing, or that is not certain because one
    is empty, or because a whole family's spelling was put right.
    """
    if not ours or not theirs:
        return Says.NOTHING
    if not ours.isdisjoint(theirs):
        return Says.SAME
    slips = any(
        SequenceMatcher(None, one, other).ratio() > _SLIP
        for one in ours
        for other in theirs
        if "|" in one and "|" in other
    )
    return Says.NOTHING if slips else Says.OTHER


def _alike(one: str, other: str) -> bool:
    first, second = _words(one, other)
    if not first or not second:
        return comparable(one) == comparable(other)
    if set(first) <= set(second) or set(second) <= set(first):
        return True  # « Dubois » and « Dubois-Maes », « Fatima » and « Fatima Zahra »
    return SequenceMatcher(None, "".join(first), "".join(second)).ratio() > _ALIKE


def _words(one: str, other: str) -> tuple[list[str], list[str]]:
    """The words of both as they can be compared: « Софія » is Sofiya, but 李 is not 黎 because
    both are Li.
    """
    if comparable(one).isascii() or comparable(other).isascii():
        return words(one), words(other)
    first, second = ([comparable(word) for word in each.split()] for each in (one, other))
    return first, second
