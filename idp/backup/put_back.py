"""To which state the present database was put back, by something else than ``idp backup restore``.

Its newest event tells, as long as nothing happens in it. Later it serves again, and its newest
event is of now: then the mark tells that whoever acknowledged the restore has left.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, and_, func, or_, select

from idp import clock
from idp.audit import continuity, last_seen
from idp.audit.models import AuditEvent, DatabaseIdentity, InstallationMark
from idp.audit.vocabulary import ERASED, ERASED_AGAIN
from idp.backup.choosing import AHEAD
from idp.backup.troubles import BackupTrouble
from idp.database import db

_NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class State:
    """The state that the present database goes on from."""

    database: str
    moment: datetime
    """Of its newest event then: an erasure after it may be missing."""
    goes_on: bool
    """Whether this machine has seen its history, and all of that is there: nothing older took its
    place since."""
    is_acknowledged: bool
    """Whether a restore was acknowledged in it: people may have come back then, by now served."""


def present() -> State:
    """The state of the present database; nothing of the restore was recorded in it, or all was."""
    history = continuity.history()
    with db.engine.connect() as now:
        database = now.scalar(select(DatabaseIdentity.id)) or ""
        if isinstance(history, continuity.Broken):
            # What happened after the restore, at the command line, is younger than the last look
            looked = datetime.fromisoformat(history.seen.seen_at)
            return State(database, _newest(now, looked), goes_on=False, is_acknowledged=False)
        acknowledged = _acknowledged(now)
        moment = acknowledged or _newest(now, clock.now() + AHEAD)
    return State(database, moment, history.seen is not None, acknowledged is not None)


def refuse_lists(state: State) -> None:
    """Raise ``BackupTrouble`` where nothing was put back: a list would erase the living."""
    if state.goes_on and not state.is_acknowledged:
        raise BackupTrouble(
            "nothing older was put back: the database holds all that this machine has seen, and no"
            f" restore was acknowledged in it. Nobody was erased. Where {last_seen.file()} was put"
            " back together with it, take that away first"
        )


def _acknowledged(now: Connection) -> datetime | None:
    """The moment of the state that was last acknowledged; None where none ever was."""
    mark = select(InstallationMark.value, InstallationMark.at)
    row = now.execute(mark.where(InstallationMark.name == continuity.RESTORED)).one_or_none()
    if row is None:
        return None
    if not row.value:  # 0.7.0 said only when
        return _newest(now, row.at)
    return datetime.fromisoformat(row.value).astimezone(UTC)


def _newest(now: Connection, until: datetime) -> datetime:
    """When the newest event happened that a restore has not made itself, by a run that was stopped.

    Its number tells which it is: a clock may have been ahead.
    """
    why = func.coalesce(AuditEvent.detail["why"].as_string(), "")
    its_own = or_(
        AuditEvent.event == continuity.ACKNOWLEDGED,
        and_(AuditEvent.event.in_(ERASED), why == ERASED_AGAIN),
    )
    query = select(AuditEvent.at).where(AuditEvent.at <= until, ~its_own)
    return now.scalar(query.order_by(AuditEvent.id.desc()).limit(1)) or _NEVER
