"""The contracts that ``lint-imports`` keeps: each is broken by what it is there for."""

import ast
import tomllib
from collections.abc import Callable
from configparser import ConfigParser
from copy import deepcopy
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
import pytest
from importlinter import configuration
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import Contract

from tests import source

KINDS: dict[str, type[Contract]] = {
    "acyclic_siblings": AcyclicSiblingsContract,
    "forbidden": ForbiddenContract,
    "layers": LayersContract,
    "protected": ProtectedContract,
}
CONTRACTS: list[dict[str, Any]] = tomllib.loads(Path("pyproject.toml").read_text())["tool"][
    "importlinter"
]["contracts"]

Break = Callable[[grimp.ImportGraph], None]


def imports(importer: str, imported: str) -> Break:
    return lambda graph: graph.add_import(importer=importer, imported=imported)


def a_module(name: str) -> Break:
    return lambda graph: graph.add_module(name)


BREAKS = {
    "Faces call services": [imports("idp.people.children", "idp.web.errors")],
    "The services know": [imports("idp.people.children", "idp.cli.group")],
    "What answers wrongly": [
        imports("idp.web.protocol.token", "idp.certify.wrong_answers"),
        imports("idp.cli.serve", "idp.certify.provider"),
        imports("idp", "idp.certify.forged"),
    ],
    "The web in one order": [
        imports("idp.web.errors", "idp.web.account.home"),
        imports("idp.web.protocol.interaction", "idp.web.signin.completion"),
        a_module("idp.web.somewhere"),
    ],
    "No two modules": [imports("idp.web.errors", "idp.web.branding")],
    "Authlib only": [imports("idp.web.protocol.answers", "authlib")],
    "No flask below": [imports("idp.people.children", name) for name in ("flask", "werkzeug")],
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    configuration.configure()  # import-linter's own: contracts measure their time by it
    return grimp.build_graph("idp", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("contract", CONTRACTS, ids=[each["name"] for each in CONTRACTS])
def test_a_contract_is_kept_and_would_not_be(
    contract: dict[str, Any], graph: grimp.ImportGraph
) -> None:
    assert is_kept(contract, graph)
    breaks = next(each for start, each in BREAKS.items() if contract["name"].startswith(start))
    for break_it in breaks:
        broken = deepcopy(graph)
        break_it(broken)
        assert not is_kept(contract, broken)


def is_kept(contract: dict[str, Any], graph: grimp.ImportGraph) -> bool:
    options = {
        name: str(each) if isinstance(each, bool) else each  # as import-linter reads TOML
        for name, each in contract.items()
        if name not in {"name", "type"}
    }
    session = {"root_packages": ["idp"], "include_external_packages": True}
    made = KINDS[contract["type"]](contract["name"], session, options)
    return made.check(deepcopy(graph), verbose=False).kept


def test_no_package_imports_what_imports_it(graph: grimp.ImportGraph) -> None:
    """Between a package and its own modules too, which no contract looks at."""
    in_order(graph)
    broken = deepcopy(graph)
    broken.add_import(importer="idp.web.protocol.interaction", imported="idp.web.protocol")
    broken.add_import(importer="idp.web.protocol", imported="idp.web.protocol.interaction")
    with pytest.raises(CycleError):
        in_order(broken)


def in_order(graph: grimp.ImportGraph) -> None:
    TopologicalSorter(
        {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    ).prepare()


def test_every_flask_that_is_installed_is_kept_out() -> None:
    setup = ConfigParser()
    setup.read("setup.cfg")
    lines = setup["options"]["install_requires"].split()
    flasks = {line.partition(">")[0].replace("-", "_") for line in lines if "flask" in line}
    contract = next(each for each in CONTRACTS if each["name"].startswith("No flask"))
    assert flasks <= set(contract["protected_modules"])


def test_every_table_has_types_that_hold() -> None:
    """Of ``db.Model`` mypy knows nothing: its classes would be ``Any`` to whoever reads them."""
    untyped = [
        f"{file}: {node.name}"
        for file, tree in source.trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "db.Model" in map(ast.unparse, node.bases)
    ]
    assert untyped == []
