"""A program in Go, as docs/integrate/go.md prints it: the whole walk, and certified."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.clients.test_authlib_client import listening
from tests.installs.compilers import go, go_environment
from tests.installs.program import goes_the_walk, is_certified, running
from tests.installs.stacks import command, printed

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]


@pytest.fixture
def issuer(database_url: str, keys_folder: Path) -> Iterator[str]:
    """Access tokens that x/oauth2 renews for each page: it does ten seconds before their end."""
    brief = timedelta(seconds=9)
    with listening(database_url, keys_folder, access_token_lifetime=brief) as address:
        yield address


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The printed program, built as the page says."""
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(printed("go", "main.go"))
    build = ["go", "build", "-o", "homework", "."]
    for words in (command("go", "go mod init"), command("go", "go get"), build):
        subprocess.run(
            [go(), *words[1:]], cwd=folder, env=go_environment(), check=True, timeout=500
        )
    return str(folder / "homework")


def test_go_oidc(issuer: str, program: str, tmp_path: Path) -> None:
    with running("go", issuer, tmp_path, [program]) as application:
        goes_the_walk("Go and go-oidc", application)


def test_it_is_certified(program: str, tmp_path: Path, database_url: str) -> None:
    is_certified("Go and go-oidc", "go", tmp_path, [program])
