"""A release before this one, out of the history of the source, as it would be installed."""

import io
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """#!{python}
import sys
sys.path.insert(0, {folder!r})
from idp.cli import main
sys.exit(main())
"""


@dataclass(frozen=True)
class Release:
    """What is installed in a folder: ``bin/idp`` runs it, wherever it is called from."""

    version: str
    folder: Path
    newest_schema: str


def this(folder: Path) -> Release:
    """The source as it stands."""
    _write_program(folder, ROOT)
    return Release("this one", folder, _newest_schema(_names("HEAD")))


def former(folder: Path) -> Release:
    """The newest release whose schema is older than ours. Skips where the history is not here."""
    ours = max(each.name for each in (ROOT / "migrations/versions").glob("[0-9]*.py"))
    for commit in _releases():
        if max(_names(commit)) < ours:
            return _installed(commit, folder)
    pytest.skip("no release in the history has an older schema")


def newest(folder: Path) -> Release:
    """The newest release that is not this very state, whatever its schema: most sites come from
    it. Skips where the history is not here.
    """
    this = _asked("rev-parse", "HEAD").strip()
    return _installed(next(each for each in _releases() if each != this), folder)


def _releases() -> list[str]:
    """The commits in which the version changed, the newest first."""
    _need_history()
    return _asked("log", "--format=%H", "-G^version = ", "--", "setup.cfg").split()


def _installed(commit: str, folder: Path) -> Release:
    _unpack(commit, folder)
    _write_program(folder, folder)
    return Release(_version_of(commit), folder, _newest_schema(_names(commit)))


def _version_of(commit: str) -> str:
    return _version_in(_asked("show", f"{commit}:setup.cfg"))


def _version_in(configuration: str) -> str:
    line = next(each for each in configuration.splitlines() if each.startswith("version = "))
    return line.removeprefix("version = ")


def _need_history() -> None:
    if _tried("rev-parse", "--git-dir").returncode != 0:
        pytest.skip("this is no clone of the source: there is no former release to run")
    if _asked("rev-parse", "--is-shallow-repository").strip() == "true":
        _tried("fetch", "--quiet", "--unshallow")
    if _asked("rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("the clone is shallow, and the rest of its history could not be fetched")


def _names(commit: str) -> list[str]:
    listed = _asked("ls-tree", "--name-only", commit, "migrations/versions/").split()
    return [Path(each).name for each in listed if Path(each).name[0].isdigit()]


def _newest_schema(names: list[str]) -> str:
    return max(names).partition("_")[0]


def _unpack(commit: str, folder: Path) -> None:
    """As a wheel is laid out: migrations and templates lie in the package."""
    parts = ("idp", "migrations", "templates")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, *parts], check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    for part in parts[1:]:
        (folder / part).rename(folder / "idp" / part)


def _write_program(folder: Path, source: Path) -> None:
    program = folder / "bin/idp"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM.format(python=sys.executable, folder=str(source)))
    program.chmod(0o755)


def _asked(*words: str) -> str:
    done = _tried(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _tried(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["git", "-C", str(ROOT), *words],
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
