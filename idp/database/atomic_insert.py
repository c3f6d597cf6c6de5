"""Rows that come in by one statement, which on PostgreSQL is a transaction of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    select,
)

from idp.database import db, in_transaction, transaction
from idp.database.prepared import Prepared


class AtomicInsert:
    """Rows of several tables that come in together or not at all, where an UPDATE allows it.

    Without ``gate`` they always come in. PostgreSQL does all of it in one statement, which is
    a transaction of its own: one round trip in place of five. SQLite knows no INSERT in a
    WITH, and has no round trips. ``waits``: whether the commit does, see ``unwaited``.
    """

    def __init__(
        self, *tables: tuple[Any, Sequence[str]], gate: Update | None = None, waits: bool = True
    ) -> None:
        self._one: Prepared[Any] = Prepared(_as_one(tables, gate))
        self._unwaited: Prepared[Any] | None = None if waits else Prepared(_unwaited(tables))
        self._gate: Prepared[Any] | None = Prepared(gate) if gate is not None else None
        self._inserts: list[Prepared[Any]] = [
            Prepared(_insert(table, names, None)) for table, names in tables
        ]
        self._name = tables[0][0].name

    def execute(self, gate: Mapping[str, Any] | None = None, **rows: Mapping[str, Any]) -> bool:
        """Insert the rows: ``gate`` has the UPDATE's parameters, ``rows`` each table's values.

        False where the UPDATE changed nothing, and so nothing came in.
        """
        values = dict(gate or {})
        for table, row in rows.items():
            values.update({f"{table}_{name}": value for name, value in row.items()})
        if db.engine.dialect.name == "postgresql":
            alone = None if in_transaction() else self._unwaited
            return (alone or self._one).execute(**values) == 1
        with transaction():
            if self._gate is not None and self._gate.execute(**values) != 1:
                return False
            for each in self._inserts:
                each.execute(**values)
        return True

    def add_each(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add many rows of the first table, in the present ``transaction()``."""
        named = [{f"{self._name}_{name}": each[name] for name in each} for each in rows]
        self._inserts[0].execute_each(named)


def _as_one(tables: Sequence[tuple[Any, Sequence[str]]], gate: Update | None) -> Any:
    """The rows as one statement: WITH gate AS (UPDATE …), first AS (INSERT …) INSERT …"""
    opened = gate.returning(literal_column("1")).cte("gate") if gate is not None else None
    *before, last = [_insert(table, names, opened) for table, names in tables]
    for number, each in enumerate(before):
        last = last.add_cte(each.cte(f"row_{number}"))
    return last


def unwaited(*values: ColumnElement[Any]) -> Select[Any]:
    """These values as a SELECT whose own transaction does not wait for the disk on PostgreSQL
    (asynchronous commit): others see it at once, and a server that breaks down within the next
    half a second may forget it. Nothing else may be in that transaction.
    """
    arguments: list[ColumnElement[Any]] = [
        literal_column(each) for each in ("'synchronous_commit'", "'off'", "true")
    ]
    return select(*values).select_from(func.set_config(*arguments).alias("unwaited"))


def _unwaited(tables: Sequence[tuple[Any, Sequence[str]]]) -> Any:
    ((table, names),) = tables
    values = _values(table, names)
    return insert(table).from_select(
        list(values), unwaited(*values.values()), include_defaults=False
    )


def _values(table: Any, names: Sequence[str]) -> dict[str, Any]:
    return {
        name: bindparam(f"{table.name}_{name}", type_=table.c[name].type, required=True)
        for name in names
    }


def _insert(table: Any, names: Sequence[str], gate: Any) -> Any:
    values = _values(table, names)
    if gate is None:
        return insert(table).values(values).inline()
    from_gate = select(*values.values()).select_from(gate)
    return insert(table).from_select(list(values), from_gate, include_defaults=False)
