"""Faults on whole machines behind a real nginx: by ``make test-faults`` alone."""

import os
from pathlib import Path

HERE = Path(__file__).parent

if not os.environ.get("FAULTS"):
    collect_ignore = [path.name for path in HERE.glob("test_*.py")]
