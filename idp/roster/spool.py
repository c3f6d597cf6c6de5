"""Keeps uploaded files until they are in the staging tables: nobody else may read them, and never
for long.

A file lies in a folder that is named by its run, on the machine that received it. It is removed as
soon as it has been read, or can't be.
"""

import os
import re
import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Final

from idp import clock, settings
from idp.roster.records import Hostile

LARGEST: Final = 50 * 1024**2
"""Bytes. The roster of 200,000 people is a zip of 20 MB."""
SUFFIXES: Final = (".zip", ".csv", ".txt", ".tsv", ".xlsx", ".xlsm")
KEPT: Final = timedelta(days=1)
_PIECE: Final = 1024**2
_RUN_ID: Final = re.compile(r"j_[\w-]{22}")


def plain_name(name: str) -> str:
    """A file's name as it may stand in our folder and in sentences: no path, no odd letter."""
    flat = re.sub(r"[^\w.-]+", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    return flat[-80:]


def store_file(run_id: str, name: str, stream: IO[bytes]) -> Path:
    """Keep a file for the worker; raises ``Hostile`` where it is too large, and keeps nothing."""
    # Under another name until it is whole: a worker takes what it sees
    folder = _unfinished(run_id)
    folder.mkdir(mode=0o700)
    path = folder / plain_name(name)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        size = 0
        with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
            while piece := stream.read(_PIECE):
                size += len(piece)
                if size > LARGEST:
                    raise Hostile("too_large")
                out.write(piece)
        folder.rename(_folder() / run_id)
    except BaseException:
        remove(run_id)
        raise
    return _folder() / run_id / path.name


def runs() -> list[str]:
    """The runs whose files lie here."""
    folder = settings.current().spool_folder
    return [each.name for each in folder.glob("j_*") if _RUN_ID.fullmatch(each.name)]


def path_of(run_id: str) -> Path | None:
    """The run's file, if it lies here."""
    paths = sorted((_folder() / run_id).glob("*"))
    return paths[0] if len(paths) == 1 else None


def remove(run_id: str) -> None:
    """Forget the run's file."""
    for folder in (_folder() / run_id, _unfinished(run_id)):
        shutil.rmtree(folder, ignore_errors=True)


def sweep(wanted: set[str]) -> None:
    """Forget files of other runs than these, and those that nobody came for."""
    limit = (clock.now() - KEPT).timestamp()
    for run_id in runs():
        with suppress(FileNotFoundError):
            if run_id not in wanted or (_folder() / run_id).stat().st_mtime < limit:
                remove(run_id)
    for folder in _folder().glob(".j_*"):  # whoever wrote it was killed
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < limit:
                remove(folder.name.removeprefix("."))


def _unfinished(run_id: str) -> Path:
    return _folder() / f".{run_id}"


def _folder() -> Path:
    folder = settings.current().spool_folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
