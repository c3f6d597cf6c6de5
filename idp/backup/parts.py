"""What stands in a backup: a manifest, the keys, who was erased, and the database, one after the
other, so that it is written and read in one go.

Each part has a name and comes in blocks, whose sum nobody knows when it begins.
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final, Self

from idp.backup.sealed import Opened, Sealer
from idp.backup.troubles import Damaged, Newer
from idp.settings import Settings

MANIFEST: Final = "manifest"
ERASURES: Final = "erasures"
DATABASE: Final = "database"
KEYS: Final = "keys/"
BLOCK: Final = 64 * 1024
_NAME: Final = struct.Struct("!H")
_LENGTH: Final = struct.Struct("!I")
_SECRETS: Final = (
    *("session_secret", "password_pepper", "token_hash_key", "subject_key"),
    "keys_encryption_key",
)
LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a part that is read whole; the database and who was erased never are."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Of what, when and by whom a backup was made, and how many rows each table had then."""

    made_at: str
    release: str
    revision: str
    kind: str
    """``postgresql`` or ``sqlite``."""
    database: str
    """The identity of the database (``DatabaseIdentity``)."""
    issuer: str
    fingerprints: dict[str, list[str]]
    """Of each secret; they tell nothing of it."""
    newest_event: tuple[int, str] | None
    restored_at: str | None = None
    """When a backup last took the database's place: the events go on from that one's. 0.6.0 didn't
    say."""
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def moment(self) -> datetime:
        """The state of which moment it holds."""
        return datetime.fromisoformat(self.made_at).astimezone(UTC)

    @property
    def restored(self) -> datetime | None:
        """``restored_at``, as a moment."""
        at = self.restored_at
        return datetime.fromisoformat(at).astimezone(UTC) if at else None

    def as_json(self) -> bytes:
        """To be written."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, text: bytes) -> Self:
        """From what was written, by this release or one that says more."""
        document: dict[str, Any] = json.loads(text)
        newest = document["newest_event"]
        known = {each.name: document[each.name] for each in fields(cls) if each.name in document}
        return cls(**{**known, "newest_event": newest and (newest[0], newest[1])})


def fingerprints_of(ours: Settings) -> dict[str, list[str]]:
    """By the setting's name, of each secret that the database or the applications know."""
    return {name: list(ours.fingerprints[name]) for name in _SECRETS if name in ours.fingerprints}


class Part:
    """One part that is being read, once."""

    def __init__(self, source: Opened, name: str) -> None:
        self.name = name
        self._source = source
        self._left = 0
        self._is_over = False

    def blocks(self) -> Iterator[bytes]:
        """All of it that was not read yet."""
        while not self._is_over:
            (length,) = _LENGTH.unpack(self._source.exactly(_LENGTH.size))
            if length == 0:
                self._is_over = True
            else:
                yield self._source.exactly(length)

    def whole(self) -> bytes:
        """All of a small one."""
        data = bytearray()
        for block in self.blocks():
            data += block
            if len(data) > LARGEST:
                raise Newer(f"the backup's part {self.name} is larger than this release makes any")
        return bytes(data)

    def lines(self) -> Iterator[bytes]:
        """Its lines, of which only one is kept in mind."""
        rest = b""
        for block in self.blocks():
            *whole, rest = (rest + block).split(b"\n")
            yield from whole
        if rest:
            yield rest


def write_part(to: Sealer, name: str, blocks: Iterator[bytes]) -> None:
    """Write one part."""
    encoded = name.encode()
    to.write(_NAME.pack(len(encoded)) + encoded)
    for block in blocks:
        if block:
            to.write(_LENGTH.pack(len(block)) + block)
    to.write(_LENGTH.pack(0))


def write_end(to: Sealer) -> None:
    """Write that no part follows, and all that waits."""
    to.write(_NAME.pack(0))
    to.finish()


def read_parts(source: Opened) -> Iterator[Part]:
    """Each part; what its reader leaves of it is passed over. At the end all of it is proved."""
    while True:
        (length,) = _NAME.unpack(source.exactly(_NAME.size))
        if length == 0:
            break
        part = Part(source, source.exactly(length).decode())
        yield part
        for _ in part.blocks():
            pass
    if source.read(1):
        raise Damaged("the backup is damaged: something stands behind its end")
