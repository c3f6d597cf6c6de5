"""What stands beside the provider, and is in no check of types, uses names that it has."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BESIDE = [file for name in ("examples", "bench") for file in sorted(Path(name).rglob("*.py"))]


def of_the_provider(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    """For each name that is imported from it: the module, the name, what it is called here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "idp":
            for each in node.names:
                yield str(node.module), each.name, each.asname or each.name


def named(module: str, name: str) -> object:
    """What that is; an error where it is not."""
    parent = importlib.import_module(module)
    return getattr(parent, name, None) or importlib.import_module(f"{module}.{name}")


@pytest.mark.parametrize("file", BESIDE, ids=str)
def test_a_program_beside_the_provider_names_what_is_there(file: Path) -> None:
    tree = ast.parse(file.read_text())
    modules = {here: named(module, name) for module, name, here in of_the_provider(tree)}

    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = modules.get(node.value.id)
            gone = isinstance(used, ModuleType) and not hasattr(used, node.attr)
            assert not gone, f"line {node.lineno}: {node.value.id}.{node.attr}"
