"""How high the house is: the longest chain of imports between the packages of ``idp``.

Measured as import-linter sees the imports (grimp), those inside functions too. Packages that
import each other stand on one floor.
"""

from collections import defaultdict
from collections.abc import Callable
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

FLOORS = 11
"""Between the packages and modules directly in ``idp``."""
FOLDERS = 14
"""Between all folders: those of a package, such as the desk's, stand on floors of their own. What
applications are told stands between what ends and the protocol that signs it."""


def top(module: str) -> str:
    """The package or module directly in ``idp``."""
    return ".".join(module.split(".")[:2])


def folder(module: str) -> str:
    """The folder that holds a module; a module directly in ``idp`` stands for itself."""
    is_folder = Path(module.replace(".", "/")).is_dir()
    return module if is_folder or module.count(".") < 2 else module.rpartition(".")[0]


@pytest.mark.parametrize(("place", "most"), [(top, FLOORS), (folder, FOLDERS)])
def test_the_longest_chain_of_imports_has_few_floors(
    place: Callable[[str], str], most: int
) -> None:
    chain = longest_chain(imports_between(place))
    assert len(chain) <= most, chain


def test_a_chain_and_a_circle_are_measured_as_they_are() -> None:
    house = {"roof": {"attic", "hall"}, "attic": {"hall"}, "hall": {"cellar"}, "cellar": {"hall"}}
    assert longest_chain(house) == ["roof", "attic", "cellar hall"]


def imports_between(place: Callable[[str], str]) -> dict[str, set[str]]:
    graph = grimp.build_graph("idp", cache_dir=None)
    imports: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules - {"idp"}:
        others = {place(each) for each in graph.find_modules_directly_imported_by(module)}
        imports[place(module)] |= others - {place(module), "idp"}
    return imports


def longest_chain(imports: dict[str, set[str]]) -> list[str]:
    reached = {each: _reached(each, imports) for each in imports}
    floor_of = {
        each: " ".join(sorted(o for o in reached[each] if each in reached.get(o, ())) or [each])
        for each in imports
    }
    below: dict[str, set[str]] = defaultdict(set)
    for each, others in imports.items():
        below[floor_of[each]] |= {floor_of.get(o, o) for o in others} - {floor_of[each]}
    chains: dict[str, list[str]] = {}
    for each in TopologicalSorter(below).static_order():
        longest = max((chains[other] for other in below.get(each, ())), key=len, default=[])
        chains[each] = [each, *longest]
    return max(chains.values(), key=len)


def _reached(start: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for each in imports.get(waiting.pop(), set()) - found:
            found.add(each)
            waiting.append(each)
    return found
