"""Statements of the hot paths: written with SQLAlchemy, put together once, sent by the driver.

A code flow sends a dozen small statements. On SQLAlchemy's way each one passes session, cache
key, execution context, result and entity, which costs four times what the driver and the row
themselves cost. For these few we go from the compiled text straight to the driver's cursor;
types, errors and events stay SQLAlchemy's. Everything else asks ``db.session``.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from sqlalchemy import ColumnElement, Select, bindparam
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter

from idp.database import db
from idp.database.demotion import says_demoted
from idp.database.hashes import Hashes, KeyedHash

Row = TypeVar("Row")
Result = TypeVar("Result")
_CURSOR: Final = "idp.cursor"
_FORMER: Final = "_former"


@cache  # a class for each kind, made once
def row_type(kind: Any) -> Any:
    """The class of the rows of a ``kind``: a tuple of its columns, in their order.

    ``kind`` declares the columns that hot paths read. The model inherits them, so that each
    column has one type, and whoever takes a ``kind`` takes a row and an entity alike.
    """
    declared = [vars(each).get("__annotations__", {}) for each in reversed(kind.__mro__)]
    fields = [(name, Any) for annotations in declared for name in annotations]
    values: Any = NamedTuple(kind.__name__, fields)  # type: ignore[misc]
    return type(kind.__name__, (values, kind), {"__slots__": ()})


def made_row(kind: type[Row], **values: Any) -> Row:
    """A row of these values."""
    return cast(Row, row_type(kind)(**values))  # type: ignore[arg-type]  # classes are hashable


def columns(model: Any, kind: Any, **others: Any) -> list[ColumnElement[Any]]:
    """The columns that fill the rows of ``kind``: those of the model's attributes of that name,
    unless ``others`` says differently.
    """
    attributes = model.__mapper__.columns
    return [others[name] if name in others else attributes[name] for name in row_type(kind)._fields]


def together(*parts: Any) -> Any:
    """A result that is a tuple of its parts."""
    return parts


def only(part: Any) -> Any:
    """A result that is one row, or one value."""
    return part


class Prepared(Generic[Result]):
    """One statement. ``parts``: the kinds of row that its columns fill, one after the other;
    columns that are left over follow as they are. ``into`` makes the result of them.
    """

    def __init__(self, statement: Any, *parts: Any, into: Callable[..., Result] = together) -> None:
        self._statement = statement
        self._parts = [row_type(each) for each in parts]
        self._into = into
        self._compiled: dict[str, _Compiled] = {}
        self._with_former: dict[tuple[str, ...], Prepared[Result]] = {}

    def one_or_none(self, **values: Any) -> Result | None:
        """The first row of a SELECT; None where there is none."""
        with _Connected() as connection:
            compiled, cursor = self._sent(connection, values)
            rows = cursor.fetchall()
        return self._into(*compiled.read(rows[0])) if rows else None

    def all(self, **values: Any) -> list[Result]:
        """The rows of a SELECT."""
        with _Connected() as connection:
            compiled, cursor = self._sent(connection, values)
            rows = cursor.fetchall()
        return [self._into(*compiled.read(row)) for row in rows]

    def execute(self, **values: Any) -> int:
        """Change something, in the present ``transaction()``; returns how many rows."""
        with _Connected() as connection:
            return int(self._sent(connection, values)[1].rowcount)

    def execute_each(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Change something for each of these rows, in the present ``transaction()``, together."""
        with _Connected() as connection:
            compiled = self._compiled_for(connection.dialect)
            parameters = [compiled.parameters(each) for each in rows]
            self._send(connection, compiled, parameters, many=True)

    def _sent(self, connection: Connection, values: dict[str, Any]) -> "tuple[_Compiled, Any]":
        compiled = self._compiled_for(connection.dialect)
        for name in compiled.hashes:
            if type(values[name]) is Hashes:
                return self._sent_with_former(connection, values)
        return compiled, self._send(connection, compiled, compiled.parameters(values))

    def _sent_with_former(
        self, connection: Connection, values: dict[str, Any]
    ) -> "tuple[_Compiled, Any]":
        """The same statement, which finds what any of our keys has made of a secret."""
        former = {
            f"{name}{_FORMER}{place}": each
            for name, value in values.items()
            if type(value) is Hashes
            for place, each in enumerate(value.former)
        }
        with_former = self._with_former.get(tuple(former))
        if with_former is None:
            with_former = Prepared(_with_any(self._statement, list(former)), into=self._into)
            with_former._parts = self._parts
            self._with_former[tuple(former)] = with_former
        plain = {n: str(v) if type(v) is Hashes else v for n, v in values.items()}
        return with_former._sent(connection, {**plain, **former})

    def _compiled_for(self, dialect: Dialect) -> "_Compiled":
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = _Compiled(self._statement, self._parts, dialect)
            self._compiled[dialect.name] = compiled
        return compiled

    def _send(
        self, connection: Connection, compiled: "_Compiled", parameters: Any, *, many: bool = False
    ) -> Any:
        cursor = _cursor(connection)
        for heard in connection.dispatch.before_cursor_execute:
            heard(connection, cursor, compiled.text, parameters, None, many)
        try:
            (cursor.executemany if many else cursor.execute)(compiled.text, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _translated(connection, compiled.text, error) from error
        return cursor


class _Compiled:
    """A statement in the words of one dialect, with the functions of its types."""

    def __init__(self, statement: Any, parts: Sequence[Any], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        if forgotten := getattr(compiled, "insert_prefetch", ()):
            raise ValueError(f"no value for {forgotten}: defaults are not filled in here")
        self.text = str(compiled)
        self.hashes = [n for n, bind in compiled.binds.items() if isinstance(bind.type, KeyedHash)]
        self._order = compiled.positiontup if compiled.positional else None
        self._constants = {
            name: bind.value for name, bind in compiled.binds.items() if not bind.required
        }
        self._writers = [
            (name, writer)
            for name, bind in compiled.binds.items()
            if (writer := bind.type.dialect_impl(dialect).bind_processor(dialect))
        ]
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        self._readers = [
            (place, reader)
            for place, column in enumerate(columns)
            if (reader := column.type.dialect_impl(dialect).result_processor(dialect, None))
        ]
        ends = [0]
        for part in parts:
            ends.append(ends[-1] + len(part._fields))
        self._parts = [
            (part._make, slice(begin, end))
            for part, begin, end in zip(parts, ends, ends[1:], strict=False)
        ]
        self._rest = slice(ends[-1], None)

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """What the driver takes, of the named values; one that is missing is an error."""
        values = {**self._constants, **values}
        for name, write in self._writers:
            values[name] = write(values[name])
        if self._order is not None:
            return [values[name] for name in self._order]
        return values

    def read(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The parts of a row, and what is left over."""
        cells = list(row)
        for place, read in self._readers:
            cells[place] = read(cells[place])
        return (*[make(cells[where]) for make, where in self._parts], *cells[self._rest])


def _with_any(statement: Any, former: Sequence[str]) -> Any:
    """The statement, where a column that equals a hash may equal the ones of other keys, too."""
    others: dict[str, list[Any]] = {}
    for name in former:
        same = others.setdefault(name.rpartition(_FORMER)[0], [])
        same.append(bindparam(name, type_=KeyedHash()))

    def replaced(element: Any, **_: Any) -> Any:
        if not isinstance(element, BinaryExpression) or element.operator is not operators.eq:
            return None
        wanted = element.right
        if not isinstance(wanted, BindParameter) or wanted.key not in others:
            return None
        return element.left.in_([wanted, *others[wanted.key]])

    return visitors.replacement_traverse(statement, {}, replaced)


class _Connected:
    """The session's connection where it has one, else one for this statement alone."""

    __slots__ = ("_own",)

    def __enter__(self) -> Connection:
        self._own: Connection | None = None
        if db.session.registry.has():
            session = db.session()
            connection: Connection | None = session.info.get("connection")
            if connection is None and session.in_transaction():
                connection = session.connection()
            if connection is not None:
                session.flush()  # as session.execute would: what was changed can be read
                return connection
        self._own = db.engine.connect()
        return self._own

    def __exit__(self, *_: object) -> None:
        if self._own is not None:
            self._own.close()


def _cursor(connection: Connection) -> Any:
    """One cursor for each of the driver's connections: an answer is read before the next one."""
    pooled = connection.connection
    cursor = pooled.info.get(_CURSOR)
    if cursor is None:
        # Binary answers spare PostgreSQL and us the decimal notation of times.
        options = {"binary": True} if connection.dialect.driver == "psycopg" else {}
        cursor = pooled.info[_CURSOR] = pooled.cursor(**options)
    return cursor


def _translated(connection: Connection, text: str, error: Any) -> BaseException:
    """The error as SQLAlchemy tells it, without the values (rule L1). A lost connection, or one to
    a primary that was demoted, is not used again, nor are those that were opened before it (rule
    R2).
    """
    dialect, demoted = connection.dialect, says_demoted(error)
    lost = demoted or dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    if lost:
        connection.invalidate(error)
        connection.engine.dispose(close=demoted)  # what is lost can't be told that it is closed
    translated: BaseException = DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    return translated
