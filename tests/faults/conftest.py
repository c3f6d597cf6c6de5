"""Faults under the load of real flows, behind a real nginx: by ``make test-faults`` alone."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent

if os.environ.get("FAULTS"):
    from tests.faults import outcomes
    from tests.faults.site import Site, site_of

    @pytest.fixture(scope="module")
    def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
        """One machine behind nginx, PostgreSQL, mail and a worker: a module breaks it in turn."""
        with site_of(tmp_path_factory.mktemp("site")) as made:
            yield made

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        """What each fault came to."""
        terminalreporter.section("faults")
        for line in outcomes.lines():
            terminalreporter.write_line(line)
        outcomes.write()

else:
    collect_ignore = [path.name for path in HERE.glob("test_*.py")]
