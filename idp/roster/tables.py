"""CSV as it comes from Excel and from school software: encodings, separators, bounds."""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import IO, Any, Final

from idp.roster.archives import Progress, Source
from idp.roster.records import Hostile, Row, Unusable

MOST_COLUMNS: Final = 200
MOST_ROWS: Final = 2_000_000
LONGEST_CELL: Final = 10_000
LONGEST_LINE: Final = 200_000
_SNIFFED: Final = 64 * 1024
_Reader = Any
_DELIMITERS: Final = (";", "\t", ",", "|")


def rows(
    source: Source, name: str, progress: Progress = lambda _: None, *, lower: bool = False
) -> Iterator[Row]:
    """Each row under the header's words, in lower case if asked. Raises ``Unusable``, ``Hostile``.

    Rows longer than the header keep what fits; empty rows are passed over.
    """
    reader, header = _begun(source, name, progress)
    header = [word.lower() for word in header] if lower else header
    line = reader.line_num
    try:
        for count, cells in enumerate(reader):
            begins, line = line + 1, reader.line_num
            if count >= MOST_ROWS or len(cells) > MOST_COLUMNS:
                raise Hostile(f"{name} has too many rows or columns (line {begins})")
            if any(len(cell) > LONGEST_CELL for cell in cells):
                raise Hostile(
                    f"{name} has an endless cell in line {begins}: is a quote missing?",
                    "quote",
                    line=str(begins),
                )
            if any(cells):
                named = zip(header, cells, strict=False)
                yield Row(name, begins, {word: cell for word, cell in named if word})
    except csv.Error as error:
        raise Hostile(
            f"{name} can't be read after line {line}: is a quote missing?", "quote", line=str(line)
        ) from error


def header_of(source: Source, name: str) -> list[str]:
    """The words of the header."""
    return _begun(source, name, lambda _: None)[1]


def encoding_of(stream: IO[bytes]) -> str:
    """UTF-8 with or without BOM, UTF-16, else Windows-1252, by looking at every byte."""
    first = stream.read(_SNIFFED)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if first[1:200:2].count(0) > len(first[:200]) // 4:
        return "utf-16-le"
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = first
    try:
        while chunk:
            decoder.decode(chunk)
            chunk = stream.read(1024 * 1024)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def delimiter_of(line: str) -> str:
    """What separates the cells: whatever stands most often outside quotes."""
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _begun(source: Source, name: str, progress: Progress) -> tuple[_Reader, list[str]]:
    with source.open(name) as stream:
        encoding = encoding_of(stream)
    # What Windows-1252 leaves undefined is replaced, and refused as a name later
    text = io.TextIOWrapper(
        source.open(name, progress), encoding=encoding, errors="replace", newline=""
    )
    lines = _bounded(text, name)
    first = next(lines, "")
    skipped = 0
    delimiter = ""
    if first.lower().startswith("sep="):  # Excel's own hint
        delimiter, first, skipped = first[4:5], next(lines, ""), 1
    if not first.strip():
        raise Unusable(f"{name} is empty", "empty")
    reader = csv.reader(_chained(first, lines), delimiter=delimiter or delimiter_of(first))
    header = [cell.strip().lstrip("\ufeff") for cell in next(reader)]
    if len(header) > MOST_COLUMNS:
        raise Hostile(f"{name} has more than {MOST_COLUMNS} columns")
    named = [cell for cell in header if cell]
    if len(set(named)) < len(named):
        twice = next(cell for cell in named if named.count(cell) > 1)
        raise Unusable(
            f"{name} has two columns called « {twice[:40]} »", "column_twice", column=twice[:40]
        )
    return _Counted(reader, skipped), header


class _Counted:
    """A reader whose line numbers count a ``sep=`` line too."""

    def __init__(self, reader: _Reader, skipped: int) -> None:
        self._reader, self._skipped = reader, skipped

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self._reader)

    @property
    def line_num(self) -> int:
        return int(self._reader.line_num) + self._skipped


def _bounded(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise Hostile(f"{name} has a line without end")
        yield line


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
