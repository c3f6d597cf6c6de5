"""The words by which the desk's search finds somebody, as one line of text."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from idp.people.normalise import name_words, sound, words

BEHIND: Final = "|"
"""Stands between a guardian's own words and those of their children; nobody can type it."""

_PRIVATE_USE: Final = 0xE000


def place_of(school_id: str | None) -> str:
    """What stands for a school in an index of three characters each.

    Two schools might share theirs: it narrows a search down, and decides nothing.
    """
    if school_id is None:
        return ""
    digest = int.from_bytes(sha256(school_id.encode()).digest()[:5])
    return "".join(chr(_PRIVATE_USE + (digest >> shift & 0xFFF)) for shift in (0, 12, 24))


def of_guardian(account: Any, children: Iterable[Any], *, reachable: bool) -> str:
    """What a guardian is found by. ``reachable``: whether the school may know where to write to,
    and not only the name.
    """
    own = [*name_words(account.family_name), *name_words(account.given_name)]
    own += words(account.username)
    own += words(account.email or "") if reachable else []
    text = _line(own, _heard(account))
    theirs = dict.fromkeys(word for child in children for word in _of_child(child))
    return f"{text}{BEHIND} {' '.join(theirs)} " if theirs else text


def of_pupil(child: Any) -> str:
    """What a pupil is found by."""
    return _line([*_of_child(child), *words(child.sourced_id or "")], _heard(child))


def _of_child(child: Any) -> list[str]:
    class_words = words(child.class_name) if child.left_at is None else []
    return [*name_words(child.family_name), *name_words(child.given_name), *class_words]


def _heard(person: Any) -> list[str]:
    both = (*words(person.family_name), *words(person.given_name))
    return [each for each in map(sound, both) if each]


def _line(own: list[str], heard: list[str]) -> str:
    """The words with single spaces between them and around them."""
    return f" {' '.join(dict.fromkeys([*own, *heard]))} "
