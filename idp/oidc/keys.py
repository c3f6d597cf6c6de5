"""Signing keys: made, published before they sign, retired after their last token.

The folder holds one private key a file (``<kid>.pem``, mode 0600) and ``keyring.json``, which
tells each key's state and its public half. Every worker looks at the file's time stamp, so a
rotation by the command line is noticed without a restart, and a key is parsed once.
"""

import fcntl
import json
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey, import_key

from idp import clock

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
NEEDED: Final = ("RS256", "ES256", "EdDSA")
"""Without a key for each of these nobody is served; PS256 came later, and is there once
``idp keys ensure`` or a rotation has made it."""
KEPT_FOR_HINTS: Final = timedelta(days=30)
"""How long the public half of a retired key still verifies an ``id_token_hint``."""

SigningKey = RSAKey | ECKey | OKPKey
_KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RS256": RSAKey,
    "PS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
}


_LATER: Final = "later_keys"
"""A list that earlier releases don't read: their workers, which serve beside ours during an
upgrade, would stumble over an algorithm that they don't know (security rule R12)."""


class KeyTrouble(Exception):
    """A key can't be used; the text says which file and what to do."""


@dataclass(frozen=True)
class KeyEntry:
    """One key: ``state`` is next, current or retired; times are ISO 8601 in UTC."""

    kid: str
    alg: str
    state: str
    created_at: str
    public: dict[str, Any]
    signs_since: str | None = None
    retired_at: str | None = None

    def published(self, now: datetime, token_lifetime: timedelta) -> bool:
        """Whether the key set shows it: until its last token has expired."""
        if self.retired_at is None:
            return True
        return now < datetime.fromisoformat(self.retired_at) + token_lifetime


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
        self._token_lifetime = token_lifetime + timedelta(minutes=5)
        self._cache_time = cache_time
        self._lock = Lock()
        self._stamp: tuple[int, int] | None = None
        self._entries: list[KeyEntry] = []
        self._signing: dict[str, SigningKey] = {}
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
                if entry.state == "next" and age < self._cache_time and not force:
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
                entries.append(self._make(retired.alg, "next"))
        return retired

    # The files

    @property
    def _index(self) -> Path:
        return self._folder / "keyring.json"

    def _private_path(self, kid: str) -> Path:
        return self._folder / f"{kid}.pem"

    def _refresh(self) -> None:
        if self._stamp_now() == self._stamp:
            return
        with self._lock:
            stamp = self._stamp_now()
            if stamp == self._stamp:
                return
            try:
                self._load()
            except KeyTrouble:
                # A rotation that ended between the list and the file: read once more.
                if self._stamp_now() == stamp:
                    raise
                stamp = self._stamp_now()
                self._load()
            self._stamp = stamp

    def _stamp_now(self) -> tuple[int, int]:
        try:
            status = self._index.stat()
        except FileNotFoundError:
            raise KeyTrouble(f"no keys in {self._folder}: run idp keys ensure") from None
        except OSError as error:
            raise KeyTrouble(f"{self._index} can't be read: {error.strerror}") from error
        return status.st_mtime_ns, status.st_ino

    def _load(self) -> None:
        entries = self._read_index()
        signing = {e.alg: self._read_private(e) for e in entries if e.state == "current"}
        self._entries = entries
        self._signing = signing
        self._verifying = KeySet([import_key(entry.public) for entry in entries])

    def _read_index(self) -> list[KeyEntry]:
        try:
            index = json.loads(self._index.read_bytes())
            return [KeyEntry(**entry) for entry in [*index["keys"], *index.get(_LATER, [])]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeyTrouble(f"{self._index} can't be read: {error}") from error

    def _read_private(self, entry: KeyEntry) -> SigningKey:
        path = self._private_path(entry.kid)
        try:
            status = path.stat()
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise KeyTrouble(f"{path} may be read by others: chmod 600 it")
            if status.st_uid != os.geteuid():
                raise KeyTrouble(f"{path} belongs to another user")
            return _KINDS[entry.alg].import_key(path.read_bytes(), {"kid": entry.kid})
        except OSError as error:
            raise KeyTrouble(f"{path} can't be read: {error.strerror}") from error
        except (JoseError, ValueError) as error:
            raise KeyTrouble(f"{path} is not a private {entry.alg} key") from error

    @contextmanager
    def _changing(self) -> Iterator[list[KeyEntry]]:
        """Change the list of keys: one process at a time, all or nothing."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                entries = self._read_index()
                signed_before = {e.kid for e in entries if e.state != "retired"}
                yield entries
                self._write_index([e for e in entries if self._still_of_use(e)])
                # Only now: whoever reads the old list, or finds it after a crash, can sign.
                for kid in signed_before - {e.kid for e in entries if e.state != "retired"}:
                    self._private_path(kid).unlink(missing_ok=True)
        except OSError as error:
            raise KeyTrouble(f"{self._folder} can't be written: {error.strerror}") from error

    def _write_index(self, entries: list[KeyEntry]) -> None:
        lists: dict[str, list[dict[str, Any]]] = {"keys": [], _LATER: []}
        for entry in entries:
            lists["keys" if entry.alg in NEEDED else _LATER].append(asdict(entry))
        _write_private(self._index, json.dumps(lists, indent=1).encode())

    def _missing(self, entries: list[KeyEntry]) -> list[KeyEntry]:
        """New keys: for each algorithm a current and a next one, where there is none."""
        there = {(entry.alg, entry.state) for entry in entries}
        wanted = [(alg, state) for alg in ALGORITHMS for state in ("current", "next")]
        return [self._make(*each) for each in wanted if each not in there]

    def _make(self, alg: str, state: str) -> KeyEntry:
        key = _generate(alg)
        now = clock.now().isoformat()
        kid = f"{alg.lower()}-{key.thumbprint()[:16]}"  # RFC 7638, shortened to be typed
        _write_private(self._private_path(kid), key.as_pem(private=True))
        public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": alg}
        return KeyEntry(kid, alg, state, now, public, now if state == "current" else None)

    @staticmethod
    def _moved_on(entry: KeyEntry, now: datetime) -> KeyEntry:
        if entry.state == "next":
            return replace(entry, state="current", signs_since=now.isoformat())
        if entry.state == "current":
            return replace(entry, state="retired", retired_at=now.isoformat())
        return entry

    def _still_of_use(self, entry: KeyEntry) -> bool:
        return entry.published(clock.now(), KEPT_FOR_HINTS)


def _generate(alg: str) -> SigningKey:
    # RSA 2048: OpenID Connect requires RS256 of us; ES256 is what we recommend
    # (docs/decisions/signing-keys.md).
    if alg in {"RS256", "PS256"}:
        return RSAKey.generate_key(2048)
    if alg == "ES256":
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519")


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, so that no reader ever sees a part of it."""
    temporary = path.with_suffix(path.suffix + f".{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # half a key, where the disk was full
