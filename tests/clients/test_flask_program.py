"""Flask and Authlib, as docs/integrate/authlib.md prints it: the whole walk."""

import sys
from pathlib import Path

import pytest

from tests.installs.program import goes_the_walk, issuer, running

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_it_goes_the_whole_walk(issuer: str, tmp_path: Path) -> None:
    flask = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "PORT"]
    with running("authlib", issuer, tmp_path, flask, "app.py") as program:
        goes_the_walk("Authlib (Flask)", program)
