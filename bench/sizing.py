"""``python -m bench.sizing``: what so many families need, from what one of them costs.

Prints the tables of docs/scale.md. What one costs is measured by
``tests/services/test_unit_costs.py``; processor times are those of ``make bench``.
"""

import sys
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Cost:
    """What one of something leaves in PostgreSQL, and the processor that it takes."""

    rows: int
    size: int
    """Bytes, with its indexes."""
    events: int = 0
    """How many of the rows are the audit trail's."""
    ours: float = 0
    """Milliseconds of the provider's processor, without bcrypt."""
    database: float = 0
    """Milliseconds of PostgreSQL's processor."""


EVENT: Final = 420
"""Bytes of a row of the audit trail."""
FAMILY: Final = Cost(rows=14, size=9_500, events=5)
SIGN_IN: Final = Cost(rows=9, size=5_200, events=2, ours=30, database=5)
CODE_FLOW: Final = Cost(rows=4, size=1_500, events=1, ours=6, database=1.8)
REFRESH: Final = Cost(rows=2, size=600, ours=1.8, database=0.6)
COSTS: Final = {
    "a family: account, password, two children, the directory": FAMILY,
    "a sign-in with password, up to the application's tokens": SIGN_IN,
    "the next application (code flow)": CODE_FLOW,
    "a refresh": REFRESH,
}

BCRYPT: Final = 0.26
"""Seconds of processor at cost 12."""
VISITS: Final = 60
"""Of a family in a year: three in two weeks of school; each opens two applications."""
REFRESHES: Final = 600
"""Of a family in a year: ten a visit."""
PEAK: Final = 0.2
"""The share of families that come within one hour, on a Monday morning."""
BUSY: Final = 0.6
"""How much of a core is used at the peak, so that nobody waits for long."""
STAY: Final = 0.8
"""The share of visits without a password, where families stay signed in or have passkeys."""
LIVES: Final = 31
"""Days that sessions, grants and tokens stay, with a purge a day."""
AUDIT: Final = 400 + 30
"""Days that an event stays."""
FAMILIES: Final = (100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class Sized:
    """What so many families need."""

    families: int

    @property
    def sign_ins(self) -> float:
        """A second, at the peak."""
        return self.families * PEAK / 3600

    @property
    def bcrypt(self) -> float:
        """Cores that do nothing else, at the peak."""
        return self.sign_ins * BCRYPT / BUSY

    @property
    def ours(self) -> float:
        """Cores of the provider beside those."""
        return self.sign_ins * (SIGN_IN.ours + CODE_FLOW.ours) / 1000 / BUSY

    @property
    def database(self) -> float:
        """PostgreSQL's cores."""
        return self.sign_ins * (SIGN_IN.database + CODE_FLOW.database) / 1000 / BUSY

    @property
    def rows_a_day(self) -> float:
        """What comes, and what the purge removes, the audit trail apart."""
        rows = VISITS * (SIGN_IN.rows + CODE_FLOW.rows) + REFRESHES * REFRESH.rows
        return self.families * (rows - VISITS * _events()) / 365

    @property
    def living(self) -> float:
        """Bytes of what is kept for good, and of what lives for a month."""
        written = VISITS * (SIGN_IN.size + CODE_FLOW.size) + REFRESHES * REFRESH.size
        of_a_year = written - VISITS * _events() * EVENT
        return self.families * (FAMILY.size - FAMILY.events * EVENT + of_a_year * LIVES / 365)

    @property
    def events_a_year(self) -> float:
        """Of the audit trail."""
        return self.families * VISITS * _events()

    @property
    def audit(self) -> float:
        """Bytes of the audit trail, when the oldest of it leaves."""
        return self.events_a_year * EVENT * AUDIT / 365


def _events() -> int:
    return SIGN_IN.events + CODE_FLOW.events


def costs() -> str:
    """The table of what one of each costs."""
    lines = ["| | rows | kB | CPU ms, provider | CPU ms, PostgreSQL |", "|---|---|---|---|---|"]
    for name, cost in COSTS.items():
        bcrypt = f" + {1000 * BCRYPT:.0f} of bcrypt" if cost is SIGN_IN else ""
        times = f"{cost.ours:g}{bcrypt} | {cost.database:g}" if cost.ours else "– | –"
        lines.append(f"| {name} | {cost.rows} | {cost.size / 1000:.1f} | {times} |")
    year = VISITS * (SIGN_IN.size + CODE_FLOW.size) + REFRESHES * REFRESH.size
    rows = VISITS * (SIGN_IN.rows + CODE_FLOW.rows) + REFRESHES * REFRESH.rows
    ours = VISITS * (SIGN_IN.ours + CODE_FLOW.ours + 1000 * BCRYPT) + REFRESHES * REFRESH.ours
    theirs = VISITS * (SIGN_IN.database + CODE_FLOW.database) + REFRESHES * REFRESH.database
    lines.append(
        f"| **a family's year**: {VISITS} visits to two applications, {REFRESHES} refreshes |"
        f" {rows:,} | {year / 1000:,.0f} | {ours:,.0f} | {theirs:,.0f} |"
    )
    return "\n".join(lines)


def sizes() -> str:
    """The table of what so many families need."""
    sized = [Sized(count) for count in FAMILIES]
    rows = {
        "sign-ins a second at the peak": [f"{each.sign_ins:.0f}" for each in sized],
        "cores of bcrypt, everybody with a password": [_few(each.bcrypt) for each in sized],
        f"the same where {STAY:.0%} stay signed in": [
            _few(each.bcrypt * (1 - STAY)) for each in sized
        ],
        "cores of the provider beside it": [_few(each.ours) for each in sized],
        "cores of PostgreSQL": [_few(each.database) for each in sized],
        "rows that come and go in a day": [f"{each.rows_a_day:,.0f}" for each in sized],
        "on the disk without the audit trail": [_bytes(each.living) for each in sized],
        "events in a year": [f"{each.events_a_year:,.0f}" for each in sized],
        "the audit trail on the disk": [_bytes(each.audit) for each in sized],
    }
    lines = [
        "| families | " + " | ".join(f"{count:,}" for count in FAMILIES) + " |",
        "|---|" + "---|" * len(FAMILIES),
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
    ]
    return "\n".join(lines)


def _few(cores: float) -> str:
    return f"{cores:.1f}" if cores < 10 else f"{cores:,.0f}"


def _bytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count < 1e12 else f"{count / 1e12:,.1f} TB"


if __name__ == "__main__":
    print(costs(), sizes(), sep="\n\n")
    sys.exit()
