"""The provider's names are its field's words: no name says less than what the thing is.

``WORDS`` and the lists below it hold, in this one place, each word that is no name in ``idp/``
and what to say instead. Names are those of variables, arguments, functions, classes, modules and
of what an import is called; words in sentences, stored values, addresses and keys are none.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests import source

WHAT_IT_IS = "what it holds: request, claims, row, params, interaction, match, account, answer"
WORDS = {
    **dict.fromkeys(("asked", "told", "said", "found", "given", "here", "this"), WHAT_IT_IS),
    "within": "school_scope",
}
"""Not the whole of a name."""
PARTS = {
    "reach": "school_scope",
    "reaches": "school_scopes",
    "standing": "onboarding",
    "standings": "onboarding_of",
    "figures": "overview",
    "journal": "audit_log",
    "trail": "audit_log",
    "happenings": "activity",
    "traces": "activity",
    "walk": "interaction, authorization_request, state",
    "specimen": "sample_token, preview",
    "dress": "apply_branding",
    "go_on": "resume",
    "families": "endings",
    "households": "endings",
    "nearness": "fuzzy",
    "findable": "reindex",
    "given_up": "released",
}
"""Not a word of a name: ``school_figures``, ``Standing``."""
BEGINNINGS = {"guard": "check", "forgive": "reset", "hold": "lock"}
"""Not the first word of a name of a function: ``guard_sign_in`` (``head_guard`` is one)."""
CALLS = {
    **dict.fromkeys(
        ("of", "ask", "get", "go", "look", "put", "show", "take", "tell"),
        "a verb and its noun: load_factors, get_client, render_page",
    ),
    "enter": "load_interaction",
    "notice": "notify_new_device",
    "wish": "set_preferred_locale",
}
"""Not the whole name of a function of a module."""
CLASSES = {"Stage": "OnboardingStep", "Window": "VisibilityWindow"}
MODULES = {
    "folding": "normalise",
    "history": "audit_log",
    "listed": "person_rows",
    "turns": "concurrency_limit",
}


def names_of(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Each name that this module gives, and where."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node
        elif isinstance(node, ast.arg):
            yield node.arg, node
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node


def plain(name: str) -> str:
    """``_TheName`` and ``THE_NAME`` as ``the_name``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).strip("_").lower()


def instead_of(name: str) -> str | None:
    """What the field says instead of any name; nothing where the name is one of its words."""
    parts = (say for part, say in PARTS.items() if f"_{part}_" in f"_{plain(name)}_")
    return WORDS.get(plain(name)) or next(parts, None)


def instead_of_definition(node: ast.AST, of_module: bool) -> str | None:
    """What it says instead of the name of a function or class; ``of_module``: of no class."""
    if isinstance(node, ast.ClassDef):
        return CLASSES.get(node.name.strip("_"))
    if not isinstance(node, ast.FunctionDef):
        return None
    name = plain(node.name)
    return BEGINNINGS.get(name.partition("_")[0]) or (CALLS.get(name) if of_module else None)


def refused_in(path: Path, tree: ast.Module) -> Iterator[str]:
    """Each name in this module that is none of the field's words, with what to say."""
    if say := MODULES.get(path.stem) or instead_of(path.stem):
        yield f"{path}: {path.stem} -> {say}"
    for name, node in names_of(tree):
        if say := instead_of(name) or instead_of_definition(node, node in tree.body):
            yield f"{path}:{getattr(node, 'lineno', 0)}: {name} -> {say}"


def test_each_name_is_one_of_the_fields_words() -> None:
    modules = source.trees().items()
    assert [each for file, tree in modules for each in refused_in(file, tree)] == []


def test_what_is_refused_and_what_is_not() -> None:
    written = """
import re as found
class Stage:
    def get(self, here): ...
    def hold_account(self, guard): ...
def of(found_at, reached): ...
def head_guard(account_standing): ...
for told, _said in []: ...
"""
    lines = refused_in(Path("idp/listed.py"), ast.parse(written))
    names = {line.partition(" -> ")[0].rpartition(" ")[2] for line in lines}
    words = {"found", "here", "told", "_said", "account_standing"}
    assert names == words | {"listed", "Stage", "hold_account", "of"}
