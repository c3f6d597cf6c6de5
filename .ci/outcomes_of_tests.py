"""A plugin of pytest for ``second_try.py``: writes what failed and what passed, and leaves out all
but some files.
"""

import json
import os
from pathlib import Path

import pytest

_failed: list[tuple[str, str]] = []
_passed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test's outcome; called in the process that has the terminal for all the others."""
    if report.failed:
        _failed.append((report.nodeid, report.when or ""))
    elif report.passed and report.when == "call":
        _passed.add(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the other files out in a second run."""
    if files := os.environ.get("SECOND_TRY"):
        wanted = set(json.loads(files))
        others = [item for item in items if item.nodeid.partition("::")[0] not in wanted]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it, once for all processes."""
    if not hasattr(session.config, "workerinput"):
        failed = [each for each in _failed if each[0] not in _passed or each[1] == "teardown"]
        said = {"failed": failed, "passed": sorted(_passed)}
        Path(os.environ["OUTCOMES"]).write_text(json.dumps(said), encoding="utf-8")
