"""The guide's and the desk's JavaScript programs with their packages, run as printed."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from idp.clients import recipes
from idp.oidc import discovery
from tests import factories
from tests.certify.test_command import certify
from tests.clients.documented import (
    CHECKS,
    GUIDE,
    Application,
    free_port,
    printed,
    running,
    started,
)
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
def test_the_guides_program(application: Application, check: Callable[[Application], None]) -> None:
    check(application)


def test_the_guides_program_is_certified(folder: Path, database_url: str) -> None:
    (folder / "app.mjs").write_text(printed("app.mjs"))
    home, port = f"http://127.0.0.1:{free_port()}/", str(free_port())

    done = certify(folder, home, "--port", port, "--json", "--", "node", "app.mjs")

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["certified"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_desks_recipe_for_express(issuer: str, folder: Path, method: str) -> None:
    port = free_port()
    school = factories.school()
    factories.family(school, "Lina", username="claire")
    registered = factories.client_app(
        school,
        redirect_uris=[f"http://127.0.0.1:{port}/login/school/callback"],
        scope="openid child",
        require_pkce=True,
        token_endpoint_auth_method=method,
    )
    client = registered.client
    made = recipes.recipes_of(client.id, client.metadata_, discovery.metadata(), registered.secret)
    express = next(each for each in made if each.key == "express")
    program = next(block.text for block in express.blocks if block.where == "app.mjs")
    (folder / "recipe.mjs").write_text(program)
    more = {"CLIENT_SECRET": registered.secret, "APP_SECRET": "of-the-application"}
    with started(["node", "recipe.mjs"], folder, port, more):
        pasted = Application(f"http://127.0.0.1:{port}/", requests.Session())
        pasted.open("/login/school")
        login = next(each for each in pasted.forms() if each.id == "login-form")
        page = pasted.send(login, username="claire", password=factories.PASSWORD)
    assert '"given_name":"Lina"' in page
