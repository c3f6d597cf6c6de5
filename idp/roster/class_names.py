"""Names of classes that seem one, written in several ways: « 3B », « 3 B », « 3b », « 3ème B »."""

import re
from collections.abc import Iterable

from idp.people.names import sort_key

_ORDINAL = re.compile(r"(?<=\d)\s?(ieme|eme|ere|er|e|de|ste|th|st|nd|rd|\.)(?=\s+[a-z0-9])")


def key(name: str) -> str:
    """What two spellings of one class share."""
    return re.sub(r"[^a-z0-9]+", "", _ORDINAL.sub("", " ".join(sort_key(name).split())))


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that seem to be one class."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        if found := key(name):
            groups.setdefault(found, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
