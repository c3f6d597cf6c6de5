"""Runs the blocks of ``docs/operator.md`` as they stand, in a folder and a scratch PostgreSQL.

Paths lead into the folder. What needs a whole machine (apt, systemctl, chown …) is a stand-in
that notes how it was called; PostgreSQL's programs and ``idp`` are the real ones.
"""

import os
import re
import shutil
import stat
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli.conftest import PROGRAM, invoked

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "operator.md"
DEPLOY = ROOT / "deploy"
MOVED = ("/etc/", "/var/lib/idp", "/opt/idp", "/usr/local/", "/backup/")
NOTED = (
    "apt",
    "docker",
    "helm",
    "podman",
    "adduser",
    "git",
    "systemctl",
    "sysctl",
    "chown",
    "python3.11",
)
IDP = re.compile(r"(?:sudo -u idp )?idp (?:--env-file \S+ )?")

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^`(/etc/[\w./-]+)`.*:\s*$", re.DOTALL)
_REDIRECT = re.compile(r" > (\S+)$")
_ID = re.compile(r"(?<![\w-])((?:s|app|a|p|m)_[\w-]{20,})")


@dataclass(frozen=True)
class Block:
    heading: str
    kind: str
    text: str
    file: str | None
    """Where the sentence before it says that it goes."""


DEPLOYED = {
    "/etc/nginx/conf.d/idp.conf": ("nginx", "nginx/idp.conf"),
    "/etc/nginx/conf.d/idp-mtls.conf": ("Mutual TLS", "nginx/idp-mtls.conf"),
}
"""Files that the guide points to, by where it puts them: its chapter, and their place here."""


def blocks() -> Iterator[Block]:
    """What the guide prints, and the configurations that it points to."""
    yield from _printed()
    for file, (heading, name) in DEPLOYED.items():
        yield Block(heading, "nginx", (DEPLOY / name).read_text(encoding="utf-8"), file)


def _printed() -> Iterator[Block]:
    guide = GUIDE.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(guide):
        before = guide[: match.start()]
        heading = re.findall(r"^#{2,3} (.+)$", before, re.MULTILINE)[-1]
        file = _FILE.search(before.rstrip().split("\n\n")[-1])
        yield Block(heading, match[2], textwrap.dedent(match[3]), file and file[1])


@dataclass
class Machine:
    """A machine of its own: a folder, programs that are noted, and a database."""

    folder: Path
    cluster: str
    settings: dict[str, str] = field(default_factory=dict)
    """What the test sets beside the guide's settings file."""
    newest: dict[str, str] = field(default_factory=dict)
    """The newest id of each kind that was printed."""

    def __post_init__(self) -> None:
        for path in (
            "etc/systemd/system",
            "etc/nginx/conf.d",
            "etc/sysctl.d",
            "var/lib/idp",
            "opt/idp/bin",
            "usr/local/bin",
            "backup",
        ):
            (self.folder / path).mkdir(parents=True)
        shutil.copytree(DEPLOY, self.folder / "usr/local/src/school-idp/deploy")
        for name in NOTED:
            self._program(name, f'echo {name} "$@" >> {self.folder}/noted')
        (self.folder / "opt/idp/bin/pip").symlink_to(self.folder / "bin/git")
        self._program("sudo", 'shift; shift; exec "$@"')
        self._program(
            "install", 'exec /usr/bin/install $(printf "%s " "$@" | sed "s/-[og] idp//g")'
        )
        if shutil.which("rsync") is None:
            self._program("rsync", f'echo rsync "$@" >> {self.folder}/noted')
        self._program("idp", f'exec {PROGRAM} --env-file {self.folder}/etc/idp/idp.env "$@"')
        shutil.copy(self.folder / "bin/idp", self.folder / "opt/idp/bin/idp")

    @property
    def noted(self) -> str:
        return (self.folder / "noted").read_text()

    def run(self, block: Block) -> None:
        """Run a block of commands, which must succeed, in the order of its lines."""
        shell: list[str] = []
        for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
            if line.startswith("alias ") or not line.strip():
                continue
            if IDP.match(line) and "done" not in block.text:
                self._shell(shell)
                shell = []
                self.idp(line)
            else:
                shell.append(line)
        self._shell(shell)

    def idp(self, line: str) -> str:
        """A command of ours, run in this process, and in a shell what follows where it worked."""
        line, _, then = line.partition(" && ")
        words = self.moved(self._filled(IDP.sub("", line, count=1)))
        to = _REDIRECT.search(words)
        done = self._bash(f'printf "%s\\0" {_REDIRECT.sub("", words)}')
        result = invoked(
            {"PATH": os.environ["PATH"], **self.settings},
            "--env-file",
            str(self.folder / "etc/idp/idp.env"),
            *done.stdout.split("\0")[:-1],
            stdin="y\n",
        )
        assert result.exit_code == 0, f"{line}\n{result.output}"
        if to:
            (self.folder / to[1]).write_text(result.stdout)
        self._shell([then] if then else [])
        for made in _ID.findall(result.stdout):
            self.newest[made.split("_")[0]] = made
        return str(result.stdout)

    def write(self, block: Block, **changed: str) -> Path:
        """Put a file where the guide says, with what can't be so here changed."""
        assert block.file is not None, block.text
        text = self.moved(block.text)
        for old, new in changed.items():
            text = re.sub(rf"^{old}=.*$", f"{old}={new}", text, flags=re.MULTILINE)
        path = Path(self.moved(block.file))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def sql(self, text: str) -> None:
        self._bash(f"psql --quiet --set ON_ERROR_STOP=1 idp <<'END'\n{self._filled(text)}\nEND")

    def moved(self, text: str) -> str:
        for path in MOVED:
            text = re.sub(rf"(?<![\w/.]){re.escape(path)}", f"{self.folder}{path}", text)
        return text.replace("idp@id2.example:", "")

    def _filled(self, text: str) -> str:
        return re.sub(r"\b(s|app|a|p)_…", lambda match: self.newest[match[1]], text)

    def _shell(self, lines: list[str]) -> None:
        if lines:
            self._bash(self.moved("\n".join(lines)))

    def _bash(self, script: str) -> subprocess.CompletedProcess[str]:
        parts = urlsplit(self.cluster)
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        environment = {
            "PATH": ":".join(map(str, (self.folder / "bin", *programs[-1:], os.environ["PATH"]))),
            "PGHOST": str(parts.hostname),
            "PGPORT": str(parts.port),
            "PGUSER": "postgres",
            "PGPASSWORD": str(parts.password),
            **self.settings,
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done

    def _program(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
