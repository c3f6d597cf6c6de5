"""Takes a backup of the running installation, of one moment, while it serves.

Memory holds a piece of it at a time, however large the database is.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import BinaryIO, Final

from sqlalchemy import Connection, create_engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from idp import clock, settings
from idp.audit import continuity
from idp.audit.models import DatabaseIdentity, InstallationMark
from idp.backup import erasures, parts, programs
from idp.backup.parts import BLOCK, Manifest
from idp.backup.sealed import Sealer
from idp.backup.troubles import BackupTrouble
from idp.database import db
from idp.oidc import key_files
from idp.readiness import revisions

_BESIDES: Final = ("audit_events_", "directory_index")
"""What databases keep of their own: partitions, which their whole counts, and an index's tables."""


COPY: Final = ".idp-copy-"
"""How the folder of a copy begins."""
LEFT_AFTER: Final = 24 * 3600
"""Seconds after which a copy is nobody's: whoever made it was killed."""


def write(file: BinaryIO, room: Path) -> Manifest:
    """Write a backup of now; ``room``: a folder with room for a copy of an SQLite database.

    Needs an application context. Raises ``BackupTrouble``.
    """
    key = settings.current().backup_key
    if not key:
        raise BackupTrouble(
            "IDP_BACKUP_KEY is missing: a backup is encrypted, or there is none (`openssl rand"
            " -base64 48`; keep it where neither a fire nor a thief reaches it together with the"
            " backups)"
        )
    refuse_pooled()
    is_sqlite = db.engine.dialect.name == "sqlite"
    in_folder = settings.current().keys_in == "folder"  # others are rows of the database
    keys = key_files.contents(settings.current().keys_folder) if in_folder else {}
    with (_copied if is_sqlite else _snapshot)(room) as (now, database):
        manifest = _described(now)
        sealer = Sealer(file, bytes(key))
        parts.write_part(sealer, parts.MANIFEST, iter([manifest.as_json()]))
        for name, content in keys.items():
            parts.write_part(sealer, parts.KEYS + name, iter([content]))
        parts.write_part(sealer, parts.ERASURES, _erased(now, manifest.moment))
        parts.write_part(sealer, parts.DATABASE, database)
        parts.write_end(sealer)
    return manifest


def sweep_copies(room: Path) -> None:
    """Remove what was killed has left there."""
    for each in room.iterdir():
        with suppress(OSError):  # its owner removes it just now, or it is somebody else's
            if each.name.startswith(COPY) and each.stat().st_mtime < time() - LEFT_AFTER:
                shutil.rmtree(each, ignore_errors=True)


def refuse_pooled() -> None:
    """Raise ``BackupTrouble`` behind a pooler: a snapshot is one session's."""
    if settings.current().database_pooled:
        raise BackupTrouble(
            "backups are made and restored past the pooler: give DATABASE_URL the address of"
            " PostgreSQL itself, and IDP_DATABASE_POOLED=no"
        )


def tables(now: Connection) -> list[str]:
    """The tables whose rows a backup counts."""
    return sorted(each for each in inspect(now).get_table_names() if not each.startswith(_BESIDES))


def count(now: Connection, table: str) -> int:
    """How many rows it has now."""
    return int(now.scalar(text(f'SELECT count(*) FROM "{table}"')) or 0)  # noqa: S608


def newest_event(now: Connection) -> tuple[int, str] | None:
    """The number of the audit trail's last event, and what it was."""
    if not inspect(now).has_table(DatabaseIdentity.__tablename__):
        return None  # of a schema before any that could notice a restore
    mark = continuity.newest_mark(now)
    return (mark.number, mark.fingerprint) if mark else None


def _restored_at(now: Connection) -> str | None:
    if not inspect(now).has_table(InstallationMark.__tablename__):
        return None
    mark = select(InstallationMark.at).where(InstallationMark.name == continuity.RESTORED)
    moment = now.scalar(mark)
    return moment.isoformat() if moment else None


def _described(now: Connection) -> Manifest:
    revision = revisions.current(now)
    if revision is None:
        raise BackupTrouble("the database is empty: there is nothing to back up")
    return Manifest(
        made_at=clock.now().isoformat(),
        release=version("school-idp"),
        revision=revision,
        kind=now.dialect.name,
        database=_identity(now),
        issuer=settings.current().issuer,
        fingerprints=parts.fingerprints_of(settings.current()),
        newest_event=newest_event(now),
        restored_at=_restored_at(now),
        rows={table: count(now, table) for table in tables(now)},
    )


def _identity(now: Connection) -> str:
    if not inspect(now).has_table(DatabaseIdentity.__tablename__):
        return ""
    return now.scalar(select(DatabaseIdentity.id)) or ""


def _erased(now: Connection, until: datetime) -> Iterator[bytes]:
    waiting = b""
    for line in erasures.lines_of(now, until):
        waiting += f"{line}\n".encode()
        if len(waiting) >= BLOCK:
            yield waiting
            waiting = b""
    yield waiting


@contextmanager
def _snapshot(_room: Path) -> Iterator[tuple[Connection, Iterator[bytes]]]:
    """PostgreSQL as it is at this moment, for us and for ``pg_dump``."""
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as now:
        snapshot = now.scalar(text("SELECT pg_export_snapshot()"))
        yield now, _dumped(now, str(snapshot))


def _dumped(now: Connection, snapshot: str) -> Iterator[bytes]:
    blocks = programs.dump(settings.current().sqlalchemy_url, snapshot, programs.major(now))
    yield next(blocks, b"")
    with suppress(SQLAlchemyError):  # it has our snapshot: nothing is waited for on our side
        now.rollback()
    yield from blocks


@contextmanager
def _copied(room: Path) -> Iterator[tuple[Connection, Iterator[bytes]]]:
    """A copy of the SQLite file, which its own backup makes beside whoever writes."""
    live = db.engine.url.database
    if live is None or live == ":memory:":
        raise BackupTrouble("a database in memory has nothing to be copied")
    with TemporaryDirectory(dir=room, prefix=COPY) as folder:
        copy = Path(folder) / "idp.db"
        with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)  # all pages at once: a step each would begin anew with each write
        engine = create_engine(f"sqlite:///{copy}", hide_parameters=True)
        try:
            with engine.connect() as now:
                yield now, _compressed(copy, now)
        finally:
            engine.dispose()


def _compressed(copy: Path, now: Connection) -> Iterator[bytes]:
    now.close()
    now.engine.dispose()
    with closing(sqlite3.connect(copy)) as whole:
        whole.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
    packing = zlib.compressobj(6)
    with copy.open("rb") as file:
        while block := file.read(BLOCK):
            yield packing.compress(block)
    yield packing.flush()
