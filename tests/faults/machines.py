"""Machines that serve, the nginx of the operator's guide before them, and visitors."""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest
import urllib3

from tests.cli.conftest import PROGRAM
from tests.cli.guide import blocks
from tests.security.outages import environment, eventually, fetch
from tests.smtp import free_port

NAME = "id.example"
SETTINGS = {"IDP_ISSUER": f"https://{NAME}", "IDP_TRUSTED_PROXIES": "127.0.0.1/32"}


@dataclass
class Machine:
    """One machine's ``idp serve``; its settings are in a file, as the guide has it."""

    folder: Path
    url: str
    keys_folder: Path
    changes: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None

    def settings(self, **changes: str) -> None:
        self.folder.mkdir(exist_ok=True)
        lines = {
            **environment(),
            "DATABASE_URL": self.url,
            "IDP_KEYS_FOLDER": str(self.keys_folder),
            "IDP_HISTORY_FILE": str(self.folder / "history.json"),
            **SETTINGS,
            **self.changes,
            **changes,
        }
        ours = (name for name in lines if name.startswith(("IDP_", "DATABASE_URL")))
        self.file.write_text("".join(f"{name}={lines[name]}\n" for name in ours))
        self.file.chmod(0o600)

    @property
    def file(self) -> Path:
        return self.folder / "idp.env"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def ready(self) -> bool:
        return fetch(f"http://127.0.0.1:{self.port}/health/ready")[0] == 200

    def start(self) -> None:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("IDP_")}
        with (self.folder / "log").open("ab") as log:
            self.server = subprocess.Popen(
                [str(PROGRAM), "serve", "--port", str(self.port), "--workers", "2"],
                env=kept | {"IDP_ENV_FILE": str(self.file)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert eventually(lambda: self.ready, 60), self.log

    def signal(self, number: int) -> None:
        assert self.server is not None
        self.server.send_signal(number)

    def stop(self) -> None:
        assert self.server is not None
        self.signal(signal.SIGTERM)
        assert self.server.wait(60) == 0, self.log

    def kill(self) -> None:
        if self.server is not None and self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait(30)


@contextmanager
def machines(
    count: int, folder: Path, url: str, keys_folder: Path, **changes: str
) -> Iterator[list[Machine]]:
    """So many, serving."""
    made = [Machine(folder / f"machine{n}", url, keys_folder, changes) for n in range(count)]
    try:
        for machine in made:
            machine.settings()
            machine.start()
        yield made
    finally:
        for machine in made:
            machine.kill()


@contextmanager
def nginx(folder: Path, before: list[Machine]) -> Iterator["Visitors"]:
    """nginx with the guide's configuration; yields who visits through it."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    port = free_port()
    (folder / "tls").mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1",
         "-keyout", folder / "tls/privkey.pem", "-out", folder / "tls/fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    whole = folder / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    whole.write_text(
        f"{user} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}} http {{ {temporary} {_configuration(folder, before, port)} }}"
    )
    server = subprocess.Popen([program, "-e", f"{folder}/error.log", "-c", str(whole)])
    visitors = Visitors(port, folder / "tls/fullchain.pem")
    try:
        assert eventually(lambda: visitors.ask("GET", "/health/live") == "200")
        yield visitors
    finally:
        server.terminate()
        server.wait(30)


def _configuration(folder: Path, before: list[Machine], port: int) -> str:
    """The guide's, with this test's ports and folders."""
    printed = {block.heading: block.text for block in blocks() if block.kind == "nginx"}
    text, several = printed["nginx"], printed["Several machines"]
    if len(before) > 1:
        text = re.sub(r"^upstream idp \{.*?^\}\n", several, text, flags=re.MULTILINE | re.DOTALL)
    servers = iter(before)
    text = re.sub(
        r"(server )[\d.]+:8000", lambda found: f"{found[1]}127.0.0.1:{next(servers).port}", text
    )
    assert next(servers, None) is None, "the guide names fewer machines"
    text = re.sub(r"^ *listen \[::\].*\n", "", text, flags=re.MULTILINE)
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    text = text.replace("listen 80", f"listen 127.0.0.1:{free_port()}")
    text = text.replace(f"/etc/letsencrypt/live/{NAME}", str(folder / "tls"))
    return text.replace("/var/log/nginx", str(folder))


ASKED = (
    ("GET", "/.well-known/openid-configuration", None),
    ("GET", "/", None),
    ("GET", "/oauth2/jwks", None),
    ("POST", "/oauth2/token", b"grant_type=authorization_code&code=x&client_id=nobody"),
)


class Visitors:
    """Four of them, ten requests a second each, and what they were answered."""

    def __init__(self, port: int, authority: Path) -> None:
        self._pool = urllib3.HTTPSConnectionPool(
            "127.0.0.1", port, maxsize=8, ca_certs=str(authority), server_hostname=NAME
        )
        self.answers: Counter[str] = Counter()

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self._pool.request("GET", path, headers={"Host": NAME}, retries=False)

    def ask(self, method: str, path: str, body: bytes | None = None) -> str:
        headers = {"Host": NAME, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = self._pool.request(
                method, path, body=body, headers=headers, retries=False, redirect=False, timeout=40
            )
        except urllib3.exceptions.HTTPError as error:
            return type(error).__name__
        return str(answer.status)

    @contextmanager
    def meanwhile(self, *more: tuple[str, str, bytes | None]) -> Iterator[None]:
        """They come for as long as the block lasts, and a second before and after it."""
        done = Event()

        def come(method: str, path: str, body: bytes | None) -> None:
            while not done.wait(0.1):
                self.answers[f"{method} {path} {self.ask(method, path, body)}"] += 1

        coming = [Thread(target=come, args=each) for each in (*ASKED, *more)]
        for each in coming:
            each.start()
        try:
            sleep(1)
            yield
            sleep(1)
        finally:
            done.set()
            for each in coming:
                each.join()

    @property
    def lost(self) -> dict[str, int]:
        """What was not answered as each of these requests is."""
        good = ("200", "303", "400")
        return {what: many for what, many in self.answers.items() if not what.endswith(good)}
