"""The guide's JavaScript program with the packages that it names, run as printed."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.documented import CHECKS, GUIDE, Application, running
from tests.clients.test_authlib_client import issuer

__all__ = ["issuer"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the guide's command installs."""
    made: Path = tmp_path_factory.mktemp("program")
    command = re.search(r"^npm install .*openid-client.*$", GUIDE.read_text(), re.MULTILINE)
    assert command
    # A registry is another's machine: one that answers late is asked again
    subprocess.run([*command[0].split(), "--fetch-retries=5"], cwd=made, check=True, timeout=170)
    return made


@pytest.fixture
def application(issuer: str, folder: Path) -> Iterator[Application]:
    with running(issuer, folder, "app.mjs", ["node", "app.mjs"]) as application:
        yield application


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_javascript_program(
    application: Application, check: Callable[[Application], None]
) -> None:
    check(application)
