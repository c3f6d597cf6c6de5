"""What a run went without, said at its end: how many tests, why, and which kind not at all."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

KINDS = {"browser": "in a browser", "postgresql": "on PostgreSQL", "nginx": "behind nginx"}
"""By the word that is a mark of the test, or stands in its parameters."""


def is_of(kind: str, report: pytest.TestReport) -> bool:
    """Whether this is the report of a test of that kind."""
    parameters = report.nodeid.partition("[")[2].rstrip("]").split("-")
    return kind in report.keywords or kind in parameters


def table(stats: dict[str, list[Any]]) -> Iterator[str]:
    """The lines; none where nothing was skipped. ``stats``: of pytest's terminal reporter."""
    skipped: list[pytest.TestReport] = stats.get("skipped", [])
    ran = [each for outcome in ("passed", "failed") for each in stats.get(outcome, ())]
    for kind, words in KINDS.items():
        missed = sum(is_of(kind, each) for each in skipped)
        if missed and not any(is_of(kind, each) for each in ran):
            yield f"NO TEST RAN {words}: all {missed} were skipped."
    for reason, count in Counter(map(_reason, skipped)).most_common():
        yield f"{count:5}  {reason}"


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    words = str(where[2] if isinstance(where, tuple) else where)
    return words.removeprefix("Skipped: ").splitlines()[0]
