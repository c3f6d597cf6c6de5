"""Where a backup goes: a file that is there whole or not at all, named by time; old ones leave."""

import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from idp import clock
from idp.backup.taking import sweep_copies
from idp.backup.troubles import BackupTrouble

SUFFIX: Final = ".idp-backup"
_NAME: Final = re.compile(r"idp-\d{8}T\d{6}Z\.idp-backup")
_PART: Final = re.compile(r"\.idp-\d{8}T\d{6}Z\.idp-backup\.part")


def store(target: Path, write: Callable[[BinaryIO, Path], Any]) -> Path:
    """Have a backup written into a folder, or to a file; returns where it is.

    Raises ``BackupTrouble`` where it can't be written whole: then everything is as it was.
    """
    folder, name = (target, _name()) if target.is_dir() else (target.parent, target.name)
    if not folder.is_dir():
        raise BackupTrouble(f"there is no folder {folder}")
    with _alone(folder), _explaining(folder):
        _forget_parts(folder)
        sweep_copies(folder)
        return _written(folder, name, write)


def prune(made: Path, keep: int) -> None:
    """Remove the oldest of its folder, so that so many stay, the one made just now counted.

    Those whose names say a later time are of a clock that was set forward: they go first.
    """
    with _alone(made.parent), _explaining(made.parent):
        others = [each for each in stored(made.parent) if each.name != made.name]
        others.sort(key=lambda each: each.name < made.name, reverse=True)
        for old in others[keep - 1 :]:
            old.unlink()


def stored(folder: Path) -> list[Path]:
    """The backups of a folder, the newest first."""
    return sorted((each for each in folder.iterdir() if _NAME.fullmatch(each.name)), reverse=True)


@contextmanager
def _explaining(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupTrouble(
            f"{folder}: {error.strerror or type(error).__name__}; the backups that are there stay"
            " as they were"
        ) from error


def _name() -> str:
    return f"idp-{clock.now():%Y%m%dT%H%M%SZ}{SUFFIX}"


def _written(folder: Path, name: str, write: Callable[[BinaryIO, Path], Any]) -> Path:
    part = folder / f".{name}.part"
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file, folder)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / name)
        _sync(folder)
    finally:
        part.unlink(missing_ok=True)
    return folder / name


def _forget_parts(folder: Path) -> None:
    """What a backup that was killed has left: nobody else writes here now."""
    for each in folder.iterdir():
        if _PART.fullmatch(each.name):
            each.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupTrouble(f"another backup is being made in {folder}") from None
    finally:
        os.close(descriptor)
