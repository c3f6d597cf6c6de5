"""What no check of types looks at names only what the provider has."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def named(module: str, name: str) -> object:
    """What that is; an error where it is not."""
    parent = importlib.import_module(module)
    return getattr(parent, name, None) or importlib.import_module(f"{module}.{name}")


def modules_of(tree: ast.Module) -> dict[str, ModuleType]:
    """The provider's modules by what they are called here, unless something else is, too."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "idp":
            for each in node.names:
                found[each.asname or each.name] = named(str(node.module), each.name)
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {
        name: module
        for name, module in found.items()
        if isinstance(module, ModuleType) and name not in bound | arguments
    }


def gone(file: Path) -> Iterator[str]:
    """Each name in this file that a module of the provider has not."""
    tree = ast.parse(file.read_text())
    modules = modules_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = modules.get(node.value.id)
            if module is not None and not hasattr(module, node.attr):
                yield f"{file}:{node.lineno}: {node.value.id}.{node.attr}"


@pytest.mark.parametrize("folder", ["bench", "examples", "tests"])
def test_a_program_beside_the_provider_names_what_is_there(folder: str) -> None:
    assert [each for file in Path(folder).rglob("*.py") for each in gone(file)] == []
