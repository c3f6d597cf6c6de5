"""What a backup looks like on a disk: whatever happens to its bytes is noticed, and named."""

import io
import os
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.backup import sealed
from idp.backup.sealed import Opened, Sealer
from idp.backup.troubles import (
    Appended,
    BackupTrouble,
    Damaged,
    Newer,
    Reordered,
    Truncated,
    WrongKey,
)

KEY = b"a key of a test, which nobody else has: 7Qd1"
PIECE = 256
HEAD = 59
FRAMED = PIECE + sealed.TAG + 9


@pytest.fixture(autouse=True, scope="module")
def small_pieces() -> Iterator[None]:
    """Many pieces without many bytes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sealed, "PIECE", PIECE)
        yield


def written(data: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    sealer = Sealer(file, key)
    for begin in range(0, len(data), 100):
        sealer.write(data[begin : begin + 100])
    sealer.finish()
    return file.getvalue()


def read(text: bytes, *keys: bytes) -> bytes:
    opened, data = Opened(io.BytesIO(text), keys or (KEY,)), b""
    while more := opened.read(77):
        data += more
    return data


DATA = os.urandom(5 * PIECE + 40)


@pytest.fixture(scope="module")
def backup(small_pieces: None) -> bytes:
    return written(DATA)


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_what_was_written_is_read(size: int) -> None:
    data = os.urandom(size)
    assert read(written(data)) == data
    assert data[:40] not in written(data) or size < 4


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_one_bit_anywhere_is_noticed(data: st.DataObject) -> None:
    backup = written(DATA)
    at = data.draw(st.integers(0, len(backup) - 1))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(backup)
    changed[at] ^= 1 << bit
    with pytest.raises(BackupTrouble):
        read(bytes(changed))


def test_each_byte_of_each_kind_is_noticed(backup: bytes) -> None:
    """Every byte of the head, of a piece in the middle and of the last one."""
    middle = HEAD + 2 * FRAMED
    for at in (
        *range(HEAD + 12),
        *range(middle, middle + FRAMED),
        *range(HEAD + 5 * FRAMED, len(backup)),
    ):
        changed = bytearray(backup)
        changed[at] ^= 0x40
        with pytest.raises(BackupTrouble):
            read(bytes(changed))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_is_cut_off_is_said_to_be(data: st.DataObject) -> None:
    backup = written(DATA)
    with pytest.raises(Truncated, match="cut off"):
        read(backup[: data.draw(st.integers(0, len(backup) - 1))])


@pytest.mark.parametrize("more", [b"\0", b"x" * 1000])
def test_what_follows_is_said_to_be_appended(backup: bytes, more: bytes) -> None:
    with pytest.raises(Appended, match=f"byte {len(backup)}"):
        read(backup + more)
    with pytest.raises(Appended):
        read(backup + backup)


def pieces(backup: bytes) -> tuple[bytes, list[bytes]]:
    head, rest = backup[:HEAD], backup[HEAD:]
    return head, [rest[at : at + FRAMED] for at in range(0, len(rest), FRAMED)]


@pytest.mark.parametrize(
    "order", [(0, 2, 1, 3, 4, 5), (1, 0, 2, 3, 4, 5), (0, 1, 1, 2, 3, 4, 5), (0, 2, 3, 4, 5), (5,)]
)
def test_another_order_is_named(backup: bytes, order: tuple[int, ...]) -> None:
    head, each = pieces(backup)
    assert len(each) == 6
    with pytest.raises(Reordered, match="belongs"):
        read(head + b"".join(each[number] for number in order))


def test_a_piece_of_another_backup_fits_nowhere(backup: bytes) -> None:
    head, ours = pieces(backup)
    _, theirs = pieces(written(DATA))
    with pytest.raises(Damaged, match="piece 2"):
        read(head + b"".join([*ours[:2], theirs[2], *ours[3:]]))


def test_a_piece_said_to_be_the_last_is_none(backup: bytes) -> None:
    head, each = pieces(backup)
    number, _, length = struct.unpack("!IBI", each[2][:9])
    forged = struct.pack("!IBI", number, 1, length) + each[2][9:]
    with pytest.raises(Damaged):
        read(head + each[0] + each[1] + forged)


def test_another_key_is_named_and_a_former_one_opens(backup: bytes) -> None:
    other = b"another key: nobody has it either, 3jT9"
    with pytest.raises(WrongKey, match="--key-file"):
        read(backup, other)
    assert read(backup, other, KEY) == DATA
    assert KEY not in backup


def test_a_later_form_is_said_to_be_newer(backup: bytes) -> None:
    changed = bytearray(backup)
    changed[len(sealed.MAGIC)] = 2
    with pytest.raises(Newer, match="form 2"):
        read(bytes(changed))


@pytest.mark.parametrize("text", [b"PGDMP" + b"\0" * 100, b"SQLite format 3\0" + b"\0" * 100])
def test_what_is_no_backup_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(Damaged, match="no backup"):
        read(text)


def test_two_backups_of_the_same_have_nothing_in_common() -> None:
    one, other = written(DATA), written(DATA)
    assert len(one) == len(other)
    assert one[27:] != other[27:]
    alike = sum(a == b for a, b in zip(one[HEAD:], other[HEAD:], strict=True))
    assert alike < len(one) / 10
