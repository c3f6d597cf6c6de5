"""Programs for Node.js that docs/integrate/ prints whole, each on the whole walk."""

from pathlib import Path

import pytest

from tests.installs.program import TOLD, goes_the_walk, is_certified, issuer, running
from tests.installs.stacks import node_with

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]


def test_express_and_openid_client(issuer: str, tmp_path: Path) -> None:
    node_with(tmp_path, "openid-client")
    with running("openid-client", issuer, tmp_path, ["node", "app.mjs"], "app.mjs") as program:
        goes_the_walk("Express and openid-client 6", program)
    is_certified(
        "Express and openid-client 6", "openid-client", tmp_path, ["node", "app.mjs"], "app.mjs"
    )


def test_auth_js(issuer: str, tmp_path: Path) -> None:
    node_with(tmp_path, "authjs")
    files = "app.mjs", "school.mjs"
    login = "/auth/signin"
    ways = {"login": login, "another": f"{login}?prompt=select_account"}
    with running("authjs", issuer, tmp_path, ["node", "app.mjs"], *files, **ways) as program:
        goes_the_walk("Auth.js", program)
    find = ("--login", login, "--switch", ways["another"], "--logout", "/auth/signout")
    is_certified("Auth.js", "authjs", tmp_path, ["node", "app.mjs"], *files, ways=(*find, *TOLD))


def test_express_openid_connect(issuer: str, tmp_path: Path) -> None:
    page = "express-openid-connect"
    node_with(tmp_path, page)
    with running(page, issuer, tmp_path, ["node", "app.mjs"], "app.mjs") as program:
        goes_the_walk("Express and express-openid-connect", program)
    is_certified(
        "Express and express-openid-connect", page, tmp_path, ["node", "app.mjs"], "app.mjs"
    )
