"""A file of settings: ``KEY=VALUE`` lines, as systemd's EnvironmentFile and Docker read them."""

import os
import re
from pathlib import Path

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", re.DOTALL)

loaded: set[str] = set()
"""The variables that came from a file: whoever starts this program anew lets it read them anew."""


def load(path: Path) -> None:
    """Set every variable of the file that the environment does not set yet.

    Raises ``OSError``, or ``ValueError`` naming the line (never its text: it may hold a secret).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8 text") from error
    for name, value in parse(text).items():
        if name not in os.environ:
            os.environ[name] = value
            loaded.add(name)


def parse(text: str) -> dict[str, str]:
    """The variables of a settings file; blank lines and lines that begin with ``#`` don't count."""
    variables = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None or "\0" in line:
            raise ValueError(f"line {number} is not KEY=VALUE")
        variables[found[1]] = _unquoted(found[2].strip())
    return variables


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
