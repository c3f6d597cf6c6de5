"""What records events of the vocabulary: one, or one for each of many."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import JSON, Select, String, insert, literal, null, select

from idp import clock, correlation
from idp.audit.models import AuditEvent
from idp.audit.vocabulary import VOCABULARY
from idp.database import (
    UtcDateTime,
    at_once,
    before_commit,
    in_transaction,
    remembered,
    transaction,
)
from idp.database.atomic_insert import AtomicInsert

ROWS: Final = (
    AuditEvent.__table__,
    ("at", "event", "result", "actor", "account_id", "child_id", "client_id", "session_id",
     "school_id", "address", "correlation_id", "detail"),
)  # fmt: skip
_INSERT: Final = AtomicInsert(ROWS)
_RECORDED: Final = "audit.recorded"


def record(event: str, **about: Any) -> None:
    """Add an event in the current transaction, or in one of its own; ``about``: see ``row``."""
    made = row(event, **about)
    if in_transaction():
        record_rows([made])
    else:
        _INSERT.execute(audit_events=made)


def row(
    event: str,
    *,
    result: str = "ok",
    actor: str | None = None,
    account_id: str | None = None,
    child_id: str | None = None,
    client_id: str | None = None,
    session_id: str | None = None,
    school_id: str | None = None,
    **detail: Any,
) -> dict[str, Any]:
    """The row of an event, for who puts it in together with others.

    ``detail`` holds ids, counts and codes; never a secret, a name or an address of a person
    (security rules L1 and L3). ``detail["changes"]`` says what an act of staff changed, as
    ``{field: [before, after]}``, a person's address shortened (``idp.audit.changes``). Where
    from and by whom come from the request's correlation.
    """
    if event not in VOCABULARY:
        raise ValueError(f"unknown audit event {event}")
    where = correlation.current()
    return {
        "at": clock.now(),
        "event": event,
        "result": result,
        "actor": where.actor if actor is None else actor,
        "account_id": account_id,
        "child_id": child_id,
        "client_id": client_id,
        "session_id": session_id,
        "school_id": school_id,
        "address": where.address,
        "correlation_id": where.id,
        "detail": detail,
    }


def record_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Add many events, each made by ``row``: those of one transaction by one statement."""
    with transaction():
        remembered()[_RECORDED] = True
        before_commit(_INSERT.add_each, *rows)


def is_recorded() -> bool:
    """Whether the present transaction has recorded anything."""
    return _RECORDED in remembered()


def record_each(event: str, people: Select[*tuple[Any, ...]], **detail: Any) -> int:
    """Add one event for each row of ``people``, by one statement in the current transaction;
    returns how many. A row: an account's id, a child's id (either may be null), and, where a
    school is to read it, that school's id.

    ``detail`` is the same for all, and holds what ``record`` lets it hold.
    """
    if event not in VOCABULARY:
        raise ValueError(f"unknown audit event {event}")
    where = correlation.current()
    rows = people.subquery()
    account_id, child_id, *school_id = rows.columns
    values: dict[str, Any] = {
        "at": literal(clock.now(), UtcDateTime),
        "event": literal(event, String),
        "result": literal("ok", String),
        "actor": literal(where.actor, String),
        "account_id": account_id,
        "child_id": child_id,
        "address": null() if where.address is None else literal(where.address, String),
        "correlation_id": literal(where.id, String),
        "detail": literal(detail, JSON),
        **({"school_id": school_id[0]} if school_id else {}),
    }
    statement = insert(AuditEvent.__table__).from_select(
        list(values), select(*values.values()), include_defaults=False
    )
    with transaction() as session:
        at_once(_INSERT.add_each)  # what came first stands first
        added: int = session.execute(statement).rowcount
        if added:
            remembered()[_RECORDED] = True
    return added
