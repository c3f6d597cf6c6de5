"""Whatever a worker keeps stands in docs/architecture.md, with its bound and its end."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests import source
from tests.still import WITH_AN_EXPIRY

PAGE: Final = Path("docs/architecture.md")
BEGINS: Final = "What a worker keeps has an owner, a bound and an end:"
ENDS: Final = "\nPages go Flask's whole way."
OURS_ALONE: Final = ("–", "the worker ends")
"""Begins the end of what nobody else can change, or what is the worker's own."""
MARK: Final = "pytest.mark.changed_elsewhere"
KEEPERS: Final = {"OrderedDict", "WeakKeyDictionary", "cache", "lru_cache"}
_ROW: Final = re.compile(r"^\| (?!kept|---)(?P<cells>.+) \|$", re.MULTILINE)


def keeps(tree: ast.Module) -> bool:
    """Whether a module keeps something: by what the library has for that, or with the app."""
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return bool(imported & KEEPERS) or any(map(_is_kept_with_the_app, ast.walk(tree)))


def _is_kept_with_the_app(node: ast.AST) -> bool:
    """``app.extensions[…] = …``"""
    targets = node.targets if isinstance(node, ast.Assign) else ()
    return any(
        isinstance(each, ast.Subscript) and ast.unparse(each.value).endswith(".extensions")
        for each in targets
    )


def keeping_modules() -> Iterator[str]:
    for file, tree in source.trees().items():
        if keeps(tree):
            yield file.relative_to("idp").as_posix()
    for module in WITH_AN_EXPIRY:
        yield module.__name__.removeprefix("idp.").replace(".", "/") + ".py"


def rows() -> list[list[str]]:
    section = PAGE.read_text().partition(BEGINS)[2].partition(ENDS)[0]
    return [row["cells"].split(" | ") for row in _ROW.finditer(section)]


def told() -> set[str]:
    return {name for row in rows() for name in re.findall(r"`([\w/]+\.py)`", row[1])}


def test_whatever_keeps_something_is_in_the_table_and_nothing_else() -> None:
    kept = set(keeping_modules())
    assert sorted(kept - told()) == []
    assert sorted(each for each in told() if not (Path("idp") / each).exists()) == []


def test_each_row_says_how_much_until_when_and_by_which_test() -> None:
    assert len(rows()) > 20
    for row in rows():
        assert len(row) == 5, row
        assert all(cell.strip() for cell in row), row
        for test in re.findall(r"`(tests/[\w/]+\.py)`", row[4]):
            assert Path(test).exists(), row


def changed_elsewhere() -> set[tuple[str, str]]:
    """Each module of which a test says that another worker changes what it keeps, and its file."""
    found = set()
    for file in Path("tests").rglob("test_*.py"):
        text = file.read_text()
        for node in ast.walk(ast.parse(text)) if MARK in text else ():
            for mark in getattr(node, "decorator_list", ()):
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == MARK:
                    found |= {(ast.literal_eval(each), file.as_posix()) for each in mark.args}
    return found


def test_what_another_worker_can_change_is_changed_by_one_in_the_test_that_is_named() -> None:
    wanted = {
        (module, tuple(re.findall(r"`(tests/[\w/]+\.py)`", row[4])))
        for row in rows()
        if not row[3].startswith(OURS_ALONE)
        for module in re.findall(r"`([\w/]+\.py)`", row[1])
    }
    marked = changed_elsewhere()
    assert len(wanted) > 10
    assert [each for each in wanted if not marked & {(each[0], file) for file in each[1]}] == []
    assert sorted({module for module, _file in marked} - {module for module, _ in wanted}) == []


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("from functools import lru_cache", True),
        ("from weakref import WeakKeyDictionary", True),
        ("app.extensions['x'] = {}", True),
        ("current_app.extensions[NAME] = {}", True),
        ("from functools import wraps\nx = app.extensions['x']", False),
    ],
)
def test_what_keeps_and_what_does_not(written: str, kept: bool) -> None:
    assert keeps(ast.parse(written)) is kept
