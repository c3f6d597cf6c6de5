"""Rows that come in by one statement, which on PostgreSQL is a transaction of its own."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
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
from sqlalchemy.dialects import postgresql, sqlite

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
        values = {**(gate or {}), **_named(rows)}
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


class Fate(Enum):
    """What became of rows that come in with a first one, which may be there once."""

    IN = "all came in"
    GATED = "the first one came in alone: the UPDATE changed nothing"
    BEFORE = "the first one was there before, and nothing came in"


class InsertOnce:
    """As ``AtomicInsert``, with a row before all others that is kept once: where it is there, the
    UPDATE changes nothing and nothing comes in. Where the UPDATE changes nothing, it stays.

    What came of it is the answer of the one statement. Of two at once the second one waits.
    """

    def __init__(
        self,
        once: tuple[Any, Sequence[str]],
        *tables: tuple[Any, Sequence[str]],
        gate: Update | None = None,
        waits: bool = True,
    ) -> None:
        counts = _counting(once, tables, gate, select)
        self._one: Prepared[Any] = Prepared(counts)
        if not waits:
            counts = _counting(once, tables, gate, unwaited)
        self._unwaited: Prepared[Any] = Prepared(counts)
        self._once: Prepared[Any] = Prepared(once_only(sqlite.insert(once[0]), once))
        self._rest = AtomicInsert(*tables, gate=gate)

    def execute(self, gate: Mapping[str, Any] | None = None, **rows: Mapping[str, Any]) -> Fate:
        """Insert the rows, the first table's only if it is there not yet."""
        if db.engine.dialect.name == "postgresql":
            statement = self._one if in_transaction() else self._unwaited
            came, opened = statement.all(**(gate or {}), **_named(rows))[0]
            return Fate.IN if opened else Fate.GATED if came else Fate.BEFORE
        first, *others = rows
        with transaction():
            if self._once.execute(**_named({first: rows[first]})) != 1:
                return Fate.BEFORE
            entered = self._rest.execute(gate, **{name: rows[name] for name in others})
        return Fate.IN if entered else Fate.GATED


def once_only(into: Any, table: tuple[Any, Sequence[str]]) -> Any:
    """The INSERT of a row that may be there. ``into``: the INSERT of one dialect."""
    return into.values(_values(*table)).on_conflict_do_nothing()


def _counting(
    once: tuple[Any, Sequence[str]],
    tables: Sequence[tuple[Any, Sequence[str]]],
    gate: Update | None,
    selecting: Callable[..., Select[Any]],
) -> Any:
    """WITH once AS (INSERT …), gate AS (UPDATE …), first AS (INSERT …) … SELECT what came in."""
    came = once_only(postgresql.insert(once[0]), once).returning(literal_column("1")).cte("once")
    opened = came
    if gate is not None:
        gated = gate.where(select(literal_column("1")).select_from(came).exists())
        opened = gated.returning(literal_column("1")).cte("gate")
    counts = [select(func.count()).select_from(each).scalar_subquery() for each in (came, opened)]
    rows = [_insert(table, names, opened) for table, names in tables]
    named = (each.cte(f"row_{number}") for number, each in enumerate(rows))
    return selecting(*counts).add_cte(*named)


def _named(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values of each table's row, by the names of their parameters."""
    return {f"{table}_{name}": value for table, row in rows.items() for name, value in row.items()}


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
