"""Whether the clock can be believed by which people are ended and erased (security rule R16).

A clock that was set a year ahead would make everybody due at once, and what is erased does not come
back. So nobody is, while the machine's clock and the database's disagree, nor for a day after the
clock jumped between two purges: that a purge did not run for a month looks the same, and passes.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from idp import clock
from idp.audit.models import InstallationMark
from idp.database import db, transaction, upserting

GAP: Final = timedelta(days=8)
"""Between two purges at the most; a daily or weekly one is no jump."""
WAIT: Final = timedelta(hours=20)
"""After a jump, so long nobody is ended: until the next purge of a daily timer."""
MAY_DIFFER: Final = timedelta(hours=1)
_LAST: Final = "clock of purges"


def find_doubt() -> str | None:
    """Why nobody may be told, ended or erased now, in a sentence; notes when this purge was."""
    now = clock.now()
    databases = _database_clock()
    if databases is not None and abs(now - databases) > MAY_DIFFER:
        return (
            f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC and the database's"
            f" {databases:%Y-%m-%d %H:%M}: nobody is told, ended or erased until they agree."
        )
    mark = db.session.get(InstallationMark, _LAST, populate_existing=True)
    if mark is None:  # the first one: nobody is ended for thirty days
        _note(now, now - WAIT)
        return None
    since = datetime.fromisoformat(mark.value)
    if not mark.at - MAY_DIFFER <= now <= mark.at + GAP:
        since = now
    _note(now, since)
    if now - since >= WAIT:
        return None
    return (
        "No purge ran for more than a week before, or the clock jumped: nobody is told, ended or"
        f" erased by a purge before {since + WAIT:%Y-%m-%d %H:%M} UTC. See that the clock is right;"
        " the next purge after that goes on."
    )


def _note(now: datetime, since: datetime) -> None:
    row = {"value": since.isoformat(), "at": now}
    insert = upserting(InstallationMark).values(name=_LAST, **row)
    with transaction() as session:
        session.execute(insert.on_conflict_do_update(index_elements=["name"], set_=row))


def _database_clock() -> datetime | None:
    """PostgreSQL may run on another machine; SQLite has no clock of its own."""
    if db.engine.dialect.name == "sqlite":
        return None
    moment: datetime = db.session.execute(select(func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)
