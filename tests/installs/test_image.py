"""The image of ``Containerfile``, made of its steps: the real journey in it, and its bounds."""

import json
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from idp import create_app
from idp.database import db
from tests import databases
from tests.conftest import SECRET_VARIABLES, settings_for_tests
from tests.installs import image
from tests.installs.image import Stage
from tests.relying_party import claims_of, world
from tests.security.outages import eventually, fetch
from tests.smtp import free_port

pytestmark = pytest.mark.timeout(800)
USER = 10001
BACKUP_KEY = "pO3vTq8ZrNs5bYh1xLd7cPf0mJa9eUo2iKy4tRn6QpB"


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """On Debian 12 with Python 3.11, and on 13 with 3.13, as it is written."""
    return image.build(tmp_path_factory.mktemp("image"), request.param)


class Container:
    """What every process of one installation shares."""

    def __init__(self, stage: Stage, state: Path, **environment: str) -> None:
        self.stage = stage
        self.state = state
        self.environment = environment
        for folder in (state, state / "keys", state / "spool", state / "backups"):
            folder.mkdir(mode=0o700, exist_ok=True)
            os.chown(folder, USER, USER)

    def start(self, *command: str, **options: Any) -> subprocess.Popen[str]:
        words = image.contained(self.stage, self.state, list(command), self.environment)
        return subprocess.Popen(words, text=True, **options)

    def run(self, *command: str) -> str:
        done = self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        out, _ = done.communicate(timeout=120)
        assert done.returncode == 0, out
        return out

    def idp(self, *arguments: str) -> str:
        return self.run(*self.stage.entrypoint, *arguments)


@pytest.fixture
def container(made: Stage, tmp_path: Path) -> Iterator[Container]:
    with databases.fresh("postgresql") as url:
        yield Container(
            made,
            tmp_path / "state",
            DATABASE_URL=url,
            IDP_DEMO="1",
            IDP_BCRYPT_COST="4",
            IDP_MAIL_TLS="none",
            IDP_DRAIN="0",
            **SECRET_VARIABLES,
        )


def door(port: int) -> Flask:
    """What looks like an application of this process, and is the server at this port."""

    def forward(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query = environ["QUERY_STRING"]
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        sent = {
            name[5:].replace("_", "-").title(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        sent |= {"Host": f"127.0.0.1:{port}", "Content-Type": environ.get("CONTENT_TYPE", "")}
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request(environ["REQUEST_METHOD"], path, body, sent)
        answer = connection.getresponse()
        start_response(f"{answer.status} {answer.reason}", answer.getheaders())
        return [answer.read()]

    app = Flask("door")
    app.wsgi_app = forward  # type: ignore[method-assign]
    return app


def test_a_parent_goes_the_whole_way_in_it_with_a_root_that_nobody_can_write_to(
    container: Container, tmp_path: Path
) -> None:
    port = free_port()
    container.environment["IDP_ISSUER"] = f"http://127.0.0.1:{port}"
    container.idp("db", "upgrade")
    container.idp("keys", "ensure")
    command = [*container.stage.entrypoint, *container.stage.command]
    command[command.index("8000")] = str(port)
    with (tmp_path / "log").open("w") as log:
        server = container.start(*command, stdout=log, stderr=log)
        try:
            ready = lambda: fetch(f"http://127.0.0.1:{port}/health/ready")[0] == 200  # noqa: E731
            assert eventually(ready, 60), (tmp_path / "log").read_text()
            _goes_the_whole_way(container, port)
            health = " ".join(container.stage.health)
            assert "/health/live" in health
            container.run(*(word.replace("8000", str(port)) for word in container.stage.health))
        finally:
            server.terminate()
            server.wait(60)


def _goes_the_whole_way(container: Container, port: int) -> None:
    settings = settings_for_tests(
        container.environment["DATABASE_URL"],
        container.state / "keys",
        issuer=f"http://127.0.0.1:{port}",
    )
    app = create_app(settings)
    with app.app_context():
        client = door(port).test_client()
        there = world(client, "Lina", scope="openid profile child", signed_in=False)
        fields = there.portal.sign_in(there.browser, "claire", scope="openid profile child")
        claims = claims_of(client, there.tokens_of(fields)["id_token"])
        db.session.remove()
        db.engine.dispose()
    assert claims["iss"] == f"http://127.0.0.1:{port}"
    assert claims["child"]["given_name"] == "Lina"


def test_it_is_nobody_who_may_anything_and_holds_no_tool_to_build_with(
    container: Container,
) -> None:
    assert container.run("id", "-u").strip() == str(USER)
    script = (
        "import json, os, psycopg\n"
        "def may(path):\n"
        "    try: open(path, 'w').close()\n"
        "    except OSError: return False\n"
        "    return True\n"
        "status = dict(l.split(':\\t') for l in open('/proc/self/status') if ':\\t' in l)\n"
        "print(json.dumps({'root': may('/x') or may('/opt/idp/x') or may('/etc/x'),\n"
        "  'state': may('/var/lib/idp/x'), 'tmp': may('/tmp/x'), 'psycopg': psycopg.pq.__impl__,\n"
        "  'capabilities': status['CapEff'].strip(), 'gains': status['NoNewPrivs'].strip(),\n"
        "  'tools': [t for t in ('gcc', 'cc', 'pip', 'git', 'curl') if any(\n"
        "     os.path.exists(f'{p}/{t}') for p in ('/usr/bin', '/opt/idp/bin'))]}))\n"
    )
    assert json.loads(container.run("python3", "-c", script)) == {
        "root": False,
        "state": True,
        "tmp": True,
        "psycopg": "binary",
        "capabilities": "0" * 16,
        "gains": "1",
        "tools": [],
    }


def test_every_process_is_in_it(container: Container) -> None:
    container.environment["IDP_ISSUER"] = "http://127.0.0.1:8000"
    container.idp("db", "upgrade")
    container.idp("keys", "ensure")
    for command in (("mail", "work"), ("roster", "work"), ("notify", "work")):
        container.idp(*command, "--once")
    for command in (("purge",), ("overview", "refresh"), ("--version",)):
        container.idp(*command)
    container.environment["IDP_BACKUP_KEY"] = BACKUP_KEY
    said = container.idp("backup", "create", "/var/lib/idp/backups", "--keep", "14", "--verify")
    assert "asking what must be so" in said
    (backup,) = (container.state / "backups").iterdir()
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
