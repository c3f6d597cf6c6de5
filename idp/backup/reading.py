"""Reads a backup: what it says of itself first, then each part into where it belongs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from idp import settings
from idp.backup import elsewhere, parts
from idp.backup.elsewhere import Beside
from idp.backup.parts import Manifest, Part
from idp.backup.sealed import Opened
from idp.backup.troubles import BackupTrouble, Damaged, Newer
from idp.database import db
from idp.oidc import key_files
from idp.readiness import revisions
from idp.settings import variable

NO_KEY: Final = "IDP_BACKUP_KEY is missing, and no --key-file is named: nothing opens the backup"


@dataclass
class Backup:
    """One that is being read: its manifest, and what follows."""

    manifest: Manifest
    keys: dict[str, bytes] = field(default_factory=dict)
    _rest: Iterator[Part] = field(default_factory=lambda: iter(()))

    def into(
        self,
        beside: Beside,
        *,
        grants: bool = False,
        judge: Callable[[dict[str, bytes]], None] = lambda _keys: None,
    ) -> None:
        """Have everything in place: the database there, the keys in mind. All of it was proved to
        be what was written once this returns.

        ``judge``: is asked of the keys, which come first; ``grants``: see ``elsewhere.fill``.
        """
        has_database = False
        for part in self._rest:
            if part.name.startswith(parts.KEYS):
                self.keys[part.name.removeprefix(parts.KEYS)] = part.whole()
            elif part.name == parts.DATABASE:
                judge(self.keys)
                elsewhere.fill(beside, part.blocks(), grants=grants)
                has_database = True
        if not has_database:
            raise Damaged("the backup holds no database")

    def read_through(self) -> None:
        """Read what follows, so that it is proved, and keep none of it."""
        for _ in self._rest:
            pass

    def erasures(self) -> Iterator[str]:
        """Who was erased before it was made, as ``idp.backup.erasures`` writes it. What follows may
        be damaged.
        """
        for part in self._rest:
            if part.name == parts.ERASURES:
                yield from (line.decode() for line in part.lines())
                return


@contextmanager
def opened(source: Path | BinaryIO, more_keys: list[bytes]) -> Iterator[Backup]:
    """A backup in a file, or from a pipe. Raises ``BackupTrouble``."""
    ours = settings.current().backup_key
    keys = [*more_keys, *(bytes(each) for each in ours.all if each)]
    if not keys:
        raise BackupTrouble(NO_KEY)
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as bytes_:
        rest = parts.read_parts(Opened(bytes_, keys))
        first = next(rest, None)
        if first is None or first.name != parts.MANIFEST:
            raise Damaged("the backup says nothing of itself")
        yield Backup(Manifest.read(first.whole()), _rest=rest)


def prove(source: Path, more_keys: list[bytes]) -> None:
    """Read all of a backup, and raise ``BackupTrouble`` where a byte is not what was written."""
    with opened(source, more_keys) as backup:
        backup.read_through()


def refuse_newer(manifest: Manifest) -> None:
    """Raise ``Newer`` where a later release made it, whose schema this one does not know."""
    if manifest.revision not in revisions.known():
        raise Newer(
            f"the backup was made by a newer release ({manifest.release}, schema"
            f" {manifest.revision}); this one knows schemas up to {revisions.newest()}: install"
            " that release first"
        )


def refuse_other_kind(manifest: Manifest, kind: str | None = None) -> None:
    """Raise ``BackupTrouble`` where it is of the other kind of database."""
    ours = kind or db.engine.dialect.name
    names = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
    if manifest.kind != ours:
        raise BackupTrouble(
            f"the backup is of {names.get(manifest.kind, manifest.kind)}, and DATABASE_URL names"
            f" {names.get(ours, ours)}"
        )


def other_secrets(manifest: Manifest) -> list[str]:
    """The settings that hold none of the secrets that were there when it was made."""
    ours = parts.fingerprints_of(settings.current())
    return [
        variable(name)
        for name, then in manifest.fingerprints.items()
        if name in ours and then and then[0] not in ours[name]
    ]


def keys_into(folder: Path, files: dict[str, bytes]) -> Path | None:
    """Write the backup's keys there; None: it holds none, they are in its database."""
    if not files:
        return None
    key_files.put_back(folder, files)
    return folder
