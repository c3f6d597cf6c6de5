"""Cells of files that a spreadsheet opens: text, whatever they begin with (security rule A6)."""

import unicodedata
from typing import Final

_FORMULA: Final = frozenset("=+-@|%\u2212")
"""What begins a formula, or a command, in one program or another; also in their wide forms."""
_BEFORE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def quoted(cell: str) -> str:
    """The cell on one line, behind an apostrophe where a program would take it for a formula."""
    flat = " ".join(cell.split()) if "\n" in cell or "\r" in cell else cell
    begins = cell[:1] in {"\t", "\r", "\n"}
    return f"'{flat}" if begins or _is_formula(flat) else flat


def unquoted(cell: str) -> str:
    """What ``quoted`` made of a cell, as it was: a list that we wrote is read again."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell[1:]) else cell


def _is_formula(text: str) -> bool:
    for character in text:
        if unicodedata.category(character) not in _BEFORE:
            # Full-width, small and superscript forms are one sign to some programs
            return bool(set(unicodedata.normalize("NFKC", character)) & _FORMULA)
    return False
