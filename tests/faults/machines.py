"""Machines that serve, and the nginx of the operator's guide before them."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM
from tests.cli.guide import blocks
from tests.faults.door import NAME, Door
from tests.security.outages import environment, eventually, fetch
from tests.smtp import free_port

SETTINGS = {
    "IDP_ISSUER": f"https://{NAME}",
    "IDP_TRUSTED_PROXIES": "127.0.0.1/32",
    "IDP_STEP_UP_LIFETIME": "3600",  # the secretary has proved who she is once
}

DRAIN = "5"
"""Seconds in which a generation that leaves says so, as it is without a setting: other tests have
none of them, and a request may be sent on a connection that is just being closed.
"""


@dataclass
class Machine:
    """One machine's ``idp serve``; its settings are in a file, as the guide has it."""

    folder: Path
    url: str
    keys_folder: Path
    changes: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    """What its processes have beside the file."""
    program: tuple[str, ...] = (str(PROGRAM),)

    def settings(self, **changes: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
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
    def complaints(self) -> list[str]:
        """The last lines of its log that tell of trouble but for a database that is away."""
        troubles = re.compile(
            r'^(?!.*database away|.*"status": 503).*("level": "(?!INFO|DEBUG)|"status": 5)'
        )
        return [line for line in self.log.splitlines() if troubles.search(line)][-20:]

    @property
    def ready(self) -> bool:
        return fetch(f"http://127.0.0.1:{self.port}/health/ready")[0] == 200

    @property
    def workers(self) -> list[int]:
        """The processes that answer: the children of the generation that the main one keeps."""
        assert self.server is not None
        return [
            worker
            for generation in _children(self.server.pid)
            for worker in _children(generation)
            if "resource_tracker" not in Path(f"/proc/{worker}/cmdline").read_text()
        ]

    def start(self) -> None:
        self.launch()
        assert eventually(lambda: self.ready, 60), self.log

    def launch(self) -> None:
        """Start it, and don't wait."""
        self.server = self.begin("serve", "--port", str(self.port), "--workers", "2")

    def begin(self, *command: str) -> subprocess.Popen[bytes]:
        """One of the machine's processes, in a group of its own."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [*self.program, *command],
                env=self._all_it_has(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as its operator runs it."""
        return self.run_as(self.program, *command)

    def run_as(self, program: tuple[str, ...], *command: str) -> subprocess.CompletedProcess[str]:
        """The same of another release that is installed here."""
        return subprocess.run(
            [*program, *command],
            env=self._all_it_has(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def _all_it_has(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("IDP_")}
        return kept | {"IDP_ENV_FILE": str(self.file)} | self.environment

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


def reload(machine: Machine) -> None:
    """As ``systemctl reload`` does; returns when the generation before has left."""
    before = len(machine.log)
    machine.signal(signal.SIGHUP)
    for words in ("Another generation serves", "see ya"):
        assert eventually(lambda words=words: words in machine.log[before:], 60), machine.log


def _children(process: int) -> list[int]:
    return [
        int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


@contextmanager
def machines(
    count: int,
    folder: Path,
    url: str,
    keys_folder: Path,
    environment: dict[str, str] | None = None,
    program: tuple[str, ...] = (str(PROGRAM),),
    first: tuple[str, ...] = (),
    **changes: str,
) -> Iterator[list[Machine]]:
    """So many, serving. ``environment``: what their processes have beside their settings;
    ``first``: what is run on the first before it serves.
    """
    made = [
        Machine(
            folder / f"machine{n}",
            url,
            keys_folder,
            changes,
            environment=environment or {},
            program=program,
        )
        for n in range(count)
    ]
    try:
        for machine in made:
            machine.settings()
        if first:
            done = made[0].run_as((), *first)
            assert done.returncode == 0, done.stderr
        for machine in made:
            machine.start()
        yield made
    finally:
        for machine in made:
            machine.kill()


@contextmanager
def nginx(folder: Path, before: list[Machine]) -> Iterator[Door]:
    """nginx with the guide's configuration; yields the way in."""
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
    door = Door(port, folder / "tls/fullchain.pem")
    try:
        assert eventually(door.is_open)
        yield door
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
