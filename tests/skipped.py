"""What a run went without, said at its end: how many tests, why, and which kind not at all."""

import ast
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

KINDS = {"browser": "in a browser", "postgresql": "on PostgreSQL", "nginx": "behind nginx"}
"""By the word that is a mark of the test, or stands in its parameters."""
APART = {"installs": "INSTALLS", "faults": "FAULTS"}
"""Folders that a run without this variable does not collect: their ``conftest.py`` says why."""


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


def left_to_others(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """A line for each folder that this run did not collect. Nothing of it is imported for that."""
    for folder, variable in APART.items():
        if not environment.get(variable):
            here = Path(__file__).parent / folder
            files = [ast.parse(file.read_text()) for file in here.glob("test_*.py")]
            tests = sum(_is_test(node) for tree in files for node in ast.walk(tree))
            why = ast.get_docstring(ast.parse((here / "conftest.py").read_text())) or ""
            yield f"{tests:5}  tests/{folder}: {why.splitlines()[0].replace('``', '')}"


def _is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
