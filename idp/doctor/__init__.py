"""What ``idp check`` finds: what would be unsafe in production or does not work, why, what to do.

Each check is a small function that yields findings: of settings and files (``configuration``),
of database, keys and clients (``installation``), by trying (``running``).
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
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


def private_file(path: Path, name: str) -> Findings:
    """Whether a file with a secret is its owner's alone, and ours."""
    try:
        status = path.stat()
    except OSError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        yield Finding(
            "danger",
            name,
            f"{path} may be read by other users of this machine (mode {mode:04o}).",
            f"chmod 600 {path}",
        )
    if status.st_uid != os.geteuid():
        yield Finding(
            "notice",
            name,
            f"{path} belongs to user {status.st_uid}, not to the user who runs this.",
            "Let the provider's own user own it.",
        )
