"""Matrix's Synapse, as docs/integrate/matrix-synapse.md prints it."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests import factories
from tests.clients.documented import Application, free_port, started
from tests.clients.test_authlib_client import issuer
from tests.installs import walk as walks
from tests.installs.program import NAMES, families_of
from tests.installs.stacks import printed, python_with, registered_as_printed
from tests.security.outages import eventually

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(600),  # a registry is another's machine
]

SERVER = """
server_name: school.example
public_baseurl: http://127.0.0.1:{port}/
pid_file: {folder}/pid
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
macaroon_secret_key: of-the-server
form_secret: of-the-server
signing_key_path: {folder}/signing.key
media_store_path: {folder}/media
database: {{name: sqlite3, args: {{database: "{folder}/homeserver.db"}}}}
listeners:
  - {{port: {port}, type: http, bind_addresses: ["127.0.0.1"], resources: [{{names: [client]}}]}}
"""
CLIENT = "_matrix/client/v3"


@contextmanager
def serving(issuer: str, folder: Path) -> Iterator[tuple[str, str]]:
    """A Synapse with the page's settings; yields its address and its client id."""
    port = free_port()
    home = f"http://127.0.0.1:{port}"
    school = factories.school()
    families_of(school)
    made = registered_as_printed("matrix-synapse", school.id, home)
    python = python_with(folder / "python", "matrix-synapse")
    settings = printed("matrix-synapse", "homeserver.yaml")
    for theirs, ours in (
        ("https://id.example", issuer),
        ('"app_…"', f'"{made["CLIENT_ID"]}"'),
        ('"…"', f'"{made["CLIENT_SECRET"]}"'),
    ):
        assert theirs in settings
        settings = settings.replace(theirs, ours)
    file = folder / "homeserver.yaml"
    file.write_text(SERVER.format(port=port, folder=folder) + settings)
    synapse = [python, "-m", "synapse.app.homeserver", "--config-path", str(file)]
    subprocess.run([*synapse, "--generate-keys"], cwd=folder, check=True, timeout=170)
    # An issuer without TLS, as only a test has one
    with started(synapse, folder, port, {"AUTHLIB_INSECURE_TRANSPORT": "1"}, patience=170):
        yield f"{home}/", made["CLIENT_ID"]


def signs_in(home: str, username: str) -> tuple[Application, dict[str, Any]]:
    """A parent's browser, and the session of a messenger for which it signed in."""
    browser = Application(home, requests.Session())
    back = urlencode({"redirectUrl": "http://127.0.0.1:9/messenger"})
    browser.open(f"{CLIENT}/login/sso/redirect/oidc-school?{back}")
    for cookie in browser.http.cookies:
        cookie.secure = False  # only a test is without TLS
    page = walks.signs_in(browser, username)
    token = re.search(r"loginToken=([\w.~%-]+)", page)
    assert token, page
    login = {"type": "m.login.token", "token": token[1]}
    answer = requests.post(f"{home}{CLIENT}/login", json=login, timeout=30)
    assert answer.status_code == 200, answer.text
    return browser, dict(answer.json())


def who(home: str, session: dict[str, Any]) -> int:
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    return requests.get(f"{home}{CLIENT}/account/whoami", headers=bearer, timeout=30).status_code


def test_it_goes_what_matrix_knows(issuer: str, tmp_path: Path) -> None:
    with serving(issuer, tmp_path) as (home, client_id), walks.walking("Matrix (Synapse)") as walk:
        browsers, sessions = {}, {}
        for username in NAMES:
            browsers[username], sessions[username] = signs_in(home, username)
        people = {username: session["user_id"] for username, session in sessions.items()}
        assert people == {username: f"@{username}:school.example" for username in NAMES}
        assert signs_in(home, "paul")[1]["user_id"] == people["paul"], "known again by sub"
        walk("sign-in")

        profile = requests.get(f"{home}{CLIENT}/profile/{people['claire']}", timeout=30).json()
        assert profile["displayname"] == "Claire Dubois"
        walk("UserInfo")

        walks.signs_out_at_the_provider(browsers["claire"], issuer)
        # Now and then its first answer takes longer than we wait for one: it is told again
        assert eventually(lambda: walks.told(client_id)[0] == ("logout", "told"), 60)
        assert who(home, sessions["claire"]) == 401
        assert who(home, sessions["paul"]) == 200
        walk("back-channel logout")
