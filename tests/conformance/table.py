"""``python -m tests.conformance.table``: docs/conformance.md, made from the tests beside this.

Each test's docstring begins with the specification, the section and what is required there.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs" / "conformance.md"
_SAYS = re.compile(
    r"(?P<specification>[A-Z][\w .,/-]*?),? (?P<sections>§[\w.]+)(?P<more>[^:]*): (?P<rule>.+)",
    re.DOTALL,
)
_TITLES = {
    "OAuth 2.0 Form Post Response Mode": "OAuth 2.0 Form Post Response Mode 1.0",
    "RP-Initiated Logout": "OpenID Connect RP-Initiated Logout 1.0",
    "OpenID Connect RP-Initiated Logout": "OpenID Connect RP-Initiated Logout 1.0",
    "OpenID Connect Core": "OpenID Connect Core 1.0",
    "OpenID Connect Discovery": "OpenID Connect Discovery 1.0",
    "OpenID Connect Registration": "OpenID Connect Dynamic Client Registration 1.0",
    "OpenID Connect Registration 1.0": "OpenID Connect Dynamic Client Registration 1.0",
}
HEAD = """# What the specifications ask for

Each row is a requirement, the test that keeps it, and what the test sees: it drives the provider
over HTTP, as a client or a browser does. `make test` runs them all; a row that is not met says so,
and its test fails the run once it is. The page is made from the tests
(`python -m tests.conformance.table`).
"""


@dataclass(frozen=True, order=True)
class Requirement:
    """One row: where it stands, what it asks for, and the test that keeps it."""

    specification: str
    section: str
    rule: str
    test: str
    met: bool


def requirements() -> list[Requirement]:
    """All of them; raises ``ValueError`` for a test that names no specification and section."""
    return sorted(each for file in sorted(FOLDER.glob("test_*.py")) for each in _of_file(file))


def document() -> str:
    """The page, as Markdown."""
    by_specification: dict[str, list[Requirement]] = defaultdict(list)
    for each in requirements():
        by_specification[each.specification].append(each)
    parts = [HEAD]
    for specification in sorted(by_specification, key=_in_order):
        rows = sorted(by_specification[specification], key=lambda row: _in_order(row.section))
        parts += [
            f"\n## {specification}\n",
            "| section | required | test | result |",
            "|---|---|---|---|",
        ]
        parts += [_row(row) for row in rows]
    return "\n".join(parts)


def _row(row: Requirement) -> str:
    rule = row.rule.replace("|", "\\|")
    return f"| {row.section} | {rule} | {row.test} | {'met' if row.met else '**not met**'} |"


def _of_file(file: Path) -> Iterator[Requirement]:
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        says = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
        read = _SAYS.fullmatch(says)
        if read is None:
            raise ValueError(
                f"{file.name} {node.name} names no specification and section: {says!r}"
            )
        specification = _TITLES.get(read["specification"], read["specification"])
        unmet = any("xfail" in ast.unparse(each) for each in node.decorator_list)
        section = read["sections"] + read["more"].rstrip()
        test = f"`{file.name}` `{node.name}`"
        yield Requirement(specification, section, read["rule"].rstrip("."), test, not unmet)


def _in_order(text: str) -> list[tuple[int, str]]:
    """Numbers as numbers: §9 before §10."""
    return [
        (int(part or 0), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)
    ]


if __name__ == "__main__":
    DOCUMENT.write_text(document())
