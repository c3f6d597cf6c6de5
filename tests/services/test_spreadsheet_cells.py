"""Cells of our files begin no formula in any program (security rule A6)."""

import pytest

from idp.roster.spreadsheet_cells import quoted, unquoted


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠", "﹦", "−"])
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\ufeff", "\u200b"])
def test_a6_what_begins_a_formula_stands_behind_an_apostrophe(sign: str, before: str) -> None:
    cell = f"{before}{sign}1+1"
    assert quoted(cell) == f"'{cell}"
    assert unquoted(quoted(cell)) == cell


@pytest.mark.parametrize("sign", ["\t", "\r", "\n"])
def test_a6_what_leaves_the_cell_is_put_on_its_line(sign: str) -> None:
    assert quoted(f"{sign}=1").startswith("'")
    assert sign not in quoted(f"a{sign}\n=1")


@pytest.mark.parametrize("cell", ["Lina", "'t Hooft", "D'Hoekelaere", "", "3B", "zoe@example.org"])
def test_other_cells_stay_as_they_are(cell: str) -> None:
    assert quoted(cell) == unquoted(cell) == cell
