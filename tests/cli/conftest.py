"""Running ``idp``: in this process for the many commands, as a real process for the rest."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from idp.cli import application
from idp.cli.program import cli
from idp.database import db
from idp.doctor import Finding, installation
from tests import databases
from tests.conftest import environment_for_tests

PROGRAM = Path(sys.executable).with_name("idp")

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Run a command against the test's own database; returns click's result."""

    def command(*arguments: str, stdin: str | bytes | None = None) -> Result:
        info = ScriptInfo(create_app=lambda: app, set_debug_flag=False)
        return CliRunner().invoke(cli, list(arguments), input=stdin, obj=info)

    return command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty one, for backups."""
    made = tmp_path / "backups"
    made.mkdir()
    return made


@pytest.fixture
def json_of(run: Run) -> Callable[..., Any]:
    """Run a command with ``--json``, which must succeed, and return the document."""

    def command(*arguments: str, **options: Any) -> Any:
        result = run(*arguments, "--json", **options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return command


@pytest.fixture
def environment(keys_folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a real ``idp`` on a migrated SQLite database, and nothing else."""
    with databases.fresh("sqlite") as url:
        yield environment_for_tests(url, keys_folder, IDP_DRAIN="0")


def invoked(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> Result:
    """Run a command in this process, in this environment and no other."""
    info = ScriptInfo(create_app=application.build, set_debug_flag=False)
    before, log = dict(os.environ), logging.getLogger("idp")
    level = log.level
    os.environ.clear()
    os.environ.update(environment)
    try:
        return CliRunner().invoke(cli, list(arguments), input=stdin, obj=info, prog_name="idp")
    finally:
        os.environ.clear()
        os.environ.update(before)
        log.setLevel(level)
        _close(info)


def output_of(environment: dict[str, str], *arguments: str, stdin: str | None = None) -> str:
    """What a command prints that must succeed, run in this process: a second for each it saves."""
    result = invoked(environment, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def of_installation() -> list[Finding]:
    """What the installation tells, but that the tests' role owns the database."""
    findings = installation.of_installation()
    return [each for each in findings if each.subject != "audit trail"]


def _close(info: ScriptInfo) -> None:
    if info._loaded_app is not None:
        with info._loaded_app.app_context():
            db.session.remove()
            db.engine.dispose()


def start(
    environment: dict[str, str], *arguments: str, measured: bool = True, **options: Any
) -> subprocess.Popen[str]:
    """Start the console script; the caller ends it. ``measured``: coverage follows into it.

    Whoever lets it run for long must say where its words go: a full pipe holds it up.
    """
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    env = _measured(environment) if measured else environment
    return subprocess.Popen([str(PROGRAM), *arguments], env=env, **{**pipes, **options})


def _measured(environment: dict[str, str]) -> dict[str, str]:
    """The environment with what lets coverage follow into another process."""
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    return coverage | environment


def finished(
    environment: dict[str, str], *arguments: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run the console script to its end."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        env=_measured(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        **options,
    )


def refused(result: Result | subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command refused, code 2 and no traceback."""
    code = result.exit_code if isinstance(result, Result) else result.returncode
    assert code == 2, f"{code}: {result.stdout}{result.stderr}"
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("idp: ")
    assert "Traceback" not in result.stdout
    return str(lines[0])
