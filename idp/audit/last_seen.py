"""The newest event of the audit log that this machine has seen: in a small file beside the signing
keys, which no backup of the database puts back.
"""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from idp.settings import current as settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mark:
    """The newest event that was seen: its number, what it was, and when it was seen."""

    number: int
    fingerprint: str
    seen_at: str
    database: str


def file() -> Path:
    """Where this machine remembers what it has seen."""
    return settings().history_file or settings().keys_folder / "history.json"


def read() -> Mark | None:
    """What was kept last; None where nothing was, or it can't be read."""
    kept = file()
    try:
        return Mark(**json.loads(kept.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.error("%s can't be read: %s", kept, type(error).__name__)
        return None


def keep(mark: Mark, *, over_another: bool = False) -> None:
    """Keep a mark; of several processes the one that saw most wins."""
    there = file()
    try:
        with _alone(there):
            kept = read()
            if kept is not None and not over_another and _is_no_news(mark, kept):
                return
            temporary = there.with_suffix(f".{os.getpid()}.tmp")
            try:
                temporary.write_text(json.dumps(asdict(mark)) + "\n")
                temporary.replace(there)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        # Keys may be mounted read-only, the disk may be full: `idp check` says so too.
        log.error("%s can't be written: %s", there, error.strerror)


def _is_no_news(mark: Mark, kept: Mark) -> bool:
    if kept.database != mark.database:
        return False
    return kept.fingerprint == mark.fingerprint or kept.number > mark.number


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
