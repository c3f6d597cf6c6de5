"""The guide's Python program, run as printed: signed in, cancelled, back, session lost."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.documented import CHECKS, Application, running
from tests.clients.test_authlib_client import issuer

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

COMMAND = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "PORT"]


@pytest.fixture
def application(issuer: str, tmp_path: Path) -> Iterator[Application]:
    with running(issuer, tmp_path, "app.py", COMMAND) as application:
        yield application


def test_the_python_program_does_without_a_name(issuer: str, tmp_path: Path) -> None:
    """As the desk registers it, where nobody ticked « profile »."""
    with running(issuer, tmp_path, "app.py", COMMAND, scope="openid child") as application:
        page = application.sign_in()

    assert "Hello dear parent, this is about Lina" in page


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_python_program(application: Application, check: Callable[[Application], None]) -> None:
    check(application)
