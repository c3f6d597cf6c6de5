"""When a backup was last restored to see whether it can be: kept in the database that it is of."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import select

from idp.audit.models import DatabaseIdentity, InstallationMark
from idp.database import db
from idp.readiness import marks, schema

OLD: Final = timedelta(days=3)
"""So long a state may lie back that was proved to come back: a nightly proof may fail twice."""
_NAME: Final = "backup proved"


@dataclass(frozen=True)
class Proof:
    """That a backup can be restored: found when, by which release; of which moment's state."""

    at: datetime
    state_of: datetime
    release: str


def last_proof() -> Proof | None:
    """The newest state that was proved; None: none ever was."""
    mark = select(InstallationMark.value, InstallationMark.at).where(InstallationMark.name == _NAME)
    with db.engine.connect() as now:  # its own: a session may look at an older state
        row = now.execute(mark).one_or_none()
    if row is None:
        return None
    made_at, _, release = row.value.partition(" ")
    return Proof(row.at, datetime.fromisoformat(made_at).astimezone(UTC), release)


def note_proof(database: str, state_of: datetime, release: str) -> bool:
    """Note that a backup of this state was proved just now; false where it is another database's,
    or older than what was proved already.
    """
    if not schema().serves or db.session.scalar(select(DatabaseIdentity.id)) != database:
        return False
    known = last_proof()
    if known is not None and known.state_of > state_of:
        return False
    with marks.connection() as now, now.begin():
        marks.write(now, _NAME, f"{state_of.isoformat()} {release}")
    return True
