"""What commands read besides their arguments: secrets from stdin, documents from files."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from idp.cli.errors import BadInput

LONGEST_FILE = 1024 * 1024
LONGEST_PASSWORD = 4096

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST_DURATION = timedelta(days=3650)


def password() -> str:
    """The password on standard input, up to the first line end; asked for at a terminal.

    Never an argument: arguments stand in the list of processes and in the shell's history.
    """
    if sys.stdin.isatty():
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    raw = sys.stdin.buffer.read(LONGEST_PASSWORD + 1)
    if len(raw) > LONGEST_PASSWORD:
        raise BadInput(f"the password on standard input is longer than {LONGEST_PASSWORD} bytes")
    text = _decoded(raw, "the password on standard input")
    line = text.removesuffix("\n").removesuffix("\r")
    if not line:
        raise BadInput("there is no password on standard input")
    if "\n" in line:
        raise BadInput("there is more than one line on standard input")
    return line


def document(path: Path) -> dict[str, Any]:
    """The JSON object in a file, or on standard input for ``-``."""
    name = "standard input" if str(path) == "-" else str(path)
    raw = _content(path)
    if len(raw) > LONGEST_FILE:
        raise BadInput(f"{name} is larger than {LONGEST_FILE} bytes")
    try:
        value = json.loads(_decoded(raw, name))
    except ValueError as error:
        raise BadInput(f"{name} is not JSON: {error}") from error
    except RecursionError as error:
        raise BadInput(f"{name} is nested too deeply") from error
    if not isinstance(value, dict):
        raise BadInput(f"{name} does not hold a JSON object")
    return value


def duration(text: str) -> timedelta:
    """A number with a unit: ``90s``, ``15m``, ``24h``, ``7d``; ``0`` needs none."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text)
    if match is None or (not match[2] and int(match[1])):
        raise click.BadParameter(f"{text!r} is not a duration such as 90s, 15m, 24h or 7d")
    length = timedelta(**{_UNITS.get(match[2], "seconds"): int(match[1])})
    if length > LONGEST_DURATION:
        raise click.BadParameter(f"{text!r} is longer than ten years")
    return length


def moment(text: str) -> datetime:
    """A day or an instant in ISO 8601; UTC where it names no zone."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        words = f"{text!r} is not a time such as 2026-11-23 or 2026-11-23T08:30"
        raise click.BadParameter(words) from error


def _content(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read(LONGEST_FILE + 1)
    with path.open("rb") as file:
        return file.read(LONGEST_FILE + 1)


def _decoded(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8 text") from error
