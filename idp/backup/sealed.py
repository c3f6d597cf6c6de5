"""What a backup looks like on a disk: pieces, each encrypted and proved by itself, in one order.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance, 2015), as age and Tink have it: AES-256-GCM under a key of
this file alone, a nonce that holds the piece's number and whether it is the last. So a backup of
any size goes through the memory of one piece, and no piece can be changed, left out, doubled, put
elsewhere or cut off at the end (docs/decisions/backups.md).
"""

import hmac
import os
import struct
from collections.abc import Collection
from hashlib import sha256
from typing import BinaryIO, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp.backup.troubles import (
    Appended,
    BackupTrouble,
    Damaged,
    Newer,
    Reordered,
    Truncated,
    WrongKey,
)

MAGIC: Final = b"school-idp backup\n"
FORMAT: Final = 1
PIECE: Final = 128 * 1024
"""Bytes of what is written that one piece holds; the last one may hold fewer."""
TAG: Final = 16
_HEAD: Final = struct.Struct(f"!{len(MAGIC)}sB8s32s")  # what it is, form, which key, salt
_FRAME: Final = struct.Struct("!IBI")  # number, whether it is the last, length


class Readable(Protocol):
    """What a backup is read from: a file, or a pipe."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Sealer:
    """Writes a backup: whatever is written comes out encrypted, once enough of it is there."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        head = _HEAD.pack(MAGIC, FORMAT, key_name(key), os.urandom(32))
        self._file = file
        self._cipher = _cipher(key, head)
        self._number = 0
        self._waiting = bytearray()
        file.write(head)

    def write(self, data: bytes) -> None:
        """Take more of what is to be kept."""
        self._waiting += data
        while len(self._waiting) > PIECE:
            self._write_piece(bytes(self._waiting[:PIECE]), is_last=False)
            del self._waiting[:PIECE]

    def finish(self) -> None:
        """Write the last piece: without it a backup is cut off."""
        self._write_piece(bytes(self._waiting), is_last=True)
        self._waiting.clear()

    def _write_piece(self, data: bytes, *, is_last: bool) -> None:
        frame = _FRAME.pack(self._number, is_last, len(data) + TAG)
        nonce = _nonce(self._number, is_last)
        self._file.write(frame + self._cipher.encrypt(nonce, data, frame))
        self._number += 1


class Opened:
    """Reads a backup; what ``read`` has returned is what was written, so far.

    Raises a ``BackupTrouble`` that says what is wrong as soon as that is known.
    """

    def __init__(self, file: Readable, keys: Collection[bytes]) -> None:
        self._file = file
        self._offset = 0
        head = self._take(_HEAD.size)
        _refuse_stranger(head)
        _, form, name, _ = _HEAD.unpack(head)
        if form != FORMAT:
            raise Newer(
                f"the backup has form {form}, and this release knows form {FORMAT}: restore it"
                " with the release that made it, or a newer one"
            )
        key = next((each for each in keys if key_name(each) == name), None)
        if key is None:
            raise WrongKey(
                "the backup was encrypted with another key than IDP_BACKUP_KEY: name the file of"
                " that key with --key-file"
            )
        self._cipher = _cipher(key, head)
        self._number = 0
        self._is_over = False
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none once all was read, and proved to be all."""
        while not self._ready and not self._is_over:
            self._ready = self._next_piece()
        data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        data = b""
        while len(data) < size:
            more = self.read(size - len(data))
            if not more:
                raise Damaged("the backup is damaged: it holds less than it says")
            data += more
        return data

    def _next_piece(self) -> bytes:
        begin = self._offset
        frame = self._take(_FRAME.size)
        number, is_last, length = _FRAME.unpack(frame)
        if is_last not in {0, 1} or not TAG <= length <= PIECE + TAG:
            raise self._damaged(begin)
        sealed = self._take(length)
        data = self._decrypt(number, bool(is_last), sealed, frame)
        if data is None:
            raise self._damaged(begin)
        if number != self._number:
            raise Reordered(
                f"the backup's pieces are in another order: piece {number} stands where piece"
                f" {self._number} belongs (from byte {begin} on)"
            )
        self._number += 1
        if is_last:
            self._is_over = True
            if self._file.read(1):
                raise Appended(
                    f"something was appended to the backup: it ends at byte {self._offset}"
                )
        return data

    def _decrypt(self, number: int, is_last: bool, sealed: bytes, frame: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(_nonce(number, is_last), sealed, frame)
        except InvalidTag:
            return None

    def _damaged(self, begin: int) -> BackupTrouble:
        return Damaged(
            f"the backup is damaged: piece {self._number}, from byte {begin} on, is not what was"
            " written"
        )

    def _take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._file.read(size - len(data))
            if not more:
                raise Truncated(
                    f"the backup is cut off: it goes on after its {self._offset + len(data)} bytes"
                )
            data += more
        self._offset += size
        return data


def key_name(key: bytes) -> bytes:
    """What tells one key from another, and nothing of the key."""
    return hmac.digest(key, b"name of a backup's key", sha256)[:8]


def _refuse_stranger(head: bytes) -> None:
    if not head.startswith(MAGIC):
        raise Damaged(
            "this is no backup that `idp backup create` has made, or its first bytes are damaged"
        )


def _cipher(key: bytes, head: bytes) -> AESGCM:
    """A key for this file alone: of what stands at its head, each byte counts."""
    salt = head[-32:]
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=head).derive(key))


def _nonce(number: int, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])
