"""docs/conformance.md is what the tests of tests/conformance say of themselves."""

import ast
from pathlib import Path

import pytest

from tests.conformance import table


def test_the_page_is_made_from_the_tests() -> None:
    assert table.DOCUMENT.read_text() == table.document(), "python -m tests.conformance.table"


def test_no_test_is_left_out() -> None:
    trees = [ast.parse(file.read_text()) for file in table.FOLDER.glob("test_*.py")]
    tests = [
        node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]

    assert len(table.requirements()) == len(tests) > 100


def test_a_test_that_names_no_section_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "test_more.py").write_text('def test_it():\n    """It works."""\n')
    monkeypatch.setattr(table, "FOLDER", tmp_path)

    with pytest.raises(ValueError, match="names no specification"):
        table.requirements()


def test_what_is_not_met_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    says = '"""RFC 9126 §2.1: it is so."""'
    (tmp_path / "test_more.py").write_text(
        f"@pytest.mark.xfail\ndef test_a():\n    {says}\ndef test_b():\n    {says}\n"
    )
    monkeypatch.setattr(table, "FOLDER", tmp_path)

    assert [each.met for each in table.requirements()] == [False, True]
    assert "**not met**" in table.document()
