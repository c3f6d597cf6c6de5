"""How a list lies in its file: encoding, header, sheets. A person says it, or it is detected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idp.errors import Invalid
from idp.roster.encodings import CHOICES

MOST_SHEETS: Final = 100


@dataclass(frozen=True)
class Layout:
    """What was said of a list; what is None or empty is found from the file."""

    encoding: str | None = None
    header: tuple[int, int] | None = None
    """First and last line of the header, as an editor or spreadsheet counts."""
    sheets: tuple[str, ...] = ()
    """Sheets of a workbook that are read, as one list."""
    single_names: bool = False
    """People with one name only are taken over, and are no typing error."""
    own_numbers: bool = False
    """A column of numbers that counts 1, 2, 3… holds the school's own numbers all the same."""

    def as_json(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "header": list(self.header) if self.header else None,
            "sheets": list(self.sheets),
            "single_names": self.single_names,
            "own_numbers": self.own_numbers,
        }


def from_json(document: Mapping[str, Any] | None) -> Layout:
    """A layout as a job keeps it."""
    document = document or {}
    header = document.get("header")
    return Layout(
        encoding=document.get("encoding"),
        header=(header[0], header[1]) if header else None,
        sheets=tuple(document.get("sheets", ())),
        single_names=bool(document.get("single_names")),
        own_numbers=bool(document.get("own_numbers")),
    )


def layout_from_input(
    encoding: str = "", header: str = "", sheets: tuple[str, ...] = (), *, single: bool = False
) -> Layout:
    """A layout from what somebody typed or chose; raises ``Invalid``."""
    if encoding and encoding not in CHOICES:
        raise Invalid("encoding", "one_of", allowed=CHOICES)
    if len(sheets) > MOST_SHEETS:
        raise Invalid("sheet", "too_many_sheets", most=MOST_SHEETS)
    return Layout(encoding or None, _lines(header), tuple(dict.fromkeys(sheets)), single)


def _lines(text: str) -> tuple[int, int] | None:
    """« 4 », or « 3-4 » for a header of two lines."""
    text = text.strip().replace("–", "-")
    if not text:
        return None
    first, _, last = text.partition("-")
    numbers = [each.strip() for each in (first, last or first)]
    if all(each.isascii() and each.isdigit() and 0 < len(each) < 5 for each in numbers):
        begin, end = int(numbers[0]), int(numbers[1])
        if 1 <= begin <= end <= begin + 2:
            return begin, end
    raise Invalid("header_row", "no_header_row")
