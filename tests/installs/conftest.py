"""Tests that install other software from its registry: by ``make test-installs`` alone."""

import os
from pathlib import Path

HERE = Path(__file__).parent

if not os.environ.get("INSTALLS"):
    collect_ignore = [path.name for path in HERE.glob("test_*.py")]
