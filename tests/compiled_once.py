"""Each test has an application of its own, made of the same addresses and templates: these are
compiled once.

Werkzeug writes and compiles a small function for each address, Jinja a module for each template:
together more than half of the time that most tests take. Address functions belong to the pattern
and ask the rule that they are bound to for the rest; a template's code belongs to its source.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

import pytest
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule


def patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember what was compiled for as long as ``monkeypatch`` lives."""
    _remember_addresses(monkeypatch)
    monkeypatch.setattr(Flask, "jinja_options", {"bytecode_cache": _Templates()})


def _remember_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[tuple[object, ...], Callable[..., Any]] = {}
    compile_builder = Rule._compile_builder

    def remembered(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        key = (rule.rule, rule.subdomain, repr(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_builder(rule, append_unknown)
        return known[key]

    monkeypatch.setattr(Rule, "_compile_builder", remembered)


class _Templates(BytecodeCache):
    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._known[bucket.key, bucket.checksum] = bucket.code
