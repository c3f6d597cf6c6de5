"""A program in Rust, as docs/integrate/rust.md prints it: the whole walk, and certified."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.installs.compilers import KEPT, cargo
from tests.installs.program import goes_the_walk, is_certified, issuer, running
from tests.installs.stacks import printed

__all__ = ["issuer"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.timeout(900),  # its libraries are built first
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The printed program, built; its libraries are kept for the next run."""
    folder = tmp_path_factory.mktemp("rust")
    for name in ("Cargo.toml", "src/main.rs"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(printed("rust", name))
    kept = KEPT / "rust"
    quick = {"CARGO_PROFILE_DEV_DEBUG": "0", "CARGO_INCREMENTAL": "0"}
    environment = {**quick, **os.environ, "CARGO_TARGET_DIR": str(kept)}
    build = [cargo(), "build", "--quiet"]
    subprocess.run(build, cwd=folder, env=environment, check=True, timeout=800)
    return str(kept / "debug/homework")


def test_openidconnect(issuer: str, program: str, tmp_path: Path) -> None:
    with running("rust", issuer, tmp_path, [program]) as application:
        goes_the_walk("Rust and openidconnect", application)


def test_it_is_certified(program: str, tmp_path: Path, database_url: str) -> None:
    is_certified("Rust and openidconnect", "rust", tmp_path, [program])
