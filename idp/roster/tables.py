"""Reads CSV as Excel and school software write it: encodings, separators, bounds."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final

from idp.roster import encodings, headers
from idp.roster.archives import Progress, Source
from idp.roster.headers import Header
from idp.roster.layout import Layout
from idp.roster.records import Hostile, Row, Unusable
from idp.roster.spreadsheet_cells import unquoted

MOST_COLUMNS: Final = 200
MOST_ROWS: Final = 2_000_000
LONGEST_CELL: Final = 10_000
LONGEST_LINE: Final = 200_000
Again = Callable[[str], None]
"""Takes the file or sheet in which the header stands once more."""
_Reader = Any
_DELIMITERS: Final = (";", "\t", ",", "|")


def rows(
    source: Source,
    name: str,
    progress: Progress = lambda _: None,
    *,
    lower: bool = False,
    layout: Layout | None = None,
    again: Again = lambda _: None,
) -> Iterator[Row]:
    """Each row under the header's words, in lower case if asked. Raises ``Unusable``, ``Hostile``.

    ``layout``: the file is a list, whose header is found. Rows longer than the header keep what
    fits; empty rows, and the header once more, are passed over. ``again``: is told of the latter.
    """
    begun = _begun(source, name, progress, layout)
    reader, header = begun.reader, begun.header
    words = [word.lower() for word in header.words] if lower else header.words
    line = reader.line_num
    try:
        for count, cells in enumerate(reader):
            begins, line = line + 1, reader.line_num
            if count >= MOST_ROWS or len(cells) > MOST_COLUMNS:
                raise Hostile("too_many_cells", file=name, line=begins)
            if any(len(cell) > LONGEST_CELL for cell in cells):
                raise Hostile("endless_quote", file=name, line=begins)
            if begins <= header.last or not any(cells):
                continue
            if header.repeats(cells):
                again(name)
            else:
                named = zip(words, map(unquoted, cells) if layout else cells, strict=False)
                yield Row(name, begins, {word: cell for word, cell in named if word})
    except csv.Error as error:
        raise Hostile("quote", file=name, line=line) from error


def header_of(source: Source, name: str, layout: Layout) -> Header:
    """The header of a list."""
    return _begun(source, name, lambda _: None, layout).header


def encoding_of(source: Source, name: str, layout: Layout | None = None) -> str:
    """The file's encoding by Python's name."""
    return encodings.detect_encoding(lambda: source.open(name), layout.encoding if layout else None)


def delimiter_of(lines: list[str]) -> str:
    """What separates the cells: what makes most known words of a line, else stands most often."""
    return max(
        _DELIMITERS,
        key=lambda each: (_best_of(lines, each), sum(_bare(line).count(each) for line in lines)),
    )


@dataclass
class _Begun:
    reader: "_Counted"
    header: Header


def _begun(source: Source, name: str, progress: Progress, layout: Layout | None) -> _Begun:
    # What the encoding leaves undefined is replaced, and refused as a name later
    text = io.TextIOWrapper(
        source.open(name, progress),
        encoding=encoding_of(source, name, layout),
        errors="replace",
        newline="",
    )
    lines = _bounded(text, name)
    first = list(islice(lines, headers.LOOKED_AT if layout else 1))
    skipped = 0
    delimiter = ""
    if first and first[0].lower().lstrip("\ufeff").startswith("sep="):  # Excel's own hint
        delimiter, skipped = first[0].lstrip("\ufeff")[4:5], 1
        first = [*first[1:], *islice(lines, 1)]
    if not layout and not "".join(first).strip():
        raise Unusable("empty", file=name)
    delimiter = delimiter.strip("\r\n") or delimiter_of(first)
    whole = chain(first, lines)
    if layout is None:
        reader = _Counted(csv.reader(whole, delimiter=delimiter), skipped)
        words = [cell.strip().lstrip("\ufeff") for cell in next(iter(reader))]
        header = headers.checked(name, reader.line_num, words)
    else:
        header = headers.find_header(name, _numbered(first, delimiter, skipped), layout.header)
        reader = _Counted(csv.reader(whole, delimiter=delimiter), skipped)
    if len(header.words) > MOST_COLUMNS:
        raise Hostile("too_many_columns", file=name, most=MOST_COLUMNS)
    return _Begun(reader, header)


def _numbered(lines: list[str], delimiter: str, skipped: int) -> list[headers.Line]:
    """The first lines' cells, each with the number of the line that it ends in."""
    reader = _Counted(csv.reader(lines, delimiter=delimiter), skipped)
    try:
        return [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise Unusable("quote_in_header", line=reader.line_num) from error


def _best_of(lines: list[str], delimiter: str) -> int:
    """How many known words the best line has, cut at this."""
    try:
        counts = [headers.known(cells) for cells in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        return 0
    most = max(counts, default=0)
    return most if most > 1 else 0


def _bare(line: str) -> str:
    return "".join(line.split('"')[::2])


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
            raise Hostile("endless_line", file=name)
        yield line
