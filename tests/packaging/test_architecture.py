"""docs/architecture.md says where things are: each place that it names is there, none left out."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
from flask import Flask

from idp.database import db

DOCUMENT = Path("docs/architecture.md").read_text()
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")
CHANGES = 10
one_kind = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def section(title: str) -> str:
    parts = SECTION.split(DOCUMENT)
    return parts[parts.index(title) + 1]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def defined(file: Path) -> set[str]:
    """What a module, or any module of a folder, defines or imports at its top."""
    files = [file] if file.suffix else list(file.glob("*.py"))
    return {name for each in files for name in _names(ast.parse(each.read_text()))}


def _names(tree: ast.Module) -> set[str]:
    found = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_every_folder_has_its_line_and_every_line_its_folder() -> None:
    told = {name.rstrip("/") for row in rows("Folders") for name in CODE.findall(row[0])}
    there = {
        str(folder)
        for folder in [Path("idp"), *Path("idp").rglob("*")]
        if folder.is_dir() and (folder / "__init__.py").exists()
    }
    assert told == there


def test_what_a_module_gives_to_others_is_there() -> None:
    for file in sorted(Path("idp").rglob("*.py")):
        if "\n__all__" in file.read_text():
            name = ".".join(file.with_suffix("").parts).removesuffix(".__init__")
            module = importlib.import_module(name)
            missing = [each for each in module.__all__ if not hasattr(module, each)]
            assert not missing, name


def test_the_layers_are_those_that_lint_checks() -> None:
    contracts = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    kept = [
        {name.strip().removeprefix("idp.") for name in re.split("[|:]", layer)}
        for layer in contracts[0]["layers"]
    ]
    assert [set(CODE.findall(row[0])) for row in rows("Layers")] == kept


@pytest.mark.parametrize(("fact", "home"), rows("Where each fact lives"))
def test_a_fact_lives_where_the_page_says(fact: str, home: str) -> None:
    names = CODE.findall(home)
    files = [name for name in names if name.endswith(".py")]
    folder = Path(files[0]).parent
    places = [Path(name) if "/" in name else folder / name for name in files]
    assert all(place.exists() for place in places), fact
    for name in set(names) - set(files):
        assert name.removesuffix("()").rpartition(".")[2] in _text_of(places), (fact, name)


def _text_of(places: list[Path]) -> str:
    return "\n".join(place.read_text() for place in places)


def test_ten_ordinary_changes_have_one_folder_each() -> None:
    changes = rows("Where would I put …?")
    assert len(changes) == CHANGES
    for change, folder, begin, like in changes:
        place = Path(CODE.findall(folder)[0])
        first = CODE.findall(begin)
        assert not first or (place / first[0]).exists(), change
        beside = CODE.findall(like)[0]
        assert beside in defined(place), (change, beside)


def test_every_module_that_the_page_names_is_there() -> None:
    for name in re.findall(r"`((?:\w+/)+\w+\.(?:py|js))`", DOCUMENT):
        assert Path(name).exists() or (Path("idp") / name).exists(), name


def test_a_page_that_names_what_is_not_there_is_seen() -> None:
    assert "live" in defined(Path("idp/people/guardianships.py"))
    assert "no_such_thing" not in defined(Path("idp/people"))


@one_kind
def test_every_table_is_told_and_every_told_table_is_there(app: Flask) -> None:
    told = {name for row in rows("State") for name in CODE.findall(row[0])}
    assert told - {"live_guardianships"} == set(db.metadata.tables)


@one_kind
def test_every_address_is_told(app: Flask) -> None:
    told = {name for row in rows("Addresses") for name in CODE.findall(row[0])}
    places = {_first_words(path) for path in told if path.startswith("/")}
    served = {_first_words(rule.rule) for rule in app.url_map.iter_rules()}
    assert served - places == {("static",)}


def _first_words(path: str) -> tuple[str, ...]:
    """The part of an address before what changes: all that two addresses of a kind share."""
    words = re.split("[#?]", path)[0].strip("/").split("/")
    two = {"oauth2", ".well-known", "health"}  # folders of unlike things
    return tuple(words[:2] if words[0] in two else words[:1])
