"""What services refuse is a code; each face has a sentence for it, and chooses by nothing else."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

from idp.cli import refusals
from idp.web.admin import people_words

SOURCE = Path(__file__).parents[2] / "idp"


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def raised(name: str) -> Iterator[tuple[list[str], set[str]]]:
    """The texts and the names of the values with which a class is called."""
    for _path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                texts = [each.value if isinstance(each, ast.Constant) else "" for each in node.args]
                yield texts, {each.arg or "" for each in node.keywords}


def test_the_command_line_has_a_sentence_for_each_code_with_its_values() -> None:
    codes = set()
    for (_field, code), values in raised("Invalid"):
        named = {name for _, name, _, _ in string.Formatter().parse(refusals.INVALID[code]) if name}
        assert named == values, code
        codes.add(code)
    assert codes == set(refusals.INVALID)


def test_the_desk_has_sentences_for_what_is_refused_alone() -> None:
    known = {tuple(texts) for texts, _values in raised("Invalid")}
    assert set(people_words.BY_CODE) <= known
