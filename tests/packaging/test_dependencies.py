"""What the package declares is what it imports: nothing lies about unused, nothing is borrowed."""

import ast
import configparser
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import idp
from tests import source

ROOT: Final = Path(idp.__file__).parent
THROUGH_ANOTHER: Final = {
    "defusedxml",  # openpyxl parses by it; workbooks.py reads nothing where it would not
}
OF_AN_EXTRA: Final = {
    "opentelemetry-exporter-otlp-proto-http", "opentelemetry-api", "opentelemetry-sdk",
    "playwright", "pyopenssl", "twisted", "zope.interface",
}  # fmt: skip
"""Imported where somebody asks for it (``idp certify --browser``, ``idp mtls``, traces), and told
how to get it."""
FROM_ANOTHER: Final = {
    "babel": "flask-babel",
    "cbor2": "webauthn",
    "click": "flask",
    "itsdangerous": "flask",
    "markupsafe": "flask",
    "urllib3": "requests",
    "werkzeug": "flask",
}
"""Parts of a dependency that it shows as its own, and whose version it chooses."""


def test_each_dependency_is_imported_and_each_import_is_a_dependency() -> None:
    assert imported() - set(FROM_ANOTHER) - OF_AN_EXTRA == declared() - THROUGH_ANOTHER


def test_what_comes_with_another_comes_with_one_that_is_declared() -> None:
    assert set(FROM_ANOTHER.values()) <= declared()
    assert set(FROM_ANOTHER) <= imported()


def declared() -> set[str]:
    setup = configparser.ConfigParser()
    setup.read("setup.cfg")
    lines = setup["options"]["install_requires"].split()
    return {re.split(r"[\[<>=]", line)[0].lower() for line in lines}


def imported() -> set[str]:
    """The distributions whose modules our own import, by their names in lower case."""
    migrations = (ast.parse(file.read_text()) for file in Path("migrations").rglob("*.py"))
    modules = {
        name.partition(".")[0]
        for tree in [*source.trees().values(), *migrations]
        for name in _imports(tree)
    }
    ours = {"idp", *sys.stdlib_module_names}
    distributions = packages_distributions()
    return {distributions[name][0].lower() for name in modules - ours}


def _imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found
