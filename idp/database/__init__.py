"""The database: base class, column types, and the one way to write (``transaction``).

Reads use ``db.session`` freely. Whatever changes state does so inside
``with transaction():`` – one transaction for each state change, committed at the
outermost exit. A block inside a block joins the outer one.
"""

import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from time import sleep
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeAlias, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    ColumnElement,
    DateTime,
    Engine,
    Exists,
    MetaData,
    Select,
    String,
    Table,
    delete,
    event,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from idp.database import beginnings
from idp.database.beginnings import base64url
from idp.database.demotion import refuses_writes
from idp.database.hashes import HASH_LENGTH, KeyedHash, keyed_hash

__all__ = ["HASH_LENGTH", "KeyedHash", "base64url", "keyed_hash", "refuses_writes"]

P = ParamSpec("P")
T = TypeVar("T")

Ids: TypeAlias = Select[Any] | Collection[str]
"""A set of rows: their ids, in a list or as a query."""

ID_LENGTH = 32
BUSY_TIMEOUT = 10_000
"""Milliseconds that a writer waits for another one on SQLite."""


WRITES: dict[str, dict[str, Any]] = {
    "sqlite": {"writes": True},
    "postgresql": {"isolation_level": "READ COMMITTED"},
}
"""How the connection of a ``transaction()`` differs from one that only reads.

On PostgreSQL a connection that only reads is in autocommit: no BEGIN and no ROLLBACK around
a single SELECT, which are two thirds of the round trips of a request such as UserInfo.
"""


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can drop what they made."""

    if TYPE_CHECKING:
        __table__: ClassVar[Table]  # no entity is a join or a view
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})
beginnings.asks(lambda: db.engine)

if TYPE_CHECKING:
    Model: TypeAlias = Base
else:
    Model = db.Model
"""Base class of every entity. Flask-SQLAlchemy makes it when the program runs, so that a type
checker sees nothing in ``db.Model``; it has all that ``Base`` has.
"""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware and in UTC on the way in and on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class OpaqueId(TypeDecorator[str]):
    """An unguessable identifier of 128 random bits, with a prefix that tells its kind."""

    impl = String(ID_LENGTH)
    cache_ok = True


def opaque_id(prefix: str) -> Callable[[], str]:
    """A column default that makes identifiers such as ``a_4vXb…`` (128 random bits)."""

    def make() -> str:
        return f"{prefix}_{secrets.token_urlsafe(16)}"

    return make


@contextmanager
def transaction() -> Iterator[Any]:
    """One state change: everything inside is committed together or not at all.

    On SQLite the write lock is taken at the start (``BEGIN IMMEDIATE``), because a reader
    that becomes a writer half-way fails at once instead of waiting its turn.
    """
    session = db.session()
    if session.info.get("in_transaction"):
        yield session
        return
    if session.in_transaction():
        session.commit()  # ends the read transaction; loaded objects stay loaded
    session.info["in_transaction"] = True
    session.info |= {"last_steps": {}, "remembered": {}, "afterwards": []}
    afterwards: list[Callable[[], None]] = session.info["afterwards"]
    try:
        session.info["connection"] = session.connection(
            execution_options=WRITES[db.engine.dialect.name]
        )
        yield session
        _take_last_steps(session.info["last_steps"])
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["in_transaction"] = False
        for name in ("connection", "last_steps", "remembered", "afterwards"):
            session.info.pop(name, None)
    for step in afterwards:
        step()


def in_transaction() -> bool:
    """Whether a ``transaction()`` is open."""
    return bool(db.session.info.get("in_transaction"))


def remembered() -> dict[str, Any]:
    """What the present ``transaction()`` keeps in mind until it ends; nothing outside."""
    values: dict[str, Any] = db.session.info.get("remembered", {})
    return values


def before_commit(step: Callable[[list[Any]], None], *items: Any) -> None:
    """Have ``step`` taken once, right before the present ``transaction()`` commits, with all that
    was given for it: what its parts write of one kind goes in by one statement.
    """
    db.session.info["last_steps"].setdefault(step, []).extend(items)


def after_commit(step: Callable[[], None]) -> None:
    """Have ``step`` taken once the present ``transaction()`` is committed, and not if it is not."""
    db.session.info["afterwards"].append(step)


def at_once(step: Callable[[list[Any]], None]) -> None:
    """Take a step of ``before_commit`` now, if there is anything for it: something has to come
    after it.
    """
    if items := db.session.info["last_steps"].pop(step, None):
        step(items)


def _take_last_steps(steps: dict[Callable[[list[Any]], None], list[Any]]) -> None:
    while steps:  # a step may give something to another one
        step = next(iter(steps))
        step(steps.pop(step))


def retried(function: Callable[P, T]) -> Callable[P, T]:
    """Run a whole state change again when the database lost a race (deadlock, serialisation).

    Only for functions that hold their own outermost ``transaction()`` and do nothing else
    that can't be done twice.
    """

    @wraps(function)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for pause in (0.01, 0.05, 0.2):
            try:
                return function(*args, **kwargs)
            except DBAPIError as error:
                if in_transaction() or not _lost_race(error):
                    raise
                sleep(pause)
        return function(*args, **kwargs)

    return attempt


def update_all(table: type[Any], *which: Any, **values: Any) -> int:
    """Set values of these rows, in the caller's transaction or its own; returns of how many.

    Past the session: what it holds of these rows stays as it was read.
    """
    return _changed(update(table).where(*which).values(**values))


def update_asking(
    table: type[Any], *which: Any, ask: ColumnElement[bool], **values: Any
) -> tuple[int, bool]:
    """``update_all``, and whether ``ask`` holds for any of the rows: a question for which there is
    no other statement.
    """
    changing = update(table).where(*which).values(**values).returning(ask)
    with transaction() as writes:
        rows = writes.scalars(changing.execution_options(synchronize_session=False)).all()
    return len(rows), any(rows)


def delete_all(table: type[Any], *which: Any) -> int:
    """Delete these rows, in the caller's transaction or one of its own; returns how many."""
    return _changed(delete(table).where(*which))


