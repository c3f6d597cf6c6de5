"""No page says that something was done without hearing from the service whether it was."""

import ast
import inspect
import types
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.source import trees

TRUE_EITHER_WAY = {
    "idp.desk.people.account_actions.disable_account": "it is disabled, by whomever",
    "idp.desk.people.account_actions.enable_account": "it is enabled, by whomever",
    "idp.desk.people.guardianships.rename": "what was chosen is what is stored; else refused",
    "idp.desk.people.merging.merge": "a count; refused by an exception",
    "idp.desk.people.pupils.change": "what was typed is what is stored",
    "idp.desk.people.pupils.come_back": "the pupil is back, by whomever",
    "idp.desk.people.pupils.leave": "the pupil has left, by whomever",
    "idp.lifecycle.endings.end_other_sessions": "none of them goes on",
    "idp.lifecycle.endings.end_session": "it does not go on",
    "idp.lifecycle.endings.withdraw_consent": "access ends, also where no consent was kept",
    "idp.lifecycle.federation.link": "it is linked; else refused",
}
"""Services whose « no » a page may leave unheard: what it says is true anyhow."""

GONE_IS_DONE = {
    ("idp/web/account/passkeys.py", "remove_passkey"),
    ("idp/web/account/two_factor.py", "two_factor_off"),
    ("idp/web/admin/staff.py", "role_take"),
}
"""Views for which « it is not there » is what was wanted."""

_SAYS = {"flash", "back", "_back"}


def _functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path, tree in trees().items():
        if path.is_relative_to("idp/web"):
            yield from (
                (path, each) for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)
            )


def _says_something(function: ast.FunctionDef) -> bool:
    calls = (each for each in ast.walk(function) if isinstance(each, ast.Call))
    return any(isinstance(each.func, ast.Name) and each.func.id in _SAYS for each in calls)


def _service(path: Path, call: ast.Call) -> object:
    """What is called, where it is a service's: ``module.function``, as pages import it."""
    if not (isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)):
        return None
    page = import_module(".".join(path.with_suffix("").parts))
    module = getattr(page, call.func.value.id, None)
    is_module = isinstance(module, types.ModuleType)
    if not is_module or not module.__name__.startswith("idp."):
        return None
    return None if module.__name__.startswith("idp.web") else getattr(module, call.func.attr)


def _may_say_no(service: object) -> bool:
    answer = inspect.get_annotations(inspect.unwrap(service), eval_str=True).get("return")  # type: ignore[arg-type]
    if answer in (bool, int):
        return True
    return typing.get_origin(answer) in (types.UnionType, typing.Union)


def test_a_page_hears_whether_it_was_done_before_it_says_so() -> None:
    unheard: dict[str, str] = {}
    for path, function in _functions():
        if not _says_something(function):
            continue
        for each in ast.walk(function):
            if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)):
                continue
            service = _service(path, each.value)
            if service is not None and _may_say_no(service):
                name = f"{service.__module__}.{service.__name__}"  # type: ignore[attr-defined]
                unheard[name] = f"{path}:{each.lineno}"

    assert {name: at for name, at in unheard.items() if name not in TRUE_EITHER_WAY} == {}
    assert set(TRUE_EITHER_WAY) == set(unheard)


def test_a_page_that_passes_over_a_refusal_wanted_just_that() -> None:
    passed_over = {
        (str(path), function.name)
        for path, function in _functions()
        if _says_something(function)
        for each in ast.walk(function)
        if isinstance(each, ast.ExceptHandler) and isinstance(each.body[0], ast.Pass)
    }

    assert passed_over == GONE_IS_DONE
