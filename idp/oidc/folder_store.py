"""Our keys as files: a private key each, and ``keyring.json``, which is renamed last."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idp.oidc import key_files
from idp.oidc.key_files import KeyEntry, KeyTrouble, OurKey
from idp.oidc.key_store import has_private


class FolderStore:
    """The keys of one folder. Cheap to ask: one ``stat`` a call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = key_files.index_path(folder)

    @property
    def name(self) -> str:
        return str(self._folder)

    def stamp(self) -> tuple[int, int]:
        try:
            status = self._index.stat()
        except FileNotFoundError:
            raise KeyTrouble(f"no keys in {self._folder}: run idp keys ensure") from None
        except OSError as error:
            raise KeyTrouble(f"{self._index} can't be read: {error.strerror}") from error
        return status.st_mtime_ns, status.st_ino

    def read_index(self) -> list[KeyEntry]:
        return key_files.read_index(self._folder)

    def read_private(self, entry: KeyEntry) -> OurKey:
        return key_files.read_private(self._folder, entry)

    @contextmanager
    def change(self) -> Iterator["FolderChange"]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                change = FolderChange(self._folder, self.read_index())
                before = {entry.kid for entry in change.entries if has_private(entry)}
                yield change
                key_files.write_index(self._folder, change.entries)
                after = {entry.kid for entry in change.entries if has_private(entry)}
                # Only now: whoever reads the old list, or finds it after a crash, can sign.
                for kid in before - after:
                    key_files.private_path(self._folder, kid).unlink(missing_ok=True)
        except OSError as error:
            raise KeyTrouble(f"{self._folder} can't be written: {error.strerror}") from error


class FolderChange:
    """A change of a folder's list."""

    def __init__(self, folder: Path, entries: list[KeyEntry]) -> None:
        self._folder = folder
        self.entries = entries

    def keep(self, entry: KeyEntry, private: OurKey) -> None:
        pem = private.as_pem(private=True)
        key_files.write_private(key_files.private_path(self._folder, entry.kid), pem)
