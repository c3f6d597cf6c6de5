"""What can be shown once: nothing is changed for it where it could not be written, and what is
written in vain all the same says what to do.
"""

import ctypes
import errno
import io
import os
import select
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from idp.cli.errors import BadInput

_ROOM = 16 * 1024
"""Bytes; more than any of these answers."""
_KEEP_SIZE = 1  # fallocate(2)


@contextmanager
def private_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """What writes a file that only the user who ran the command may read: it takes the place of
    one that was there when all is done, and nothing is left of it where something failed before.

    Once the writing returns, the bytes are on the disk. Raises ``BadInput``.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise BadInput(f"{path} can't be written: it is something else than a file")
    with _named(path):
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(number, "wb") as file:

            def write(content: bytes) -> None:
                with _named(path):
                    file.seek(0)
                    file.truncate()
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())

            yield write
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    try:
        Path(name).replace(path)
    except OSError as error:  # what it holds can't be made again: it stays
        raise BadInput(f"{path} can't be written: {error.strerror}; it is in {name}") from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path} can't be written: {error.strerror}") from error


def check_output() -> None:
    """Refuse to begin where standard output can take nothing. Raises ``BadInput``."""
    try:
        number = sys.stdout.fileno()
    except io.UnsupportedOperation:
        return  # in memory
    try:
        _check_room(number)
    except OSError as error:
        reason = error.strerror
        raise BadInput(f"standard output can't be written: {reason}; nothing was done") from error


def _check_room(number: int) -> None:
    status = os.fstat(number)
    if stat.S_ISREG(status.st_mode):
        _reserve(number, status.st_size)
    elif stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        reader = select.poll()
        reader.register(number, 0)  # whether it has gone is told unasked
        if any(events & (select.POLLERR | select.POLLHUP) for _, events in reader.poll(0)):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    elif not os.isatty(number):
        os.write(number, b"\n")  # of a device no question tells, such as /dev/full


def _reserve(number: int, size: int) -> None:
    """Set room aside behind the end of a file, which others may write to: its size stays."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if libc.fallocate(number, _KEEP_SIZE, size, _ROOM) != 0:
        reason = ctypes.get_errno()
        if reason in {
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EIO,
        }:  # else: it can't be asked
            raise OSError(reason, os.strerror(reason))


@contextmanager
def explaining_failure(then: str) -> Iterator[None]:
    """Print what can be shown once; where that fails, say so, and what is to be done ``then``."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())  # what waits is not tried once more
        raise BadInput(f"it could not be shown ({error.strerror}): {then}") from error
