"""Imports by the command line, against the test's own database."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from idp.people.models import School
from tests import factories
from tests.cli.conftest import Run, json_of, run

__all__ = ["json_of", "run"]

JsonOf = Callable[..., Any]
Import = Callable[..., dict[str, Any]]


@pytest.fixture
def school(app: Flask) -> School:
    return factories.school()


@pytest.fixture
def imported(json_of: JsonOf, school: School, tmp_path: Any) -> Import:
    """Import a file for the school, and return what the command says of that school."""

    def act(path: Any, *options: str) -> dict[str, Any]:
        answer = json_of(
            *("roster", "import", str(path), "--school", school.id, *options),
            *("--rejected", str(tmp_path / "rejected.csv")),
        )
        (report,) = answer["schools"]
        return {**report, "run": answer["id"], "read": answer["read"], "status": answer["status"]}

    return act


@pytest.fixture
def checked(json_of: JsonOf, school: School, tmp_path: Any) -> Import:
    """Check a file for the school, and return what the command says of that school."""

    def act(path: Any, *options: str) -> dict[str, Any]:
        answer = json_of(
            *("roster", "check", str(path), "--school", school.id, *options),
            *("--rejected", str(tmp_path / "rejected.csv")),
        )
        (report,) = answer["schools"]
        findings = {each["code"]: each for each in report["findings"]}
        return {**report, "run": answer["id"], "read": answer["read"], "findings": findings}

    return act


_ = Run
