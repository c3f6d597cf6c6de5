"""Each test has an application of its own with the same addresses: they are compiled once.

Werkzeug writes and compiles a small function for each address, a third of the time that most
tests take. The function belongs to the pattern and asks the rule that it is bound to for the
rest, so that one serves every application.
"""

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.routing import Rule


def patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember the functions for as long as ``monkeypatch`` lives."""
    known: dict[tuple[object, ...], Callable[..., Any]] = {}
    compile_builder = Rule._compile_builder

    def remembered(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        key = (rule.rule, rule.subdomain, repr(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    monkeypatch.setattr(Rule, "_compile_builder", remembered)
