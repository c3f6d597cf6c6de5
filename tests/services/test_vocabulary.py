"""The audit trail's vocabulary: one table of events, with fields, words and readers."""

import ast
from collections.abc import Iterator

import pytest
from flask import Flask

from idp import clock
from idp.audit import events
from idp.audit.event_kinds import Depending
from idp.audit.models import AuditEvent
from idp.audit.vocabulary import VOCABULARY
from idp.privacy import activity
from idp.web.account.activity import describe
from tests import source

RECORDERS = {"record", "row", "record_each", "record_for_each", "note"}
COLUMNS = {
    "result", "actor", "account_id", "child_id", "client_id", "session_id", "school_id",
    "at",  # for which schools an act of staff is recorded
}  # fmt: skip
TO_CHANGES = {"before", "after"}
"""What ``audit.changes`` takes and keeps as ``changes``."""

ELSEWHERE = {
    # By the functions that record for many, with the detail that their callers give them
    "account_changed": {"run"},
    "account_created": {"run"},
    "account_disabled": {"run"},
    "account_enabled": {"run"},
    "child_changed": {"run"},
    "child_created": {"run"},
    "child_left": {"run"},
    "child_returned": {"run"},
    "email_changed": {"run"},
    "guardianship_changed": {"run"},
    "guardianship_ended": {"changes", "run"},
    "guardianship_made": {"run"},
    "guardianship_question_withdrawn": {"changes"},
    # Of what came a second time, whichever it was
    "code_reused": {"grant"},
    "refresh_reused": {"grant"},
    # Of a delivery, whatever it is about
    "application_told": {"attempts", "delivery", "of"},
    "application_not_told": {"attempts", "delivery", "of"},
    # Built before: what the mail was, what a refused passkey was, whose wish a reset was
    "factor_refused": {"passkey", "times"},
    "factors_reset": {"asked_by"},
    "link_ended": {"link", "provider", "reason"},
    "mail_refused": {"attempts", "kind", "outbox_id"},
    "mail_sent": {"attempts", "kind", "outbox_id"},
    # By ``throttling.note`` and ``clients.audit_log``
    "client_changed": {"changes"},
    "client_created": {"changes"},
    "password_refused": {"times"},
    "sign_in_refused": {"times"},
    "token_refused": {"times"},
}
"""Fields that no call names beside its event."""


def recorded() -> Iterator[tuple[str, set[str]]]:
    """The events that the code records by name, each with the fields that stand beside it."""
    for tree in source.trees().values():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if ast.unparse(node.func).rpartition(".")[2] not in RECORDERS:
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and first.value in VOCABULARY:
                named = {each.arg for each in node.keywords if each.arg}
                changes = {"changes"} if named & TO_CHANGES else set()
                yield str(first.value), (named - COLUMNS - TO_CHANGES) | changes


def test_an_event_that_is_not_in_it_cannot_be_recorded(app: Flask) -> None:
    with pytest.raises(ValueError, match="unknown audit event"):
        events.record("somebody_sneezed")


def test_it_knows_each_field_that_is_recorded_and_no_other() -> None:
    found: dict[str, set[str]] = {name: set(ELSEWHERE.get(name, ())) for name in VOCABULARY}
    for name, fields in recorded():
        found[name] |= fields

    known = {name: set(event.fields.split()) for name, event in VOCABULARY.items()}
    del found["database_restored"], known["database_restored"]  # one for each thing that ended
    assert found == known


def test_event_names_stand_in_no_other_table() -> None:
    """Kinds of mails and of changes have some of the same names, and others."""
    tables = set()
    for path, tree in source.trees().items():
        for node in ast.walk(tree):
            match node:
                case ast.Dict(keys=keys):
                    inside: list[ast.expr] = [key for key in keys if key is not None]
                case ast.Set(elts=elements) | ast.List(elts=elements) | ast.Tuple(elts=elements):
                    inside = elements
                case _:
                    continue
            named = {each.value for each in inside if isinstance(each, ast.Constant)}
            if len(named) > 5 and named <= VOCABULARY.keys():
                tables.add(path.name)

    assert tables == {"vocabulary.py"}


def test_whoever_is_told_by_name_is_told_in_words_of_their_own(app: Flask) -> None:
    changed = "Your account was changed"
    with app.test_request_context():
        for name in activity.KINDS:
            own = VOCABULARY[name].own
            values = [None, *own.words] if isinstance(own, Depending) else [None]
            for value in values:
                detail = {own.field: str(value)} if isinstance(own, Depending) and value else {}
                result = detail.pop("result", "ok")
                event = AuditEvent(at=clock.now(), event=name, result=result, detail=detail)
                words = describe(event).words
                assert words, name
                assert words != changed, name
                assert "%(" not in words, name


def test_there_are_words_wherever_an_event_has_a_reader() -> None:
    silent = {name for name, event in VOCABULARY.items() if event.is_platforms and not event.school}
    assert silent == set()
