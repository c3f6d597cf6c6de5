"""Our keys: made, published before they sign, retired after their last token.

Every worker looks at the time stamp of ``keyring.json``, so a rotation by the command line is
noticed without a restart, and a key is parsed once. Some sign; with the others applications encrypt
for us, and those go the same way.
"""

import fcntl
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

from joserfc.jwk import KeySet, import_key

from idp import clock
from idp.oidc import key_files
from idp.oidc.key_files import (
    ALGORITHMS,
    ENCRYPTION,
    KEPT_FOR_HINTS,
    NEEDED,
    KeyEntry,
    KeyTrouble,
    OurKey,
)

__all__ = [
    "ALGORITHMS",
    "ENCRYPTION",
    "KEPT_FOR_HINTS",
    "NEEDED",
    "KeyEntry",
    "KeyTrouble",
    "Keyring",
    "SigningKey",
]
SigningKey = OurKey
_DECRYPTS_FOR: Final = timedelta(days=1)
"""How long a retired key still opens what was encrypted with it: applications keep a key set for an
hour (``IDP_KEY_CACHE``), and some for longer."""


class Keyring:
    """The keys of one folder. Cheap to ask: one ``stat`` a call."""

    def __init__(
        self,
        folder: Path,
        *,
        token_lifetime: timedelta = timedelta(hours=1),
        cache_time: timedelta = timedelta(hours=1),
    ) -> None:
        self._folder = folder
        self._index = key_files.index_path(folder)
        self._token_lifetime = token_lifetime + timedelta(minutes=5)
        self._cache_time = cache_time
        self._lock = Lock()
        self._stamp: tuple[int, int] | None = None
        self._entries: list[KeyEntry] = []
        self._signing: dict[str, SigningKey] = {}
        self._decrypting: dict[str, OurKey] = {}
        self._verifying = KeySet([])

    # What the protocol asks

    def signing_key(self, alg: str) -> SigningKey:
        """The key that signs ``alg`` now, as an object that was parsed once.

        Raises ``KeyTrouble`` where there is none.
        """
        self._refresh()
        try:
            return self._signing[alg]
        except KeyError:
            raise KeyTrouble(
                f"no {alg} signing key in {self._folder}: run idp keys ensure"
            ) from None

    def signs(self, alg: str) -> bool:
        """Whether there is a key that signs ``alg``."""
        self._refresh()
        return alg in self._signing

    def key_set(self, algorithms: Collection[str] = ALGORITHMS) -> dict[str, Any]:
        """The JSON Web Key Set: current keys, those to come, and those just retired, of these
        algorithms.
        """
        self._refresh()
        now = clock.now()
        shown = [
            entry.public
            for entry in self._entries
            if entry.alg in algorithms and entry.published(now, self._token_lifetime)
        ]
        return {"keys": shown}

    def decryption_keys(self, kid: object = None) -> list[OurKey]:
        """The private keys for what was encrypted for us, or the one of this name."""
        self._refresh()
        if kid is not None:
            return [key for name, key in self._decrypting.items() if name == kid]
        return list(self._decrypting.values())

    def encryption_algorithms(self) -> frozenset[str]:
        """For which of ``ENCRYPTION`` there is a key."""
        self._refresh()
        return frozenset(e.alg for e in self._entries if e.encrypts and e.state == "current")

    def verification_keys(self) -> KeySet:
        """Every public key that may have signed a token of ours, for ``id_token_hint``."""
        self._refresh()
        return self._verifying

    # What the operator asks

    def entries(self) -> list[KeyEntry]:
        """Every key that is still of use, the newest last."""
        self._refresh()
        return list(self._entries)

    def ensure(self) -> list[KeyEntry]:
        """Make what is missing: for each algorithm a current key and a next one."""
        with self._changing() as entries:
            made = self._missing(entries)
            entries.extend(made)
        return made

    def rotate(self, *, force: bool = False) -> list[KeyEntry]:
        """Let the next keys sign, retire the current ones, and publish new next ones.

        Raises ``KeyTrouble`` where a next key was not yet published for the time that
        applications may cache the key set, unless ``force``.
        """
        now = clock.now()
        with self._changing() as entries:
            for entry in entries:
                age = now - datetime.fromisoformat(entry.created_at)
                is_new = entry.state == "next" and not entry.encrypts and age < self._cache_time
                if is_new and not force:
                    raise KeyTrouble(
                        f"key {entry.kid} was published {int(age.total_seconds())} s ago;"
                        " applications may not know it before"
                        f" {int(self._cache_time.total_seconds())} s"
                    )
            entries[:] = [self._moved_on(entry, now) for entry in entries]
            entries.extend(self._missing(entries))
        return self.entries()

    def retire(self, kid: str) -> KeyEntry:
        """Take a key out at once, published no more (it was disclosed). A current one is
        followed by the next. Raises ``KeyTrouble`` for an unknown key.
        """
        now = clock.now()
        with self._changing() as entries:
            retired = next((entry for entry in entries if entry.kid == kid), None)
            if retired is None:
                raise KeyTrouble(f"there is no key {kid}")
            entries.remove(retired)
            if retired.state == "current":
                entries[:] = [
                    replace(e, state="current", signs_since=now.isoformat())
                    if e.alg == retired.alg and e.state == "next"
                    else e
                    for e in entries
                ]
            if retired.state != "retired":
                entries.append(key_files.made(self._folder, retired.alg, "next"))
        return retired

    # The files

    def _refresh(self) -> None:
        if self.stamp() == self._stamp:
            return
        with self._lock:
            stamp = self.stamp()
            if stamp == self._stamp:
                return
            try:
                self._load()
            except KeyTrouble:
                # A rotation that ended between the list and the file: read once more.
                if self.stamp() == stamp:
                    raise
                stamp = self.stamp()
                self._load()
            self._stamp = stamp

    def stamp(self) -> tuple[int, int]:
        """What moves with each change of the list of keys. Raises ``KeyTrouble``."""
        try:
            status = self._index.stat()
        except FileNotFoundError:
            raise KeyTrouble(f"no keys in {self._folder}: run idp keys ensure") from None
        except OSError as error:
            raise KeyTrouble(f"{self._index} can't be read: {error.strerror}") from error
        return status.st_mtime_ns, status.st_ino

    def _load(self) -> None:
        entries = key_files.read_index(self._folder)
        private = {
            entry.kid: key_files.read_private(self._folder, entry)
            for entry in entries
            if entry.state == "current" or entry.encrypts
        }
        self._signing = {
            e.alg: private[e.kid] for e in entries if e.state == "current" and not e.encrypts
        }
        self._decrypting = {e.kid: private[e.kid] for e in entries if e.encrypts}
        self._verifying = KeySet([import_key(e.public) for e in entries if not e.encrypts])
        self._entries = entries

    @contextmanager
    def _changing(self) -> Iterator[list[KeyEntry]]:
        """Change the list of keys: one process at a time, all or nothing."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                entries = key_files.read_index(self._folder)
                private_before = self._with_private(entries)
                yield entries
                kept = [e for e in entries if self._still_of_use(e)]
                key_files.write_index(self._folder, kept)
                # Only now: whoever reads the old list, or finds it after a crash, can sign.
                for kid in private_before - self._with_private(kept):
                    key_files.private_path(self._folder, kid).unlink(missing_ok=True)
        except OSError as error:
            raise KeyTrouble(f"{self._folder} can't be written: {error.strerror}") from error

    @staticmethod
    def _with_private(entries: list[KeyEntry]) -> set[str]:
        return {e.kid for e in entries if e.state != "retired" or e.encrypts}

    def _missing(self, entries: list[KeyEntry]) -> list[KeyEntry]:
        """New keys: for each algorithm a current and a next one, where there is none."""
        there = {(entry.alg, entry.state) for entry in entries}
        algorithms = (*ALGORITHMS, *ENCRYPTION)
        wanted = [(alg, state) for alg in algorithms for state in ("current", "next")]
        return [key_files.made(self._folder, *each) for each in wanted if each not in there]

    @staticmethod
    def _moved_on(entry: KeyEntry, now: datetime) -> KeyEntry:
        if entry.state == "next":
            return replace(entry, state="current", signs_since=now.isoformat())
        if entry.state == "current":
            return replace(entry, state="retired", retired_at=now.isoformat())
        return entry

    def _still_of_use(self, entry: KeyEntry) -> bool:
        return entry.lasts(clock.now(), _DECRYPTS_FOR if entry.encrypts else KEPT_FOR_HINTS)
