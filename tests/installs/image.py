"""The image of ``Containerfile`` without a registry: Debian's own packages, and its very steps.

Each ``FROM`` is a small Debian made by mmdebstrap, each ``RUN`` happens in it, and what runs at the
end runs as a container does: its own user, no capability, a root that nobody can write to.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.installs.compilers import KEPT

ROOT = Path(__file__).resolve().parents[2]
MIRROR = "http://deb.debian.org/debian"
SHELL = ["unshare", "--mount", "--propagation", "private", "sh", "-ec"]


@dataclass
class Stage:
    """What a ``FROM`` begins: a root file system, and what holds in it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    folder: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def steps(text: str) -> list[tuple[str, str]]:
    """Each instruction of a ``Containerfile`` and what it says, without comments, lines joined."""
    lines = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    pairs = [line.partition(" ") for line in lines if line.strip()]
    return [(word, rest.strip()) for word, _, rest in pairs]


def build(folder: Path, debian: str = "trixie") -> Stage:
    """Go through the steps, on this Debian; returns the last stage."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a root file system")
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for word, rest in steps((ROOT / "Containerfile").read_text()):
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            stage = stages[name] = Stage(folder / (name or "image"))
            _debian(image.replace("trixie", debian), stage.root)
        elif word == "RUN":
            _run_step(stage, rest)
        elif word == "COPY":
            _copy(stage, rest, stages)
        else:
            _note(stage, word, rest)
    return stage


def _note(stage: Stage, word: str, rest: str) -> None:
    match word:
        case "ENV":
            name, _, value = rest.partition("=")
            stage.environment[name] = value
        case "USER":
            stage.user = rest
        case "WORKDIR":
            stage.folder = rest
        case "ENTRYPOINT":
            stage.entrypoint = json.loads(rest)
        case "CMD":
            stage.command = json.loads(rest)
        case "HEALTHCHECK":
            stage.health = json.loads(rest.partition("CMD ")[2])
        case _:
            assert word in {"EXPOSE", "STOPSIGNAL"}, word


def contained(
    stage: Stage, state: Path, command: list[str], environment: dict[str, str]
) -> list[str]:
    """The command line that runs this in a container: ``state`` is its one folder to write in."""
    root = shlex.quote(str(stage.root))
    variables = [f"{name}={value}" for name, value in (stage.environment | environment).items()]
    inside = shlex.join(
        ["chroot", f"--userspec={stage.user}", str(stage.root), "/usr/bin/env", "-i", *variables,
         "/bin/sh", "-c", f'cd {stage.folder} && exec "$@"', "sh", *command]
    )  # fmt: skip
    mounts = f"""
        mount --bind {root} {root}
        mount -t proc proc {root}/proc
        mount --bind /dev {root}/dev
        mount -t tmpfs -o mode=1777 tmpfs {root}/tmp
        mount --bind {shlex.quote(str(state))} {root}/var/lib/idp
        mount -o remount,bind,ro {root}
        exec setpriv --bounding-set=-all,+setuid,+setgid,+sys_chroot --no-new-privs {inside}
    """
    return [*SHELL, mounts]


def _debian(image: str, root: Path) -> None:
    """A Debian of this name, made once."""
    match = re.fullmatch(r"docker\.io/library/debian:(\w+)-slim", image)
    assert match is not None, image
    kept = KEPT / f"debian-{match[1]}.tar"
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(f".{os.getpid()}.tar")
        made = ["mmdebstrap", "--quiet", "--variant=minbase", match[1], str(beside), MIRROR]
        subprocess.run(made, check=True, timeout=400)
        beside.rename(kept)
    root.mkdir(parents=True)
    subprocess.run(["tar", "--extract", f"--file={kept}", f"--directory={root}"], check=True)


def _run_step(stage: Stage, script: str) -> None:
    """As an image's builder does: as root, with this machine's way to the registries."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if re.match(r"(?i)(https?|no)_proxy$|PIP_(INDEX|EXTRA|TRUSTED|DEFAULT_TIMEOUT)", name)
    }
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    shutil.copy(certificates, stage.root / "tmp/authorities.crt")
    ours["PIP_CERT"] = "/tmp/authorities.crt"
    shutil.copy("/etc/resolv.conf", stage.root / "etc/resolv.conf")
    root = shlex.quote(str(stage.root))
    words = [
        "/usr/bin/env",
        "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND=noninteractive",
    ]
    words += [f"{name}={value}" for name, value in ours.items()]
    inside = shlex.join(["chroot", str(stage.root), *words, "/bin/sh", "-ec", script])
    mounts = f"mount -t proc proc {root}/proc; mount --bind /dev {root}/dev; exec {inside}"
    done = subprocess.run(
        [*SHELL, mounts], capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, f"{script}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    (stage.root / "tmp/authorities.crt").unlink()


def _copy(stage: Stage, rest: str, stages: dict[str, Stage]) -> None:
    match = re.fullmatch(r"(?:--from=(\w+) )?(.+) (\S+)", rest)
    assert match is not None, rest
    begin = stages[match[1]].root if match[1] else ROOT
    to = stage.root / match[3].lstrip("/")
    for name in match[2].split():
        source = begin / name.lstrip("/")
        target = to / source.name if match[3].endswith("/") else to
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        else:
            shutil.copy2(source, target)
