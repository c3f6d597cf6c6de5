"""Who was erased after the state that is put back: gathered from whoever knows."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from idp import clock
from idp.backup import erasures, reading
from idp.backup.choosing import AHEAD
from idp.backup.erasures import Span
from idp.backup.parts import Manifest
from idp.backup.places import Place
from idp.backup.sealed import MAGIC
from idp.backup.troubles import BackupTrouble
from idp.database import db

UNKNOWN: Final = (
    "nobody can tell who was erased since {since}: they would be there again. Name a newer"
    " backup, or what `idp backup erasures` wrote, with --erasures-from; or say --erasures-unknown,"
    " and erase them again by hand"
)


class Older(Protocol):
    """What is put back: of which database, and its state of which moment."""

    @property
    def database(self) -> str: ...

    @property
    def moment(self) -> datetime: ...


@dataclass
class Gathered:
    """The ids of all who are known to be erased, and up to when that is known; None: not at all."""

    ids: set[str] = field(default_factory=set)
    by_files: dict[str, datetime] = field(default_factory=dict)
    """When they were erased by lists in files: what has our secrets and went its own way since,
    such as a copy for trials, writes them, too."""
    until: datetime | None = None
    trouble: str | None = None
    """Why the database that is to be replaced could not be asked."""
    is_told_till_now: bool = False
    """Whether that database has told."""

    def add(
        self, span: Span, erased: Iterable[tuple[str, datetime]], older: Older, *, is_file: bool
    ) -> None:
        """Take a list in. Raises ``BackupTrouble`` where it is another database's."""
        if span.database != older.database:
            raise BackupTrouble(
                "the list of who was erased is of another database than what is put back"
            )
        for who, at in erased:
            self.ids.add(who)
            if is_file:
                self.by_files[who] = max(at, self.by_files.get(who, at))
        known = self.until or older.moment
        if span.covers(known):
            self.until = max(known, span.until)


def gather(manifest: Manifest, place: Place, files: Iterable[Path], keys: list[bytes]) -> Gathered:
    """Ask the database that is to be replaced, if it can be read, and these files."""
    gathered = listed(manifest, files, keys)
    if place.is_full():
        _ask_present(gathered, manifest)
    return gathered


def listed(older: Older, files: Iterable[Path], keys: list[bytes]) -> Gathered:
    """What these files tell: newer backups, and lists that ``idp backup erasures`` wrote."""
    gathered = Gathered()
    lists = sorted((_list_of(file, keys) for file in files), key=lambda each: each[0].until)
    for span, erased, is_backup in lists:
        gathered.add(span, erased, older, is_file=not is_backup)
    return gathered


def refuse_unknown(gathered: Gathered, older: Older) -> None:
    """Raise ``BackupTrouble`` where nobody has told of the time after what is put back."""
    if gathered.until is None or gathered.until <= older.moment:
        reason = f" (the database says: {gathered.trouble})" if gathered.trouble else ""
        raise BackupTrouble(UNKNOWN.format(since=f"{older.moment:%Y-%m-%d %H:%M}Z") + reason)


def refuse_contradicted(gathered: Gathered, older: Older, living: Collection[str]) -> None:
    """Raise ``BackupTrouble`` where a list of a file names somebody who lives in what is put back,
    though it was erased before: its audit trail would have it, and them not.
    """
    wrong = [
        who for who, at in gathered.by_files.items() if who in living and older.moment - at >= AHEAD
    ]
    if wrong:
        raise BackupTrouble(
            f"the list is not to be believed: {len(wrong)} of those whom it names ({wrong[0]}) were"
            f" erased before {older.moment:%Y-%m-%d %H:%M}Z by it, and are there in the state of"
            " then. Nobody was erased: find out who wrote it, and take a backup or another list"
        )


def gap(gathered: Gathered) -> str | None:
    """What to say where lists have told, and only up to a moment before now."""
    if gathered.until is None or gathered.is_told_till_now:
        return None
    return (
        f"nobody has told who was erased after {gathered.until:%Y-%m-%d %H:%M}Z: ask the schools,"
        " and erase them again by hand"
    )


def _ask_present(gathered: Gathered, manifest: Manifest) -> None:
    try:
        with erasures.reading() as now:
            span = erasures.span_of(now, clock.now())
            if span is not None and span.database == manifest.database:
                gathered.is_told_till_now = True
                gathered.add(span, erasures.erased_of(now), manifest, is_file=False)
    except (SQLAlchemyError, sqlite3.Error) as error:
        # It is damaged: that is why it is replaced
        gathered.trouble = str(getattr(error, "orig", None) or error).splitlines()[0]
    finally:
        db.engine.dispose()


def _list_of(file: Path, keys: list[bytes]) -> tuple[Span, list[tuple[str, datetime]], bool]:
    """What it tells, and whether that was taken out of a backup; both are sealed by us."""
    with file.open("rb") as source:
        is_backup = source.read(len(MAGIC)) == MAGIC
    if is_backup:
        with reading.opened(file, keys) as backup:
            return *_read(backup.erasures()), True
    with file.open(encoding="utf-8", errors="replace") as lines:
        return *_read(erasures.proved(lines)), False


def _read(lines: Iterable[str]) -> tuple[Span, list[tuple[str, datetime]]]:
    each: Iterator[str] = iter(lines)
    span = erasures.read_span(next(each, ""))
    return span, list(erasures.read_erased(each))
