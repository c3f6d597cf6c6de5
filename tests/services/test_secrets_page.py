"""docs/secrets.md and ``idp secrets status`` leave out nothing that hangs on a secret."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from idp.database import KeyedHash, db
from idp.doctor import hanging
from idp.sessions.models import PersistentLogin
from tests import source

PAGE: Final = Path("docs/secrets.md").read_text()
TAKES: Final = {"keyed_hash": 0, "derived": 0, "each_derived": 0, "is_derived": 1, "digest": 0}
"""Functions that take a purpose, and at which place."""
ELSEWHERE: Final = {"idp/database/hashes.py", "idp/doctor/hanging.py"}


def purposes() -> Iterator[str]:
    for path, tree in source.trees().items():
        if str(path) not in ELSEWHERE:
            yield from purposes_in(tree)


def purposes_in(tree: ast.Module) -> Iterator[str]:
    constants = {
        name.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for name in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(name, ast.Name)
    }
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        place = TAKES.get(name)
        if place is None or len(call.args) <= place:
            continue
        purpose = call.args[place]
        if isinstance(purpose, ast.Name):
            purpose = constants.get(purpose.id, purpose)  # type: ignore[assignment]
        if isinstance(purpose, ast.Constant) and isinstance(purpose.value, str):
            yield purpose.value


def test_every_purpose_has_its_row_on_the_page() -> None:
    found = set(purposes())
    assert len(found) > 30
    assert [each for each in sorted(found) if f"`{each}`" not in PAGE] == []


@pytest.mark.parametrize("purpose", ["email confirm", "roster pupil", "carried interaction"])
def test_what_is_put_together_has_its_row_too(purpose: str) -> None:
    assert f"`{purpose}`" in PAGE


def test_every_column_of_a_keyed_hash_is_counted_by_status() -> None:
    counted = {str(kind.column) for kind in hanging.ON_TOKEN_HASH_KEY}
    known = counted | {str(each) for each in hanging.BEGINS_ANEW}
    known |= {str(PersistentLogin.previous_hash)}  # half a minute beside the newest one
    columns = {
        str(getattr(mapper.class_, attribute.key))
        for mapper in db.Model.registry.mappers
        for attribute in mapper.column_attrs
        if isinstance(attribute.columns[0].type, KeyedHash)
    }
    assert columns - known == set()
