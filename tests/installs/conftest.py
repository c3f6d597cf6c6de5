"""Tests that install other software from its registry: by ``make test-installs`` alone."""

import os
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent

if not os.environ.get("INSTALLS"):
    collect_ignore = [path.name for path in HERE.glob("test_*.py")]
elif not shutil.which("oauth2-proxy"):
    collect_ignore = ["test_oauth2_proxy.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was left out, so that nobody takes it for run."""
    if "test_oauth2_proxy.py" in globals().get("collect_ignore", []):
        terminalreporter.write_line("oauth2-proxy is not on the path: its settings were not run")
