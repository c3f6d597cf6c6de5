"""Our keys: made, published before they sign, retired after their last token.

Every worker looks at the stamp of the list, so a rotation by the command line is noticed without a
restart, and a key is parsed once. Some sign; with the others applications encrypt
for us, and those go the same way.
"""

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
from idp.oidc.folder_store import FolderStore
from idp.oidc.key_files import (
    ALGORITHMS,
    ENCRYPTION,
    KEPT_FOR_HINTS,
    NEEDED,
    KeyEntry,
    KeyTrouble,
    OurKey,
)
from idp.oidc.key_store import KeyChange, KeyStore, has_private

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
    """The keys of one folder, or of another store. Cheap to ask: a store's stamp a call."""

    def __init__(
        self,
        where: Path | KeyStore,
        *,
        token_lifetime: timedelta = timedelta(hours=1),
        cache_time: timedelta = timedelta(hours=1),
    ) -> None:
        self._store: KeyStore = FolderStore(where) if isinstance(where, Path) else where
        self._token_lifetime = token_lifetime + timedelta(minutes=5)
        self._cache_time = cache_time
        self._lock = Lock()
        self._stamp: object = None
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
                f"no {alg} signing key in {self._store.name}: run idp keys ensure"
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
        with self._changing() as change:
            return self._add_missing(change)

    def rotate(self, *, force: bool = False) -> list[KeyEntry]:
        """Let the next keys sign, retire the current ones, and publish new next ones.

        Raises ``KeyTrouble`` where a next key was not yet published for the time that
        applications may cache the key set, unless ``force``.
        """
        now = clock.now()
        with self._changing() as change:
            for entry in change.entries:
                age = now - datetime.fromisoformat(entry.created_at)
                is_new = entry.state == "next" and not entry.encrypts and age < self._cache_time
                if is_new and not force:
                    raise KeyTrouble(
                        f"key {entry.kid} was published {int(age.total_seconds())} s ago;"
                        " applications may not know it before"
                        f" {int(self._cache_time.total_seconds())} s"
                    )
            change.entries = [self._moved_on(entry, now) for entry in change.entries]
            self._add_missing(change)
        return self.entries()

    def retire(self, kid: str) -> KeyEntry:
        """Take a key out at once, published no more (it was disclosed). A current one is
        followed by the next. Raises ``KeyTrouble`` for an unknown key.
        """
        now = clock.now()
        with self._changing() as change:
            retired = next((entry for entry in change.entries if entry.kid == kid), None)
            if retired is None:
                raise KeyTrouble(f"there is no key {kid}")
            change.entries.remove(retired)
            if retired.state == "current":
                change.entries = [
                    replace(e, state="current", signs_since=now.isoformat())
                    if e.alg == retired.alg and e.state == "next"
                    else e
                    for e in change.entries
                ]
            if retired.state != "retired":
                _add(change, retired.alg, "next")
        return retired

    def copy_to(self, other: KeyStore) -> list[KeyEntry]:
        """Put the same keys into another store, which may hold no others. Nothing changes here.

        Raises ``KeyTrouble``.
        """
        entries = self._store.read_index()
        with other.change() as change:
            if strangers := {e.kid for e in change.entries} - {e.kid for e in entries}:
                raise KeyTrouble(f"{other.name} holds other keys already, such as {min(strangers)}")
            for entry in entries:
                if has_private(entry):
                    change.keep(entry, self._store.read_private(entry))
            change.entries = entries
        return entries

    # The store

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
                # A rotation that ended between the list and a key: read once more.
                if self.stamp() == stamp:
                    raise
                stamp = self.stamp()
                self._load()
            self._stamp = stamp

    def stamp(self) -> object:
        """What moves with each change of the list of keys. Raises ``KeyTrouble``."""
        return self._store.stamp()

    def _load(self) -> None:
        entries = self._store.read_index()
        private = {
            entry.kid: self._store.read_private(entry)
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
    def _changing(self) -> Iterator[KeyChange]:
        """Change the list of keys, and leave out what is of no use any more."""
        with self._store.change() as change:
            yield change
            change.entries = [e for e in change.entries if self._still_of_use(e)]

    @staticmethod
    def _add_missing(change: KeyChange) -> list[KeyEntry]:
        """Make for each algorithm a current and a next key, where there is none."""
        there = {(entry.alg, entry.state) for entry in change.entries}
        algorithms = (*ALGORITHMS, *ENCRYPTION)
        wanted = [(alg, state) for alg in algorithms for state in ("current", "next")]
        return [_add(change, *each) for each in wanted if each not in there]

    @staticmethod
    def _moved_on(entry: KeyEntry, now: datetime) -> KeyEntry:
        if entry.state == "next":
            return replace(entry, state="current", signs_since=now.isoformat())
        if entry.state == "current":
            return replace(entry, state="retired", retired_at=now.isoformat())
        return entry

    def _still_of_use(self, entry: KeyEntry) -> bool:
        return entry.lasts(clock.now(), _DECRYPTS_FOR if entry.encrypts else KEPT_FOR_HINTS)


def _add(change: KeyChange, alg: str, state: str) -> KeyEntry:
    entry, private = key_files.made(alg, state)
    change.keep(entry, private)
    change.entries.append(entry)
    return entry
