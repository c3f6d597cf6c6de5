"""The peppers: the newest keys new passwords and seals new apps, the others open what they made.

What the one keyed with which the installation began bears no mark; what a later one keyed does.
"""

from dataclasses import dataclass
from typing import Final

from idp import settings
from idp.database import beginnings

NAME: Final = "password_pepper"
_MADE: Final = "peppers"


@dataclass(frozen=True)
class Pepper:
    """One of them. ``mark``: what tells it in the rows that it keyed; empty for the first one."""

    secret: bytes
    mark: str

    def __repr__(self) -> str:
        return f"Pepper({self.mark!r})"


def newest() -> Pepper:
    """What new things are made with."""
    return known()[0]


def marked(mark: str) -> Pepper | None:
    """The one of this mark; None where it is gone."""
    return next((each for each in known() if each.mark == mark), None)


def known() -> tuple[Pepper, ...]:
    """All of them, the newest first."""
    made: tuple[Pepper, ...] | None = settings.current().made.get(_MADE)
    if made is None:
        of_list = beginnings.marked(NAME, settings.current().password_pepper)
        made = tuple(Pepper(secret, mark) for secret, mark in of_list)
        settings.current().made[_MADE] = made
    return made
