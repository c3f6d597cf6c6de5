"""What services refuse is a code; each face has a sentence for it, and chooses by nothing else."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.cli import refusals
from idp.clients import uris
from idp.clients.certification import FORMAT, UNTOLD
from idp.doctor.hanging import DERIVED
from idp.people.guardianships import BY_ROSTER
from idp.roster import refusals as roster_refusals
from idp.roster.records import OF_OTHER_SCHOOLS, Hostile, Unusable
from idp.web.admin import client_problems
from idp.web.admin import refusals as desk
from tests import source

WORDS = 3
"""A text of so many words is a sentence."""
OF_OTHERS = {
    "no such table",
    "no such column",
    "Python threads, which seems quite high",
    "503 Service Unavailable",
}
"""What other programs say, which have no code for it."""
STORED = {"given up after", BY_ROSTER, OF_OTHER_SCHOOLS, FORMAT, UNTOLD}
"""What stands so in the database or in reports for programs, and is read back."""
NO_FIELD = {"number_between"}
"""What only the tokens of applications that register themselves can get wrong."""
DATA = {"openid email profile", "SimpleQueue[None] | None"}
DATA |= {each for kinds in DERIVED.values() for each in kinds}  # names of a report


def raised(name: str) -> Iterator[tuple[list[str], set[str]]]:
    """The texts and the names of the values with which a class is called."""
    for tree in source.trees().values():
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
    assert set(client_problems.PROBLEMS) <= known
    made_up = {"must_be_one_of", "must_be_some_of", "no_boolean", "no_scope", "no_text", "no_texts"}
    elsewhere = {"no_secret", "unknown_school"}
    # Of fields that the form has not: the command line's, and those of applications themselves
    elsewhere |= NO_FIELD
    assert set(refusals.REGISTRATIONS) == {*client_problems.PROBLEMS, *made_up, *elsewhere}


@pytest.mark.parametrize("kind", [Unusable, Hostile])
def test_a_job_keeps_a_code_that_has_a_sentence(kind: type[Unusable]) -> None:
    for code in refusals.FILES:
        kept = roster_refusals.of_file(kind(code))
        assert kept["code"] in roster_refusals.SENTENCES


def test_each_conflict_has_a_sentence_at_the_desk_and_on_the_command_line() -> None:
    codes = {each.value for tree in source.trees().values() for each in conflicts(tree)}
    codes -= {"must_not_be_sent", "other_client_id", "other_client_secret"}  # of self-registration
    assert codes == set(refusals.CONFLICTS)
    of_guardians = {"last_factor", "last_way_in", "too_many_passkeys"}
    told_by_their_forms = {"outdated", "not_invited"}
    of_undoing = {"later_import", "nothing_stands", "undo_too_late"}  # no button is offered then
    assert set(desk.CONFLICTS) == codes - of_guardians - told_by_their_forms - of_undoing


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


def test_no_english_sentence_chooses_anything() -> None:
    trees = source.trees()
    modules = {dotted(path): dict(sentences_with_names(tree)) for path, tree in trees.items()}
    chosen = []
    for path, tree in trees.items():
        named = modules[dotted(path)] | imported(tree, modules)
        for each in (one for node in ast.walk(tree) for one in choosing(node)):
            text = each.value if isinstance(each, ast.Constant) else named.get(each.id)
            if is_sentence(text) and text not in OF_OTHERS | STORED | DATA:
                chosen.append(f"{path}:{each.lineno}: {text!r}")
    assert chosen == []


def dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts)


def imported(tree: ast.Module, modules: dict[str, dict[str, str]]) -> dict[str, str]:
    """The sentences with names that come from other modules."""
    return {
        alias.name: modules[node.module][alias.name]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module in modules
        for alias in node.names
        if alias.name in modules[node.module]
    }


def is_sentence(text: object) -> bool:
    return isinstance(text, str) and len(text.split()) >= WORDS


def sentences_with_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The sentences that a module gives a name."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if is_sentence(node.value.value):
                yield ast.unparse(target), node.value.value


def choosing(node: ast.AST) -> Iterator[ast.Constant | ast.Name]:
    """By what something is looked up, compared or matched here."""
    match node:
        case ast.Dict(keys=keys):
            found = [each for each in keys if each is not None]
        case ast.Compare(left=left, comparators=others):
            found = [left, *others]
        case ast.MatchValue(value=key) | ast.Subscript(slice=key):
            found = [key]
        case ast.Call(func=ast.Attribute(attr="startswith" | "endswith" | "get"), args=args):
            found = args[:1]
        case _:
            found = []
    inner = (one for each in found for one in ast.walk(each))
    yield from (one for one in inner if isinstance(one, ast.Constant | ast.Name))


def test_no_page_shows_the_text_of_an_exception() -> None:
    shown = [
        f"{path}:{node.lineno}"
        for path, tree in source.trees().items()
        if path.is_relative_to("idp/web")
        for handler in ast.walk(tree)
        if isinstance(handler, ast.ExceptHandler) and handler.name
        for node in ast.walk(handler)
        if isinstance(node, ast.Call | ast.FormattedValue)
        and ast.unparse(node) in {f"str({handler.name})", f"f'{{{handler.name}}}'"}
    ]
    assert shown == []
