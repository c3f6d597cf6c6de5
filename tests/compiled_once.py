"""Each test has an application of its own, made of the same addresses, templates, statements,
sentences and keys: these are compiled or parsed once for all tests of a process.

They are more than half of the time that most tests take, and belong to what they were made from,
not to an application: an address's pattern, a template's source, a statement's shape, a file of
sentences, a key's text. Nothing here holds a value of a test.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any

import pytest
from babel.support import Translations
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from joserfc._rfc7517 import pem
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

STATEMENTS = 5_000
"""More than the product has: an engine's own cache of 500 serves one process for long."""


def patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember what was compiled for as long as ``monkeypatch`` lives."""
    _remember_addresses(monkeypatch)
    monkeypatch.setattr(Flask, "jinja_options", {"bytecode_cache": _Templates()})
    _remember_statements(monkeypatch)
    _remember_sentences(monkeypatch)
    _remember_keys(monkeypatch)


def _remember_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Werkzeug takes each pattern apart, and writes and compiles two functions for it."""
    known: dict[tuple[object, ...], dict[str, Any]] = {}
    compile_rule = Rule.compile

    def remembered(rule: Rule) -> None:
        key = (rule.rule, rule.subdomain, rule.merge_slashes, repr(rule.defaults), type(rule.map))
        if key not in known:
            compile_rule(rule)
            known[key] = {name: getattr(rule, name) for name in _COMPILED}
        for name, value in known[key].items():
            setattr(rule, name, _bound_to(rule, value))

    monkeypatch.setattr(Rule, "compile", remembered)


_COMPILED = ("_parts", "_trace", "_converters", "arguments", "_build", "_build_unknown")


def _bound_to(rule: Rule, value: Any) -> Any:
    """A copy of a list, dictionary or set; a method of this rule in place of the other's."""
    return value.__func__.__get__(rule, None) if callable(value) else value.copy()


class _Templates(BytecodeCache):
    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None
        self._known[bucket.key, bucket.checksum] = bucket.code


def _remember_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy writes SQL for each statement's shape once for an engine and its dialect."""
    shared: LRUCache[Any, Any] = LRUCache(STATEMENTS)

    def same(one: DefaultDialect, other: object) -> bool:
        return type(one) is type(other) and one.paramstyle == other.paramstyle

    one_for_all = property(lambda _engine: shared, lambda _engine, _own: None)
    monkeypatch.setattr(Engine, "_compiled_cache", one_for_all, raising=False)
    monkeypatch.setattr(DefaultDialect, "__eq__", same)
    monkeypatch.setattr(DefaultDialect, "__hash__", lambda dialect: hash(type(dialect)))


def _remember_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[tuple[object, ...], Any] = {}
    load = Translations.load

    def remembered(dirname: Any = None, locales: Any = None, domain: Any = None) -> Any:
        key = (str(dirname), str(locales), domain)
        if key not in known:
            known[key] = load(dirname, locales, domain)
        return known[key]

    monkeypatch.setattr(Translations, "load", remembered)


def _remember_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is read from its file anew; what its text means is computed once (15 ms for RSA)."""
    known: dict[tuple[bytes, bytes | None], Any] = {}
    load: Callable[..., Any] = pem.load_pem_private_key

    def remembered(raw: bytes, password: bytes | None = None) -> Any:
        if (raw, password) not in known:
            known[raw, password] = load(raw, password=password)
        return known[raw, password]

    monkeypatch.setattr(pem, "load_pem_private_key", remembered)
