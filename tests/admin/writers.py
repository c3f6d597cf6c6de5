"""Which functions at the desk write to the database outside an act of staff, read from the code."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import idp

DESK = ("idp.desk.", "idp.web.admin.")
"""The services of the desk, and its pages. What every page goes through acts on nobody."""
ACTS = "idp.desk.access.acts"
WRITES = frozenset(
    {
        *("idp.database.transaction", "idp.database.before_commit"),
        *(f"sqlalchemy.{each}" for each in ("insert", "update", "delete")),
        *(f"idp.database.db.session.{each}" for each in ("add", "add_all", "delete", "merge")),
    }
)
"""Whatever changes state does so in ``transaction()``; what reads alone opens none."""
GIVEN = frozenset({"Act", "OnAccount", "OnTwo", "OnPupil", "AtSchool", "On"})
"""What only an act gives: a function that takes one is called inside it."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Module:
    """The functions of a module, and what the names in it mean."""

    functions: dict[str, Function] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    targets: dict[ast.Call, str] = field(default_factory=dict)
    """The function that each call in them means."""
    calls: dict[str, frozenset[str]] = field(default_factory=dict)
    """What each function calls."""

    def meant(self, home: str, call: ast.Call) -> str | None:
        """The function that a call in this module, at ``home``, means by the module's imports."""
        first, dot, rest = ast.unparse(call.func).partition(".")
        if first in self.functions and not dot:
            return f"{home}.{first}"
        return f"{self.names[first]}{dot}{rest}" if first in self.names else None


@cache
def sources() -> dict[str, str]:
    """The code of the provider, by module."""
    root = Path(idp.__file__).parent
    found = {}
    for file in root.rglob("*.py"):
        parts = file.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = file.read_text("utf-8")
    return found


def outside_acts(code: dict[str, str], homes: str | tuple[str, ...] = DESK) -> dict[str, set[str]]:
    """Each public function at the desk that writes outside an act, and what it calls to write.

    ``homes``: the beginnings of the names of the modules that are asked.
    """
    modules = {name: _module(name, text) for name, text in code.items()}
    program = _Program(modules)
    return {
        f"{name}.{function}": found
        for name, module in modules.items()
        if name.startswith(homes) and name != ACTS
        for function, node in module.functions.items()
        if not function.startswith("_") and (found := program.written_by(name, node, set()))
    }


class _Program:
    def __init__(self, modules: dict[str, Module]) -> None:
        self._modules = modules
        self._writing = self._writers()
        self._acting = {f"{ACTS}.{name}" for name in modules[ACTS].functions}
        # A context manager at the desk that opens an act is one
        for name, module in modules.items():
            if name.startswith(DESK):
                self._acting |= {
                    f"{name}.{function}"
                    for function in module.functions
                    if function.lstrip("_").startswith("act")
                    and not module.calls[function].isdisjoint(self._acting)
                }

    def written_by(self, module: str, node: Function, seen: set[str]) -> set[str]:
        """What a function calls outside an act that writes."""
        if _is_given_an_act(node):
            return set()
        found = set()
        for call in self._outside(module, node):
            target = self._meant(module, call)
            if target is None or target in self._acting or target in seen:
                continue
            if target.startswith("idp.web.") and not target.startswith(DESK):
                continue
            if target in WRITES:
                found.add(target)
            elif target.startswith(DESK) and (called := self._function(target)) is not None:
                home = target.rpartition(".")[0]
                found |= self.written_by(home, called, {*seen, target})
            elif target in self._writing:
                found.add(target)
        return found

    def _outside(self, module: str, node: ast.AST) -> Iterator[ast.Call]:
        """The calls in a function, but for those inside ``with act(…)``."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.With) and self._opens_act(module, child):
                continue
            if isinstance(child, ast.Call):
                yield child
            yield from self._outside(module, child)

    def _opens_act(self, module: str, node: ast.With) -> bool:
        calls = (each.context_expr for each in node.items)
        return any(
            isinstance(call, ast.Call) and self._meant(module, call) in self._acting
            for call in calls
        )

    def _writers(self) -> set[str]:
        """The functions that open a transaction, or call one that does."""
        calls = {
            f"{name}.{function}": called
            for name, module in self._modules.items()
            for function, called in module.calls.items()
        }
        writing = {function for function, called in calls.items() if called & WRITES}
        while more := {each for each, called in calls.items() if called & writing} - writing:
            writing |= more
        return writing

    def _meant(self, module: str, call: ast.Call) -> str | None:
        return self._modules[module].targets.get(call)

    def _function(self, target: str) -> Function | None:
        module, _, name = target.rpartition(".")
        found = self._modules.get(module)
        return found.functions.get(name) if found else None


@cache
def _module(home: str, text: str) -> Module:
    module = Module()
    for node in ast.walk(tree := ast.parse(text)):
        match node:
            case ast.ImportFrom(module=str(source), names=names):
                module.names |= {
                    each.asname or each.name: f"{source}.{each.name}" for each in names
                }
            case ast.Import(names=names):
                module.names |= {each.asname or each.name: each.name for each in names}
    module.functions = {each.name: each for each in tree.body if isinstance(each, Function)}
    for name, node in module.functions.items():
        calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
        targets = {each: target for each in calls if (target := module.meant(home, each))}
        module.targets |= targets
        module.calls[name] = frozenset(targets.values())
    return module


def _is_given_an_act(node: Function) -> bool:
    given = (each.annotation for each in node.args.args if each.annotation is not None)
    return any(ast.unparse(each).partition("[")[0] in GIVEN for each in given)