def _changed(statement: Any) -> int:
    with transaction() as writes:
        changed: int = writes.execute(
            statement.execution_options(synchronize_session=False)
        ).rowcount
    return changed


def keep_newest(key: Any, whose: Any, *, by: Any, most: int) -> None:
    """Delete the older rows of one owner, in the caller's transaction: ``most`` of them stay.

    ``key``: the column that tells the rows apart; ``whose``: the condition that names the owner;
    ``by``: the column that tells their age.
    """
    kept = select(key).where(whose).order_by(by.desc()).limit(most)
    db.session.execute(
        delete(key.class_)
        .where(whose, key.not_in(kept))
        .execution_options(synchronize_session=False)
    )


def upserting(model: type[Any]) -> Any:
    """``INSERT`` in the dialect of the database, which knows ``ON CONFLICT`` and ``RETURNING``."""
    dialect = db.session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(model.__table__)


def release_connection() -> None:
    """Give the connection back to the pool before slow work (bcrypt) that needs none."""
    if not in_transaction():
        db.session.commit()


def _lost_race(error: DBAPIError) -> bool:
    # 40001 serialization_failure, 40P01 deadlock_detected (PostgreSQL, appendix A)
    return getattr(error.orig, "sqlstate", None) in {"40001", "40P01"}


@event.listens_for(Engine, "do_connect")
def _connect(dialect: Dialect, _record: Any, positional: Any, options: dict[str, Any]) -> Any:
    if dialect.name != "postgresql":
        return None
    from idp.database.silence import Connection as Listening  # noqa: PLC0415

    return Listening.connect(*positional, **options)


@event.listens_for(Engine, "connect")
def _configure(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        # To compile a statement takes longer than any of ours may run. Said by a statement: a
        # pooler takes no options with which a connection begins
        connection.execute("SET jit = off")
        connection.commit()
        return
    connection.isolation_level = None  # BEGIN is ours to say, see _begin
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@compiles(Exists, "sqlite")
def _qualified(element: Exists, compiler: Any, **how: Any) -> str:
    """RETURNING names columns without their tables on SQLite; in a query inside it each has one."""
    how.pop("include_table", None)
    text: str = compiler.visit_unary(element, **how)
    return text


def in_parts(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """The rows in lists of at most ``size``: a statement takes so many parameters and no more."""
    each = iter(rows)
    while part := list(islice(each, size)):
        yield part
