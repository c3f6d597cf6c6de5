"""The guide's Python program, run as printed: signed in, cancelled, back, session lost."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.documented import CHECKS, Application, running
from tests.clients.test_authlib_client import issuer

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def application(issuer: str, tmp_path: Path) -> Iterator[Application]:
    command = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "PORT"]
    with running(issuer, tmp_path, "app.py", command) as application:
        yield application


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_python_program(application: Application, check: Callable[[Application], None]) -> None:
    check(application)
