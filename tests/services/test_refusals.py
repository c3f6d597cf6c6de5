"""What services refuse is a code; each face has a sentence for it, and chooses by nothing else."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.cli import refusals
from idp.clients import uris
from idp.roster import refusals as roster_refusals
from idp.roster.records import Hostile, Unusable
from idp.web.admin import client_words
from idp.web.admin import refusals as desk

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


def placeholders(words: str) -> set[str]:
    return {name.partition("!")[0] for _, name, _, _ in string.Formatter().parse(words) if name}


def test_the_command_line_has_a_sentence_for_each_code_with_its_values() -> None:
    told = {**refusals.INVALID, **refusals.REGISTRATIONS}
    assert len(told) == len(refusals.INVALID) + len(refusals.REGISTRATIONS), "which one is meant?"
    codes = {each.value for each in uris.Problem}
    for (_field, code), values in raised("Invalid"):
        if code:  # an address's is a member of the enumeration
            assert placeholders(told[code]) == values - {"address"}, code
            codes.add(code)
    assert codes == set(told)


def test_the_command_line_has_a_sentence_for_each_file_that_is_refused() -> None:
    codes = set()
    for name in ("Unusable", "Hostile"):
        for (code,), values in raised(name):
            assert placeholders(refusals.FILES[code]) <= values, code
            codes.add(code)
    assert codes == set(refusals.FILES)


def test_the_desk_has_sentences_for_what_a_form_of_an_application_can_meet() -> None:
    known = {texts[1] for texts, _values in raised("Invalid")} | set(uris.Problem)
    assert set(client_words.PROBLEMS) <= known
    made_up = {"must_be_one_of", "must_be_some_of", "no_boolean", "no_scope", "no_text", "no_texts"}
    elsewhere = {"no_secret", "unknown_school"}
    assert set(refusals.REGISTRATIONS) == {*client_words.PROBLEMS, *made_up, *elsewhere}


@pytest.mark.parametrize("kind", [Unusable, Hostile])
def test_a_job_keeps_a_code_that_has_a_sentence(kind: type[Unusable]) -> None:
    for code in refusals.FILES:
        kept = roster_refusals.of_file(kind(code))
        assert kept["code"] in roster_refusals.SENTENCES


def test_each_conflict_has_a_sentence_at_the_desk_and_on_the_command_line() -> None:
    codes = {each.value for _path, tree in trees() for each in conflicts(tree)}
    assert codes == set(refusals.CONFLICTS)
    of_guardians = {"last_factor", "last_way_in", "too_many_passkeys"}
    told_by_their_forms = {"outdated", "not_invited"}
    assert set(desk.CONFLICTS) == codes - of_guardians - told_by_their_forms


def conflicts(tree: ast.AST) -> Iterator[ast.Constant]:
    """The codes of ``Conflict(…)``, one of two where it depends."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Conflict"), args=[ast.Constant() as code]):
                yield code
            case ast.Call(
                func=ast.Name(id="Conflict"),
                args=[ast.IfExp(body=ast.Constant() as one, orelse=ast.Constant() as other)],
            ):
                yield from (one, other)


def test_the_desk_has_sentences_for_what_is_refused_alone() -> None:
    known = {tuple(texts) for texts, _values in raised("Invalid")}
    assert set(desk.BY_CODE) <= known
