"""Go and Rust that are new enough, and what is built by them, kept for the next run."""

import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest

KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "school-idp"
GO = "1.26.8"
GO_SUM = "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="
"""What the module of Go's release for Linux on amd64 adds up to, beside the checksum database."""


def go() -> str:
    """A Go of this version or a newer one: the machine's, or the release itself.

    Go's releases are modules, too, so that any Go at all fetches and verifies one. From 1.21 on it
    would also run it; Debian's 1.19 does not yet know how.
    """
    there = shutil.which("go")
    if there is None:
        pytest.skip("Go is not installed")
    if _version(_output(there, "version")) >= _version(GO):
        return there
    kept = KEPT / f"go{GO}"
    if not (kept / "bin/go").exists():
        _unpack_go(there, kept)
    return str(kept / "bin/go")


def go_environment() -> dict[str, str]:
    """Without a C compiler, and by the Go that was found."""
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    return {**os.environ, **settings}


def go_program(module: str, version: str) -> str:
    """A program of this name that is built of a published module, the first time."""
    name = next(part for part in reversed(module.split("/")) if not re.fullmatch(r"v\d+", part))
    folder = KEPT / f"{name}-{version}"
    program = folder / name
    if not program.exists():
        where = {"GOBIN": str(folder)}
        command = [go(), "install", "-ldflags=-s -w", f"{module}@{version}"]
        subprocess.run(command, env=go_environment() | where, check=True, timeout=540)
    return str(program)


def cargo() -> str:
    there = shutil.which("cargo")
    if there is None:
        pytest.skip("Rust is not installed")
    return there


def _unpack_go(there: str, kept: Path) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    module = f"golang.org/toolchain@v0.0.1-go{GO}.linux-{machine}"
    with TemporaryDirectory() as empty:
        fetched = json.loads(_output(there, "mod", "download", "-json", module, folder=empty))
    assert machine != "amd64" or fetched["Sum"] == GO_SUM, fetched["Sum"]
    beside = kept.with_name(f"{kept.name}.{os.getpid()}")
    with ZipFile(fetched["Zip"]) as archive:
        for each in archive.infolist():
            path = each.filename.removeprefix(f"{module}/")
            # No module may hold another one's go.mod
            to = beside / re.sub(r"(^|/)_go\.mod$", r"\1go.mod", path)
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(archive.read(each))
            if re.match(r"bin/|pkg/tool/", path):
                to.chmod(0o755)
    beside.rename(kept)


def _output(*command: str, folder: str = ".") -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=go_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"\d+(\.\d+)+", text)
    assert found, text
    return tuple(map(int, found[0].split(".")))
