"""Where the marks of a picture stand: numbers for the templates that draw it as SVG.

Pictures are 320 units wide, so that their words can be read on the narrowest phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from idp.desk.overview.onboarding import Row

WIDTH: Final = 320
STEP_HEIGHT: Final = 42
ROW_HEIGHT: Final = 40
HOURS_HEIGHT: Final = 120
HOUR_WIDTH: Final = WIDTH / 24


@dataclass(frozen=True)
class Bar:
    """One mark; ``kind`` names its class in the stylesheet."""

    x: float
    y: float
    width: float
    height: float
    value: int
    kind: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the picture by class or school: its name, and how far its guardians came."""

    name: str
    y: float
    first: int
    last: int
    bars: tuple[Bar, ...]


def steps(total: Row) -> list[Bar]:
    """A bar for each step of all together, under its words."""
    most = max(total.counts[0], 1)
    return [
        Bar(0, n * STEP_HEIGHT + 18, _part(count, most), 16, count)
        for n, count in enumerate(total.counts)
    ]


def lines(rows: Sequence[Row]) -> list[Line]:
    """A bar for each row, in pieces: who came farthest stands first, who has not begun last."""
    return [_line(row, n * ROW_HEIGHT) for n, row in enumerate(rows)]


def hours(counts: Sequence[int]) -> list[Bar]:
    """A bar for each hour of the day."""
    most = max(*counts, 1)
    bars = []
    for hour, count in enumerate(counts):
        height = round((HOURS_HEIGHT - 24) * count / most, 2)
        top = HOURS_HEIGHT - 4 - height
        bars.append(Bar(round(hour * HOUR_WIDTH + 1, 2), top, HOUR_WIDTH - 2, height, count))
    return bars


def _line(row: Row, y: float) -> Line:
    bars, x = [], 0.0
    for step in reversed(range(len(row.counts))):
        width = _part(row.stopped[step], max(row.counts[0], 1))
        if width:
            bars.append(Bar(x, y + 18, width, 14, row.stopped[step], f"reached-{step}"))
        x += width
    return Line(row.name, y, row.counts[0], row.counts[-1], tuple(bars))


def _part(count: int, of: int) -> float:
    return round(WIDTH * count / of, 2)
