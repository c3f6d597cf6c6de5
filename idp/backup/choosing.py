"""Which backup of a folder is the newest that can be believed, whatever the files are called."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from idp import clock
from idp.backup import reading
from idp.backup.parts import Manifest
from idp.backup.storing import SUFFIX
from idp.backup.troubles import BackupTrouble, Newer, WrongKey

AHEAD: Final = timedelta(minutes=5)
"""By so much the clocks of two machines may differ."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)

Say = Callable[[str], object]


@dataclass
class _Backups:
    """What a folder holds."""

    readable: list[tuple[Manifest, Path]] = field(default_factory=list)
    """Each backup that can be restored here, as far as it was read."""
    shut: list[tuple[Path, BackupTrouble]] = field(default_factory=list)
    """What another key, or a newer release, would open."""

    def newest_first(self) -> list[tuple[Manifest, Path]]:
        """By the database first, by the time of its newest backup: numbers tell nothing of two."""
        now, latest = clock.now(), dict[str, Any]()
        for manifest, _ in self.readable:
            own = _time_of(manifest, now)
            latest[manifest.database] = max(own, latest.get(manifest.database, own))

        def age(each: tuple[Manifest, Path]) -> tuple[Any, ...]:
            manifest, file = each
            number = manifest.newest_event[0] if manifest.newest_event else -1
            rank = (number, _time_of(manifest, now), file.name)
            whose = (latest[manifest.database], manifest.database)
            return *whose, manifest.restored or _NEVER, *rank

        return sorted(self.readable, key=age, reverse=True)


def latest(folder: Path, more_keys: list[bytes], say: Say) -> Path:
    """Find the newest whose every byte is as it was written, by the number of the last event in it.

    The audit log's numbers only grow, whatever a clock says; a restore goes back to smaller ones,
    so what was made after it is newer. Of two with the same number the time decides. ``say`` is
    told of what is passed over, and why. Raises ``BackupTrouble`` where there is none; ``WrongKey``
    and ``Newer`` where one with a later name could be opened, though not like this: an older one in
    its stead would lose what it holds.
    """
    backups = _read_all(folder, more_keys, say)
    ordered = backups.newest_first()
    for place, (manifest, file) in enumerate(ordered, 1):
        try:
            reading.prove(file, more_keys)
        except (BackupTrouble, OSError) as trouble:
            _say_passed(file, trouble, say)
            continue
        _refuse_shut([each for each in backups.shut if each[0].name > file.name])
        for shut in backups.shut:
            _say_passed(*shut, say)
        _say_contradicted(manifest, file, ordered[place:], say)
        return file
    _refuse_shut(backups.shut)
    raise BackupTrouble(f"{folder} holds no backup that can be restored")


def _time_of(manifest: Manifest, now: datetime) -> tuple[bool, datetime]:
    """Whether the time that stands in it can be, and that time."""
    return manifest.moment <= now + AHEAD, manifest.moment


def _read_all(folder: Path, more_keys: list[bytes], say: Say) -> _Backups:
    backups = _Backups()
    for file in sorted(folder.glob(f"*{SUFFIX}"), reverse=True):
        try:
            with reading.opened(file, more_keys) as backup:
                reading.refuse_other_kind(backup.manifest)
                reading.refuse_newer(backup.manifest)
                backups.readable.append((backup.manifest, file))
        except (WrongKey, Newer) as trouble:
            backups.shut.append((file, trouble))
        except (BackupTrouble, OSError) as trouble:
            _say_passed(file, trouble, say)
    return backups


def _refuse_shut(shut: list[tuple[Path, BackupTrouble]]) -> None:
    for file, trouble in shut:
        raise type(trouble)(f"{file.name}: {trouble}")


def _say_passed(file: Path, trouble: BackupTrouble | OSError, say: Say) -> None:
    words = trouble.strerror if isinstance(trouble, OSError) else trouble
    say(f"{file.name} is passed over: {words or type(trouble).__name__}")


def _say_contradicted(
    chosen: Manifest, file: Path, others: list[tuple[Manifest, Path]], say: Say
) -> None:
    """Tell of times that say otherwise than the order does."""
    if chosen.moment > clock.now() + AHEAD:
        say(f"{file.name} says that it is of {_minute(chosen.moment)}: a clock went ahead")
    databases = {chosen.database}
    for manifest, other in others:
        if manifest.database not in databases:
            databases.add(manifest.database)
            say(f"{other.name} is passed over: it is of another database")
        elif manifest.database == chosen.database and manifest.moment > chosen.moment:
            say(
                f"{other.name} is passed over: it says that it is of {_minute(manifest.moment)},"
                f" later than {file.name}, and is none the newer: a clock went ahead"
            )


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
