"""Finds columns that count rows: 1, 2, 3… is the number of nobody (security rule N2).

When one pupil is inserted, every number below means another child. So such a column is not read as
the school's own numbers, whoever named it so, unless somebody says that they are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from idp.roster.mapping import Mapping
from idp.roster.records import Row

_LEAST: Final = 3
_GAP: Final = 3
_GAPS: Final = 0.1
"""Of a list from which some rows were taken out after they had been numbered."""


@dataclass
class _Count:
    last: int | None = None
    seen: int = 0
    missing: int = 0
    counts: bool = True

    def take(self, cell: str) -> None:
        text = cell.strip().rstrip(".")
        if not text:
            return
        if not (text.isascii() and text.isdigit() and len(text) < 7):
            self.counts = False
            return
        number = int(text)
        step = number - self.last if self.last is not None else (1 if number < 2 else _GAP + 1)
        begins_anew = number == 1 and self.last is not None
        self.counts = begins_anew or 0 <= step <= _GAP
        self.missing += max(step - 1, 0) if not begins_anew else 0
        self.seen += step != 0
        self.last = number


def without(mapping: Mapping, rows: Iterator[Row]) -> tuple[Mapping, list[str]]:
    """The mapping without columns of numbers that count rows, and which these are."""
    counts = {name: _Count() for name, to in mapping.columns.items() if to.endswith(".number")}
    for row in rows:
        going = [name for name, each in counts.items() if each.counts]
        if not going:
            break
        for name in going:
            counts[name].take(row.cells.get(name, ""))
    counters = [
        name
        for name, each in counts.items()
        if each.counts and each.seen >= _LEAST and each.missing <= _GAPS * each.seen
    ]
    columns = {name: to for name, to in mapping.columns.items() if name not in counters}
    return replace(mapping, columns=columns, unused=(*mapping.unused, *counters)), counters
