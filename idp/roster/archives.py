"""Opens a zip, a folder or a single file as data: bounded, and never unpacked (rule A6).

Names inside a zip are compared with the few that we know; they never become paths on our disk.
"""

import hashlib
import io
import shutil
import stat
import tempfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final

from idp.roster.records import Hostile, Unusable

LARGEST_FILE: Final = 2 * 1024**3
LARGEST_WHOLE: Final = 4 * 1024**3
LARGEST_WORKBOOK: Final = 512 * 1024**2
MOST_ENTRIES: Final = 200
LARGEST_RATIO: Final = 200
"""Lists of names shrink to a tenth in a zip; a bomb to a thousandth."""
RATIO_COUNTS_FROM: Final = 1024**2
_CHUNK: Final = 1024**2

Progress = Callable[[int], None]
Workbook = Path | IO[bytes]
"""A workbook that lies in a folder, or a nameless copy of one that lay in a zip."""


class BoundedReader(io.RawIOBase):
    """Reads at most ``limit`` bytes, whatever a zip's directory claims; reports as it goes."""

    def __init__(self, inner: IO[bytes], limit: int, name: str, progress: Progress) -> None:
        self._inner, self._left, self._name, self._progress = inner, limit, name, progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._inner.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise Hostile("endless", file=self._name)
        view[: len(data)] = data
        self._progress(len(data))
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class Source(ABC):
    """The files of a roster by their plain names, lower case."""

    def __init__(self, path: Path, entries: dict[str, int]) -> None:
        self.path, self._sizes = path, entries

    @property
    def names(self) -> set[str]:
        return set(self._sizes)

    @property
    def size(self) -> int:
        """Bytes in all, uncompressed: what a progress bar counts."""
        return sum(self._sizes.values())

    def open(self, name: str, progress: Progress = lambda _: None) -> IO[bytes]:
        """The content of one file; the caller closes it."""
        bounded = BoundedReader(self._open(name), self._sizes[name], name, progress)
        return io.BufferedReader(bounded, _CHUNK)

    @abstractmethod
    def _open(self, name: str) -> IO[bytes]:
        """The content of one file, unbounded."""

    @abstractmethod
    def seekable(self, name: str) -> Workbook:
        """One file to be read from any place, as workbooks are: itself, or a copy of it."""

    def digest(self) -> str:
        """SHA-256 over names and contents."""
        whole = hashlib.sha256()
        for name in sorted(self._sizes):
            whole.update(f"{name}\0{self._sizes[name]}\0".encode())
            with self.open(name) as stream:
                while chunk := stream.read(_CHUNK):
                    whole.update(chunk)
        return whole.hexdigest()


class _Folder(Source):
    def __init__(self, path: Path, files: dict[str, Path]) -> None:
        self._files = files
        super().__init__(path, {name: each.stat().st_size for name, each in files.items()})

    def _open(self, name: str) -> IO[bytes]:
        return self._files[name].open("rb")

    def seekable(self, name: str) -> Workbook:
        return self._files[name]


class _Zip(Source):
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = _members(archive)
        self._copies: dict[str, IO[bytes]] = {}
        super().__init__(path, {name: each.file_size for name, each in self._members.items()})

    def _open(self, name: str) -> IO[bytes]:
        return self._archive.open(self._members[name])

    def seekable(self, name: str) -> Workbook:
        # A file without a name: nothing of it stays, however this ends
        if name not in self._copies:
            copy = self._copies[name] = tempfile.TemporaryFile()  # noqa: SIM115 – closed with us
            with self.open(name) as inner:
                shutil.copyfileobj(inner, copy, _CHUNK)
        return self._copies[name]

    def close(self) -> None:
        """Forget the copies."""
        for copy in self._copies.values():
            copy.close()


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The roster at ``path``: a folder, a zip of CSV files, a CSV or XLSX file.

    Raises ``Unusable``, and ``Hostile`` where opening it would be dangerous.
    """
    if path.is_symlink():
        raise Unusable("link", file=path.name)
    if path.is_dir():
        yield _folder(path)
    elif not path.is_file():
        raise Unusable("no_file", file=path.name)
    elif path.suffix.lower() in {".xlsx", ".xlsm"} or not zipfile.is_zipfile(path):
        yield _Folder(path, {path.name.lower(): path})
    else:
        with _archive(path, path.name) as archive, closing(_Zip(path, archive)) as source:
            yield source


def check_workbook(book: Workbook, name: str) -> None:
    """Refuse a workbook that is a zip bomb, or whose XML declares types or entities.

    Every part is read once: what the zip's directory claims of sizes is not believed.
    """
    if not zipfile.is_zipfile(book):
        raise Unusable("no_workbook", file=name)
    with _archive(book, name) as archive:
        _check_sizes(archive.infolist(), LARGEST_WORKBOOK)
        for entry in archive.infolist():
            if entry.filename.lower().endswith((".xml", ".rels", ".vml")):
                _check_xml(archive, entry)


def _check_xml(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    seen, tail = 0, b""
    with archive.open(entry) as part:
        while chunk := part.read(_CHUNK):
            seen += len(chunk)
            window = tail + chunk
            # Another encoding would hide the words that are looked for here
            foreign = seen == len(chunk) and (b"\0" in window[:64] or b"utf-16" in window[:200])
            if seen > entry.file_size or foreign:
                raise Hostile("forged_workbook")
            if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
                raise Hostile("xml_entities")
            tail = window[-16:]


@contextmanager
def _archive(file: Workbook, name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise Unusable("no_zip", file=name) from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries = [each for each in archive.infolist() if not each.is_dir()]
    _check_sizes(entries, LARGEST_WHOLE)
    members: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        parts = entry.filename.replace("\\", "/").split("/")
        if ".." in parts or entry.filename.startswith("/") or ":" in parts[0]:
            raise Hostile("path_out_of_zip")
        if stat.S_ISLNK(entry.external_attr >> 16) or entry.flag_bits & 1:
            raise Unusable("encrypted")
        name = parts[-1].lower()
        if name.startswith(".") or parts[0] == "__MACOSX":
            continue
        if name in members:
            raise Unusable("twice", name=name[:80])
        members[name] = entry
    return members


def _check_sizes(entries: list[zipfile.ZipInfo], largest: int) -> None:
    if len(entries) > MOST_ENTRIES:
        raise Hostile("zip_of_many", most=MOST_ENTRIES)
    if sum(each.file_size for each in entries) > largest:
        raise Hostile("zip_too_large")
    for each in entries:
        packed = max(each.compress_size, 1)
        if each.file_size > RATIO_COUNTS_FROM and each.file_size / packed > LARGEST_RATIO:
            raise Hostile("zip_bomb")


def _folder(path: Path) -> Source:
    files: dict[str, Path] = {}
    for each in sorted(path.iterdir()):
        if each.is_symlink():
            raise Unusable("link_in_folder", name=each.name[:80])
        if each.is_file() and not each.name.startswith("."):
            files[each.name.lower()] = each
        if len(files) > MOST_ENTRIES:
            raise Hostile("folder_of_many", most=MOST_ENTRIES)
    if any(each.stat().st_size > LARGEST_FILE for each in files.values()):
        raise Hostile("folder_too_large")
    return _Folder(path, files)
