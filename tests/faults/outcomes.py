"""What each fault came to, in one table: printed at the end of a run, and kept in a file."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.traffic import Traffic

WITHIN = 5.0
"""Seconds after which nothing fails any more, once the cause of an unplanned fault is gone."""
MOST = 4.0
"""On a machine that is busier than this no mark is larger still."""
FILE = Path("build/faults.md")
HEADER = (
    "fault",
    "requests",
    "failed",
    f"recovered, from when what was gone answers (mark: {WITHIN:.0f} s times busy)",
    "from when its process was started",
    "slowest",
    "busy: times as long as alone",
    "lost commits",
    "rows that break a rule",
)


_WORK = """
from time import monotonic, process_time
began, used = monotonic(), process_time()
while process_time() < used + 0.3:
    sum(range(1000))
print((monotonic() - began) / 0.3)
"""


@dataclass(frozen=True)
class Outcome:
    """One line."""

    fault: str
    requests: int
    failed: Counter[tuple[str, str]]
    recovered_within: float
    failed_until: float = 0.0
    """Seconds from when what was gone was started, which takes its own time to answer."""
    slowest: float = 0.0
    """Seconds that the longest answer took, on the busy machine that it was."""
    busy: float = 1.0
    """How many times as long as alone a process takes on this machine."""
    lost: dict[str, int] = field(default_factory=dict)
    violated: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, fault: str, traffic: Traffic, lost: dict[str, int], violated: dict[str, int]
    ) -> "Outcome":
        answers = traffic.answers
        return cls(
            fault,
            len(answers.heard),
            answers.failed(),
            traffic.recovered_within,
            traffic.failed_until,
            answers.slowest(),
            busy(),
            lost,
            violated,
        )

    @property
    def is_in_time(self) -> bool:
        """On a machine that nobody else uses, ``WITHIN`` is the mark."""
        return self.recovered_within <= WITHIN * self.busy

    @property
    def cells(self) -> tuple[str, ...]:
        failed = [
            f"{kind}: {trouble} ({many})" for (kind, trouble), many in sorted(self.failed.items())
        ]
        return (
            self.fault,
            str(self.requests),
            "; ".join(failed) or "0",
            f"{self.recovered_within:.1f} s" if self.failed else "at once",
            f"{self.failed_until:.1f} s" if self.failed else "at once",
            f"{self.slowest:.1f} s",
            f"{self.busy:.1f}",
            _counted(self.lost),
            _counted(self.violated),
        )


_table: list[Outcome] = []


def note(outcome: Outcome) -> None:
    """Add a line, whatever it says."""
    _table.append(outcome)


def lines() -> Iterator[str]:
    """The table, in Markdown; nothing where no fault was tried."""
    if not _table:
        return
    rows = [HEADER, tuple("---" for _ in HEADER), *(each.cells for each in _table)]
    for row in rows:
        yield f"| {' | '.join(row)} |"


def write() -> None:
    """Keep it beside what else is built; that of a second try of some is no table of all."""
    if os.environ.get("SECOND_TRY"):
        return
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("".join(f"{line}\n" for line in lines()))


def busy() -> float:
    """How long a process takes for a second's work, beside all that runs on this machine; no more
    than ``MOST``.
    """
    done = subprocess.run(
        [sys.executable, "-S", "-c", _WORK], check=True, capture_output=True, text=True
    )
    return min(max(1.0, float(done.stdout)), MOST)


def _counted(what: dict[str, int]) -> str:
    return "; ".join(f"{name} ({many})" for name, many in what.items()) or "0"
