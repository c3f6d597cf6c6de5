"""Makes user names by a school's pattern: ASCII, easy to type, and never another person's.

A name that is taken gets a number. One query checks many names (``free``), and the unique index has
the last word.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from anyascii import anyascii
from sqlalchemy import select

from idp.database import db, in_parts
from idp.errors import Invalid
from idp.people.models import Account

PATTERN: Final = "{given}.{family}"
LONGEST_BASE: Final = 56
"""Leaves room for a number within the 64 characters of a user name."""
SHORTEST: Final = 3
_PLACES: Final = re.compile(r"\{(given|family|g|f)\}")


def check_pattern(pattern: str) -> str:
    """The pattern, if it makes user names; raises ``Invalid``."""
    rest = _PLACES.sub("", pattern)
    if rest == pattern or not re.fullmatch(r"[a-z0-9._-]*", rest) or len(pattern) > 64:
        raise Invalid("username_pattern", "no_pattern")
    return pattern


def base(pattern: str, given_name: str, family_name: str) -> str:
    """The user name that somebody of this name gets if nobody has it."""
    given_name, family_name = ascii_word(given_name), ascii_word(family_name)
    words = {"given": given_name, "family": family_name, "g": given_name[:1], "f": family_name[:1]}
    made = _PLACES.sub(lambda place: words[place[1]], pattern)
    made = re.sub(r"[._-]{2,}", lambda run: run[0][0], made)[:LONGEST_BASE].strip("._-")
    return made if len(made) >= SHORTEST else f"parent{'.' if made else ''}{made}"


def ascii_word(name: str) -> str:
    """A name in a-z, 0-9 and dashes: « D'Hœkelaere » is dhoekelaere, « Van den Bossche »
    vandenbossche, « Шевченко » shevchenko; whatever script, or nothing.
    """
    plain = anyascii(name).lower()
    plain = re.sub(r"[^a-z0-9-]", "", plain)
    return re.sub(r"-{2,}", "-", plain).strip("-")


def free(wanted: Sequence[str]) -> list[str]:
    """A user name for each wanted one, in order, that neither an account nor another here has.

    Asks the database for many names at once, in a few rounds: the bare names, then ten, a
    hundred, a thousand numbers of those that are taken.
    """
    needed = Counter(wanted)
    usernames: dict[str, list[str]] = {name: [] for name in needed}
    tried = dict.fromkeys(needed, 0)
    promised: set[str] = set()
    for step in (1, 10, 100, 1_000, 10_000):
        short = [name for name, count in needed.items() if len(usernames[name]) < count]
        if not short:
            break
        candidates = {
            name: [_numbered(name, number) for number in range(tried[name], tried[name] + step_of)]
            for name in short
            if (step_of := step + needed[name] - len(usernames[name]))
        }
        taken = _taken(each for names in candidates.values() for each in names)
        for name, names in candidates.items():
            free_ones = [each for each in names if each not in taken and each not in promised]
            promised.update(free_ones)
            usernames[name] += free_ones
            tried[name] += len(names)
    in_order = {name: iter(each) for name, each in usernames.items()}
    return [next(in_order[name]) for name in wanted]


def _numbered(name: str, number: int) -> str:
    return name if number == 0 else f"{name}{number + 1}"


def _taken(names: Iterable[str]) -> set[str]:
    taken: set[str] = set()
    for chunk in in_parts(names, 500):
        query = select(Account.username_key).where(Account.username_key.in_(chunk))
        taken.update(db.session.scalars(query))
    return taken
