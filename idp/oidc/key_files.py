"""The files of keys: a private key each (``<kid>.pem``, mode 0600), and ``keyring.json``, which
tells each key's state and its public half.
"""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp import clock

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
NEEDED: Final = ("RS256", "ES256", "EdDSA")
"""Without a key for each of these nobody is served; PS256 came later, and is there once
``idp keys ensure`` or a rotation has made it."""
ENCRYPTION: Final = ("RSA-OAEP-256", "ECDH-ES")
"""For which applications may encrypt for us; the second also with a wrapped key (RFC 7518 §4.6)."""
KEPT_FOR_HINTS: Final = timedelta(days=30)
"""How long the public half of a retired key still verifies an ``id_token_hint``."""

OurKey = RSAKey | ECKey | OKPKey
_KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RS256": RSAKey,
    "PS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
    "RSA-OAEP-256": RSAKey,
    "ECDH-ES": ECKey,
}
_LISTS: Final = {
    "keys": NEEDED,
    "later_keys": tuple(alg for alg in ALGORITHMS if alg not in NEEDED),
    "encryption_keys": ENCRYPTION,
}
"""What came later stands in lists that earlier releases don't read: their workers, which serve
beside ours during an upgrade, would stumble over an algorithm that they don't know (security rule
R12)."""


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

    @property
    def encrypts(self) -> bool:
        """Whether others encrypt with it; all other keys sign."""
        return self.alg in ENCRYPTION

    def published(self, now: datetime, token_lifetime: timedelta) -> bool:
        """Whether the key set shows it: until its last token has expired. Of those to encrypt
        with the current one alone; others must know the next one before it is.
        """
        if self.encrypts:
            return self.state == "current"
        return self.lasts(now, token_lifetime)

    def lasts(self, now: datetime, after: timedelta) -> bool:
        """Whether it is not retired, or no longer than ``after``."""
        if self.retired_at is None:
            return True
        return now < datetime.fromisoformat(self.retired_at) + after


def made(alg: str, state: str) -> tuple[KeyEntry, OurKey]:
    """A new key, and its private half."""
    key = _generate(alg)
    now = clock.now().isoformat()
    kid = f"{alg.lower()}-{key.thumbprint()[:16]}"  # RFC 7638, shortened to be typed
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": alg}
    if alg in ENCRYPTION:
        public["use"] = "enc"
    if alg == "ECDH-ES":
        del public["alg"]  # for ECDH-ES+A256KW as well
    return KeyEntry(kid, alg, state, now, public, now if state == "current" else None), key


def read_index(folder: Path) -> list[KeyEntry]:
    """Every key that ``keyring.json`` tells of. Raises ``KeyTrouble``."""
    path = index_path(folder)
    try:
        index = json.loads(path.read_bytes())
        lists = [index["keys"], *(index.get(name, []) for name in _LISTS if name != "keys")]
        return [KeyEntry(**entry) for each in lists for entry in each]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyTrouble(f"{path} can't be read: {error}") from error


def write_index(folder: Path, entries: list[KeyEntry]) -> None:
    """Write ``keyring.json``."""
    lists = {
        name: [asdict(entry) for entry in entries if entry.alg in algorithms]
        for name, algorithms in _LISTS.items()
    }
    write_private(index_path(folder), json.dumps(lists, indent=1).encode())


def read_private(folder: Path, entry: KeyEntry) -> OurKey:
    """The private half of a key. Raises ``KeyTrouble``."""
    path = private_path(folder, entry.kid)
    try:
        status = path.stat()
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise KeyTrouble(f"{path} may be read by others: chmod 600 it")
        if status.st_uid != os.geteuid():
            raise KeyTrouble(f"{path} belongs to another user")
        pem = path.read_bytes()
    except OSError as error:
        raise KeyTrouble(f"{path} can't be read: {error.strerror}") from error
    return parsed(entry, pem, str(path))


def parsed(entry: KeyEntry, pem: bytes, where: str) -> OurKey:
    """The private half of a key. Raises ``KeyTrouble``, which names ``where`` it lies."""
    try:
        return _KINDS[entry.alg].import_key(pem, {"kid": entry.kid})
    except (JoseError, ValueError) as error:
        raise KeyTrouble(f"{where} is not a private {entry.alg} key") from error


def contents(folder: Path) -> dict[str, bytes]:
    """The files of all keys by their names, for a backup. Raises ``KeyTrouble``."""
    for _ in range(3):  # a rotation may take a file away after the list was read
        before = read_index(folder)
        names = {path.name: path for path in folder.glob("*.pem")}
        wanted = [private_path(folder, entry.kid).name for entry in before]
        files = {name: names[name].read_bytes() for name in wanted if name in names}
        if before and read_index(folder) == before:
            return {index_path(folder).name: index_path(folder).read_bytes(), **files}
    raise KeyTrouble(f"there is no key in {folder}: run idp keys ensure")


def put_back(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of ``contents``; the list of keys last, by which they are found."""
    folder.mkdir(parents=True, exist_ok=True)
    index = index_path(folder).name
    for name in sorted(files, key=lambda each: each == index):
        if Path(name).name != name:
            raise KeyTrouble(f"{name} is no name of a key's file")
        write_private(folder / name, files[name])


def index_path(folder: Path) -> Path:
    """Where ``keyring.json`` lies."""
    return folder / "keyring.json"


def private_path(folder: Path, kid: str) -> Path:
    """Where a private key lies."""
    return folder / f"{kid}.pem"


def _generate(alg: str) -> OurKey:
    # RSA 2048: OpenID Connect requires RS256 of us; ES256 is what we recommend
    # (docs/decisions/signing-keys.md).
    if alg in {"RS256", "PS256", "RSA-OAEP-256"}:
        return RSAKey.generate_key(2048)
    if alg in {"ES256", "ECDH-ES"}:
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519")


def write_private(path: Path, content: bytes) -> None:
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
