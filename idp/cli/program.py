"""The whole of ``idp``: its nouns, the options before them, and the file of its settings."""

import os
import sys
from pathlib import Path
from typing import TextIO, cast

import click
from flask.cli import ScriptInfo

from idp import correlation
from idp.cli import application, output
from idp.cli.errors import BadInput
from idp.cli.group import RootGroup, print_version
from idp.settings import variables

NOUNS = {
    "serve": "Answer browsers and applications, until stopped.",
    "mtls": "A door of our own for applications with client certificates.",
    "db": "Bring the database to the schema of this version.",
    "backup": "Make backups, prove that they can be restored, and restore them.",
    "school": "Schools.",
    "client": "Applications that parents sign in to.",
    "user": "Guardians' accounts.",
    "child": "Children, and who their guardians are.",
    "directory": "The index by which people are found.",
    "roster": "Import pupils and guardians from a file.",
    "token": "One-time connection tokens for letters.",
    "keys": "Signing keys.",
    "secrets": "The secrets of the settings, and what hangs on each.",
    "provider": "Other providers that parents may sign in with.",
    "mail": "The outbox and the worker that empties it.",
    "notify": "What applications are told of, and the worker that tells them.",
    "overview": "The figures of the whole platform, for operators.",
    "purge": "Delete what has expired; end and erase who has left.",
    "privacy": "Papers for a data protection officer, made from the program.",
    "audit": "The audit trail.",
    "certify": "Try an application with a test school, and name its mistakes.",
    "alive": "Say whether a worker goes on, by the file of its heartbeat.",
    "check": "Say what would be unsafe in production, and why.",
    "completion": "Print what lets a shell complete the commands.",
    "man": "Print the manual page.",
}


@click.group(cls=RootGroup, nouns=NOUNS, context_settings={"max_content_width": 100})
@click.option(
    "--env-file",
    envvar="IDP_ENV_FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of KEY=VALUE lines; variables that are already set win over it.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print the version and stop.",
)
@output.wide_option
def cli(env_file: Path | None) -> None:
    """The identity provider that schools trust with families.

    Settings come from the environment; `idp check --settings` lists them all.

    A first start:
      idp db upgrade
      idp keys ensure
      idp check
      idp serve --port 8000
    """
    correlation.begin(actor="cli")
    if env_file is not None:
        _read(env_file)


def run() -> None:
    """Read the arguments, carry out the command, and exit with its code."""
    _fill_closed()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a letter shows its code; nothing breaks half-way.
        getattr(stream, "reconfigure", lambda **_: None)(errors="backslashreplace")
    cli.main(prog_name="idp", obj=ScriptInfo(create_app=application.build, set_debug_flag=False))


def _fill_closed() -> None:
    """Put nothing in the place of a closed standard input or standard error.

    Python has None for them, and their numbers would be those of the next files and connections
    that are opened: a program that is started from here would read or write these.
    """
    if sys.stdin is None:
        sys.stdin = _nothing("r")
    if sys.stderr is None and sys.stdout is not None:
        sys.stderr = _nothing("w")


def _nothing(mode: str) -> TextIO:
    number = os.open(os.devnull, os.O_RDWR)
    os.set_inheritable(number, True)
    return cast(TextIO, os.fdopen(number, mode, encoding="utf-8"))


def _read(path: Path) -> None:
    try:
        variables.load_file(path)
    except OSError as error:
        raise BadInput(f"the settings file {path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"the settings file {path}: {error}") from error
    os.environ["IDP_ENV_FILE"] = str(path)  # for `idp check`, which looks who may read it
