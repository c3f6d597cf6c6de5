"""Brings the schema forward beside traffic: step by step, and patient with locks."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import alembic.command
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.exc import OperationalError

from idp import readiness, settings
from idp.cli.errors import BadInput
from idp.database import db, locks, migrations
from idp.people import search_index

TRIES: Final = 100

Say = Callable[[str], object]


def migrate(move: Callable[[Any, str], None], revision: str, tried: int = 0) -> None:
    """Move the schema with Alembic. Raises ``BadInput`` where it can't. ``tried``: see
    ``migrations.configuration``.
    """
    if settings.current().database_pooled:
        # How long it waits for locks is said once for a whole session
        raise BadInput(
            "the schema is changed past the pooler: give DATABASE_URL the address of PostgreSQL"
            " itself, and IDP_DATABASE_POOLED=no"
        )
    try:
        move(migrations.configuration(tried), revision)
    except CommandError as error:
        raise BadInput(f"can't migrate to {revision}: {error}") from error


def upgrade(revision: str, say: Say) -> None:
    """Upgrade one revision after the other, and then finish what was put off."""
    for step in _steps(revision):
        say(f"… {step}")
        _patiently(partial(migrate, alembic.command.upgrade, step), f"step {step}", say)
    migrate(alembic.command.upgrade, revision)
    if readiness.schema().up_to_date:
        _finish(say)


def _steps(revision: str) -> list[str]:
    """The revisions between here and there, where somebody may be served meanwhile; none where
    Alembic should say what is wrong.
    """
    current = readiness.schema().current
    if db.engine.dialect.name != "postgresql" or current is None:
        return []
    script = ScriptDirectory.from_config(migrations.configuration())
    current = readiness.schema().current
    try:
        return [each.revision for each in script.iterate_revisions(revision, current or "base")][
            ::-1
        ]
    except CommandError:
        return []


def _patiently(act: Callable[[int], None], what: str, say: Say) -> None:
    def again() -> None:
        say("  somebody holds what it needs; trying again")
        db.session.remove()

    try:
        locks.patiently(act, TRIES, again)
    except OperationalError as error:
        if not locks.is_held(error):
            raise
        raise BadInput(
            f"somebody holds for {TRIES} tries what {what} needs; run it again later"
        ) from error


def _finish(say: Say) -> None:
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect() as connection:
            missing = migrations.missing(connection, db.metadata)
        for index in missing:
            what = f"the index {index.name}"
            say(f"… {what}")
            _patiently(partial(migrations.concurrently, db.engine, index), what, say)
    if not search_index.is_whole():
        say("… the directory by which people are found, a thousand at a time")
        search_index.rebuild()
