"""Each test has an application of its own, made of the same addresses, templates, statements,
sentences and keys: these are compiled or parsed once for all tests of a process.

They are more than half of the time that most tests take, and belong to what they were made from,
not to an application: an address's pattern, a template's source, a statement's shape, a file of
sentences, a key's text. Nothing here holds a value of a test.
"""

from collections.abc import Callable
from types import CodeType
from typing import Any, ClassVar, NamedTuple

import pytest
from babel.support import Translations
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from joserfc._rfc7517 import pem
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Map, Rule, RuleFactory
from werkzeug.routing.matcher import StateMachineMatcher

STATEMENTS = 5_000
"""More than the product has: an engine's own cache of 500 serves one process for long."""


def patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember what was compiled for as long as ``monkeypatch`` lives."""
    _remember_addresses(monkeypatch)
    monkeypatch.setattr(Flask, "url_map_class", _Addresses)
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


class _Wired(NamedTuple):
    """The addresses of the first application, ready to be matched and written."""

    patterns: list[tuple[object, ...]]
    matcher: StateMachineMatcher
    by_endpoint: dict[str, list[Rule]]


class _Addresses(Map):
    """An application's addresses: those of the first one, for as long as they are the same.

    To take a few hundred patterns into a map takes half of the time that it takes to wire an
    application. Whoever has other addresses, or gets one more later, has a map of its own.
    """

    _first: ClassVar[_Wired | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._added: list[Rule] = []
        self._patterns: list[tuple[object, ...]] = []
        self._same_as = _Addresses._first
        super().__init__(*args, **kwargs)

    def add(self, rulefactory: RuleFactory) -> None:
        for rule in rulefactory.get_rules(self):
            self._added.append(rule)
            self._patterns.append(_pattern(rule))
            number = len(self._added)
            same = self._same_as
            if same is None:
                super().add(rule)
            elif same.patterns[number - 1 : number] != self._patterns[-1:]:
                self._leave()

    def update(self) -> None:
        same = self._same_as
        if same is not None and len(same.patterns) != len(self._patterns):
            self._leave()
        elif same is not None:
            self._matcher, self._rules_by_endpoint = same.matcher, same.by_endpoint
            self._remap = False
        super().update()
        if self._same_as is None and _Addresses._first is None:
            wired = _Wired(list(self._patterns), self._matcher, self._rules_by_endpoint)
            self._same_as = _Addresses._first = wired

    def _leave(self) -> None:
        """Have a map of one's own, of copies: a rule belongs to one map."""
        self._same_as = None
        self._matcher = StateMachineMatcher(self.merge_slashes)
        self._rules_by_endpoint = {}
        for rule in self._added:
            copy = rule.empty()
            copy.provide_automatic_options = _automatic(rule)  # type: ignore[attr-defined]
            super().add(copy)


def _pattern(rule: Rule) -> tuple[object, ...]:
    return (
        *(rule.rule, rule.endpoint, frozenset(rule.methods or ()), rule.subdomain, rule.host),
        *(repr(rule.defaults), rule.build_only, rule.strict_slashes, rule.redirect_to),
        _automatic(rule),
    )


def _automatic(rule: Rule) -> bool:
    """Whether Flask answers OPTIONS for it."""
    return bool(getattr(rule, "provide_automatic_options", False))


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
