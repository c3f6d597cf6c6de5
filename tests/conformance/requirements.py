"""What the tests say of themselves: which requirement of which specification each keeps.

A test's docstring begins with the specification, the section and what is required there. Those of
this folder all do; those of others where they keep such a requirement.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_SAYS = re.compile(
    r"(?P<specification>[A-Z][\w .,/-]*?),? (?P<sections>§[\w.]+)(?P<more>[^:]*): (?P<rule>.+)",
    re.DOTALL,
)
_TITLES = {
    "FAPI 2.0": "FAPI 2.0 Security Profile",
    "OAuth 2.0 Form Post Response Mode": "OAuth 2.0 Form Post Response Mode 1.0",
    "RP-Initiated Logout": "OpenID Connect RP-Initiated Logout 1.0",
    "RP-Initiated Logout 1.0": "OpenID Connect RP-Initiated Logout 1.0",
    "OpenID Connect RP-Initiated Logout": "OpenID Connect RP-Initiated Logout 1.0",
    "OpenID Connect Core": "OpenID Connect Core 1.0",
    "OpenID Connect Discovery": "OpenID Connect Discovery 1.0",
    "OpenID Connect Registration": "OpenID Connect Dynamic Client Registration 1.0",
    "OpenID Connect Registration 1.0": "OpenID Connect Dynamic Client Registration 1.0",
}


@dataclass(frozen=True, order=True)
class Requirement:
    """Where it stands, what it asks for, and the test that keeps it."""

    specification: str
    section: str
    rule: str
    test: str
    """``protocol/test_pkce.test_plain_is_refused``: below ``tests``."""


@cache
def everywhere(folder: Path = FOLDER) -> tuple[Requirement, ...]:
    """All of them, of this folder and of those beside it.

    Raises ``ValueError`` for a test of this folder that names no specification and section.
    """
    files = sorted(folder.parent.glob("*/test_*.py"))
    return tuple(sorted(each for file in files for each in _of_file(file, file.parent == folder)))


def _of_file(file: Path, has_to: bool) -> Iterator[Requirement]:
    text = file.read_text()
    if not has_to and "§" not in text:
        return  # parsing is what takes time
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        says = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
        read = _SAYS.fullmatch(says)
        if read:
            name = read["specification"]
            section = read["sections"] + read["more"].rstrip()
            test = f"{file.parent.name}/{file.stem}.{node.name}"
            yield Requirement(_TITLES.get(name, name), section, read["rule"].rstrip("."), test)
        elif has_to:
            raise ValueError(f"{file.name} {node.name} names no specification and section: {says}")
