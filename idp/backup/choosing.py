"""Which backup of a folder is the newest that can be believed, whatever the files are called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from idp import clock
from idp.backup import reading
from idp.backup.storing import SUFFIX
from idp.backup.troubles import BackupTrouble, Newer, WrongKey

AHEAD: Final = timedelta(minutes=5)
"""By so much the clocks of two machines may differ."""

Say = Callable[[str], object]


@dataclass
class _Backups:
    """What a folder holds."""

    dated: list[tuple[datetime, Path]] = field(default_factory=list)
    """Each backup that opens, and of which moment it says that it is."""
    shut: list[tuple[Path, BackupTrouble]] = field(default_factory=list)
    """What another key, or a newer release, would open."""


def latest(folder: Path, more_keys: list[bytes], say: Say) -> Path:
    """Find the newest whose every byte is as it was written, by the time that stands in it.

    One that is damaged is passed over; one that says a time to come was made by a clock that went
    ahead, and counts only where nothing else is left: ``say`` is told of both. Raises
    ``BackupTrouble`` where there is none; ``WrongKey`` and ``Newer`` where one with a later name
    could be opened, though not like this: an older one in its stead would lose what it holds.
    """
    backups = _read_all(folder, more_keys, say)
    now = clock.now()
    backups.dated.sort(key=lambda each: (each[0] <= now + AHEAD, *each), reverse=True)
    for moment, file in backups.dated:
        try:
            reading.prove(file, more_keys)
        except BackupTrouble as trouble:
            say(f"{file.name} is passed over: {trouble}")
            continue
        _refuse_shut([each for each in backups.shut if each[0].name > file.name])
        if moment > now + AHEAD:
            say(f"{file.name} says that it is of {moment:%Y-%m-%d %H:%M} UTC: a clock went ahead")
        return file
    _refuse_shut(backups.shut)
    raise BackupTrouble(f"{folder} holds no backup that can be restored")


def _read_all(folder: Path, more_keys: list[bytes], say: Say) -> _Backups:
    backups = _Backups()
    for file in sorted(folder.glob(f"*{SUFFIX}"), reverse=True):
        try:
            with reading.opened(file, more_keys) as backup:
                backups.dated.append((backup.manifest.moment, file))
        except (WrongKey, Newer) as trouble:
            backups.shut.append((file, trouble))
        except BackupTrouble as trouble:
            say(f"{file.name} is passed over: {trouble}")
    return backups


def _refuse_shut(shut: list[tuple[Path, BackupTrouble]]) -> None:
    for file, trouble in shut:
        raise type(trouble)(f"{file.name}: {trouble}")
