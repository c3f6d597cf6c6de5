"""What ``idp db upgrade`` would do, and about how long each step takes. Changes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text

from idp import readiness
from idp.cli.errors import BadInput
from idp.database import db, locks, migrations
from idp.database.upgrade_costs import FORMER, Cost
from idp.people import search_index

FILLED: Final = 2_000
"""Rows a second that a step writes beside traffic, each with what hangs on it: as
``python -m bench.upgrade`` measured it on two busy cores, the slowest of all."""
READ: Final = 100_000
"""Rows a second that an index takes in, or a check looks at."""
DIRECTORY: Final = "directory"


@dataclass(frozen=True)
class Step:
    """One step: a migration, or what is done at the end."""

    step: str
    does: str
    locks: list[str]
    """Tables that it holds alone for a moment."""
    lock_timeout: str | None
    """How long it waits for one of them before it lets others go first, and tries again."""
    rows: int
    seconds: float
    serves: bool
    """Whether everybody is served meanwhile."""


def plan(revision: str) -> list[Step]:
    """Every step from here to a revision. Raises ``BadInput`` where there is no way."""
    with db.engine.connect() as now:
        ahead = [_step(now, each) for each in _ahead(revision)]
        return [*ahead, *_at_the_end(now, ahead)]


def summary(steps: list[Step]) -> str:
    """The whole in a sentence or two."""
    seconds = sum(step.seconds for step in steps)
    whole = f"{len(steps)} to do, about {max(1, round(seconds))} s of work"
    if not all(step.serves for step in steps):
        return f"{whole}; whoever writes waits meanwhile."
    waits = sum(bool(step.locks) for step in steps)
    return (
        f"{whole}, beside traffic. {waits} wait for locks, {locks.LOCK_TIMEOUT} at a time:"
        " whoever holds one goes first."
    )


def cost_of(script: Script) -> Cost:
    """What a migration says of itself, or what is known of those that say nothing."""
    cost: Cost = getattr(script.module, "cost", None) or FORMER.get(script.revision, Cost())
    return cost


def _ahead(revision: str) -> list[Script]:
    script = ScriptDirectory.from_config(migrations.configuration())
    try:
        return list(script.iterate_revisions(revision, readiness.schema().current or "base"))[::-1]
    except CommandError as error:
        raise BadInput(f"there is no way to {revision}: {error}") from error


def _step(now: Connection, script: Script) -> Step:
    cost = cost_of(script)
    waits = now.dialect.name == "postgresql"
    copied = () if waits else cost.locks  # SQLite makes a table anew to change it
    written, looked_at = _sum(now, (*cost.fills, *copied)), _sum(now, cost.reads)
    held = [each for each in cost.locks if _exists(now, each)]
    return Step(
        script.revision,
        script.doc,
        held,
        locks.LOCK_TIMEOUT if waits and held else None,
        written + looked_at,
        round(written / FILLED + looked_at / READ, 1),
        waits and cost.serves,
    )


def _at_the_end(now: Connection, ahead: list[Step]) -> Iterator[Step]:
    """What was put off, or left by an attempt that was stopped."""
    if not ahead and now.dialect.name == "postgresql":
        for index in migrations.missing(now, db.metadata):
            rows = _sum(now, [str(index.table.name)] if index.table is not None else [])
            yield _beside(str(index.name), "An index", rows, READ)
    if not _directory_is_whole(now):
        rows = _sum(now, ("accounts", "children"))
        words = "The directory by which people are found, a thousand at a time"
        yield _beside(DIRECTORY, words, rows, FILLED)


def _beside(step: str, does: str, rows: int, a_second: int) -> Step:
    return Step(step, does, [], None, rows, round(rows / a_second, 1), True)


def _directory_is_whole(now: Connection) -> bool:
    if not _exists(now, "accounts"):
        return True  # an empty database: there is nobody to be found
    if not _exists(now, "directory_entries"):
        return False
    return search_index.is_whole()


def _sum(now: Connection, tables: Iterable[str]) -> int:
    return sum(_rows(now, each) for each in tables if _exists(now, each))


def _rows(now: Connection, table: str) -> int:
    if now.dialect.name == "postgresql":
        return migrations.estimated_rows(now, table)
    return int(now.scalar(text(f'SELECT count(*) FROM "{table}"')) or 0)  # noqa: S608 - ours


def _exists(now: Connection, table: str) -> bool:
    return inspect(now).has_table(table)
