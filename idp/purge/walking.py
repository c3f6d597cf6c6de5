"""How a purge goes through a table: along an index, a batch at a time, each row looked at once.

Each batch is a short transaction of its own, which skips rows that somebody holds; two purges at
once share the work. What hung on a row leaves with it, and what it hung on is looked at then: so
a purge does as much as there is to remove, however much stays. Once a week it looks at
everything, for what was held or came between.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import sleep
from typing import Any, Final, cast

from sqlalchemy import ARRAY, ColumnElement, delete, func, literal, select, tuple_

from idp import clock
from idp.audit.models import InstallationMark
from idp.audit.partitions import Aged
from idp.database import db, retried, transaction, upserting

BATCH: Final = 500
PAUSE: Final = 0.02
"""Seconds between two batches: on SQLite, whoever waits to write goes first."""
ALL_OF_IT: Final = timedelta(days=6.5)
"""So often a purge looks at the rows, too, that it has passed by: a daily one each week."""

Rule = Callable[[datetime], ColumnElement[bool]]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Growing:
    """A table that grows by itself, and which of its rows are of no use any more.

    ``age``: an indexed time by which rows grow old, and how old they must be at the least, so
    that younger ones are not even looked at; without one, all rows are.
    """

    model: Any
    useless: Rule
    age: tuple[Any, Callable[[], timedelta]] | None = None
    leave: Callable[[Any], AbstractContextManager[None]] = nullcontext
    """What a transaction that deletes has to say first."""
    whole: Callable[[datetime], Aged] | None = None
    """What removes rows by the partition, given the time before which they are old enough."""
    frees: "tuple[Any, Growing] | None" = None
    """A column, and the table that it refers to: what may be of no use once these rows are gone."""
    is_freed: bool = False
    """Whether its rows leave with what hangs on them: who was passed by once is passed by until
    then.
    """

    is_plain: bool = False
    """Whether its rows go by their age alone."""

    @property
    def name(self) -> str:
        """Of the table."""
        return str(self.model.__tablename__)

    @property
    def key(self) -> list[Any]:
        """The primary key."""
        return list(self.model.__table__.primary_key)

    @property
    def path(self) -> list[Any]:
        """The columns along which a purge walks: an index leads from each batch to the next."""
        return [self.age[0], *self.key] if self.age else self.key


def purged(table: Growing, batch: int = BATCH, pause: float = PAUSE) -> Counter[str]:
    """Purge one table; returns how many rows left it, and those that it freed."""
    removed: Counter[str] = Counter()
    if table.whole is not None and table.age is not None:
        aged = table.whole(clock.now() - table.age[1]())
        removed[table.name] = aged.removed
        if aged.rest_waits:
            return removed
    if not table.is_freed or table.age is None:
        return sum(_batches(table, None, batch, pause), removed)
    began = clock.now()
    mark = _walked_before(table)
    since = None if mark is None else datetime.fromisoformat(mark.value)
    removed = sum(_batches(table, since, batch, pause), removed)
    _note(table, began - table.age[1](), began if mark is None else mark.at)
    return removed


def count_useless_rows(table: Growing) -> int:
    """How many rows are of no use now; not those that leave with others."""
    old = [] if table.age is None else [table.age[0] < clock.now() - table.age[1]()]
    query = select(func.count()).select_from(table.model).where(table.useless(clock.now()), *old)
    return db.session.scalar(query) or 0


def _walked_before(table: Growing) -> InstallationMark | None:
    """Up to where the walk before this one came; None: it is time to look at everything."""
    mark = db.session.get(InstallationMark, _mark_of(table), populate_existing=True)
    if mark is None or abs(clock.now() - mark.at) > ALL_OF_IT:
        return None
    return mark


def _note(table: Growing, walked_to: datetime, all_of_it: datetime) -> None:
    row = {"name": _mark_of(table), "value": walked_to.isoformat(), "at": all_of_it}
    with transaction() as session:
        insert = upserting(InstallationMark).values(**row)
        session.execute(
            insert.on_conflict_do_update(
                index_elements=["name"], set_={"value": row["value"], "at": row["at"]}
            )
        )


def _mark_of(table: Growing) -> str:
    return f"purged {table.name}"


def _batches(
    table: Growing, since: datetime | None, batch: int, pause: float
) -> Iterator[Counter[str]]:
    """Every row is looked at once: each batch begins where the one before it ended."""
    last: Key | None = None
    width = len(table.key)
    while True:
        seen = _following(table, since, last, batch)
        if seen:
            yield _remove(table, [row[-width:] for row in seen])
        if len(seen) < batch:
            return
        last = seen[-1]
        sleep(pause)


def _following(table: Growing, since: datetime | None, last: Key | None, batch: int) -> list[Key]:
    """The next rows along the path that are old enough to be looked at."""
    query = select(*table.path).order_by(*table.path).limit(batch)
    if table.age is not None:
        column, least = table.age
        query = query.where(column < clock.now() - least())
        if since is not None:
            query = query.where(column >= since)
    if last is not None:
        # The second says nothing new; the index on the time alone answers it at once.
        query = query.where(tuple_(*table.path) > tuple_(*_typed(table.path, last)))
        query = query.where(table.path[0] >= last[0])
    return [tuple(row) for row in db.session.execute(query)]


def _typed(columns: list[Any], values: Key) -> list[Any]:
    # Bound with the columns' types: a time is stored as each database keeps times.
    return [literal(value, column.type) for column, value in zip(columns, values, strict=True)]


def _among(table: Growing, keys: list[Key]) -> ColumnElement[bool]:
    if len(table.key) > 1:
        return tuple_(*table.key).in_(keys)
    (column,) = table.key
    values = [key[0] for key in keys]
    if db.engine.dialect.name == "postgresql":
        # One value: written out as hundreds of them, they take longer than what is done with them
        return cast(ColumnElement[bool], column == func.any(literal(values, ARRAY(column.type))))
    return cast(ColumnElement[bool], column.in_(values))


@retried
def _remove(table: Growing, keys: list[Key]) -> Counter[str]:
    """Those that are of no use, and what they alone kept, together."""
    removed: Counter[str] = Counter()
    with transaction() as session:
        # Found first, then deleted by key: whoever holds a row keeps it until the next purge.
        kept_alive = [table.frees[0]] if table.frees else []
        rows: Sequence[Any] = session.execute(
            select(*table.key, *kept_alive)
            .where(_among(table, keys), table.useless(clock.now()))
            .with_for_update(skip_locked=True, of=table.model)
        ).all()
        if rows:
            width = len(table.key)
            gone = delete(table.model).where(_among(table, [tuple(row)[:width] for row in rows]))
            with table.leave(session):
                session.execute(gone.execution_options(synchronize_session=False))
        removed[table.name] = len(rows)
        if table.frees and (freed := {row[-1] for row in rows} - {None}):
            removed += _remove(table.frees[1], [(each,) for each in sorted(freed)])
    return removed
