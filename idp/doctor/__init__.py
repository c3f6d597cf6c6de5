"""What ``idp check`` finds: what would be unsafe in production or does not work, why, what to do.

Each check is a small function that yields findings: of settings and files (``configuration``),
of database, keys and clients (``installation``), by trying (``running``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["danger", "trouble", "notice"]
LEVELS: Final[tuple[Level, ...]] = ("danger", "trouble", "notice")


@dataclass(frozen=True)
class Finding:
    """``danger``: unsafe in production, so that ``idp serve`` refuses. ``trouble``: does not
    work at present. ``notice``: fine only if it is meant so.
    """

    level: Level
    subject: str
    sentence: str
    remedy: str


Findings = Iterator[Finding]


def trouble(subject: str, sentence: str, remedy: str) -> Finding:
    """What does not work at present, and what to do."""
    return Finding("trouble", subject, sentence, remedy)
