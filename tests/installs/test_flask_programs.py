"""Programs in Flask, as docs/integrate/ prints them: idpyoidc on the whole walk, and both certified
(Authlib goes its walk in every run: ``tests/clients/test_flask_program.py``).
"""

import sys
from pathlib import Path

import pytest

from tests.installs.program import goes_the_walk, is_certified, issuer, running
from tests.installs.stacks import python_with

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    return python_with(tmp_path_factory.mktemp("python"), "idpyoidc")


def test_idpyoidc(issuer: str, python: str, tmp_path: Path) -> None:
    flask = [python, "-m", "flask", "--app", "app", "run", "--port", "PORT"]
    with running("idpyoidc", issuer, tmp_path, flask, "app.py") as program:
        goes_the_walk("idpyoidc", program)


def test_idpyoidc_is_certified(python: str, tmp_path: Path, database_url: str) -> None:
    flask = [python, "-m", "flask", "--app", "app", "run", "--port", "PORT"]
    is_certified("idpyoidc", "idpyoidc", tmp_path, flask, "app.py")


def test_authlib_is_certified(tmp_path: Path, database_url: str) -> None:
    flask = [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "PORT"]
    is_certified("Authlib (Flask)", "authlib", tmp_path, flask, "app.py")
