"""After a database was restored from a backup: end all that proves who somebody is.

The backup has forgotten what was ended since it was made. Nobody can tell which sessions,
tokens and permissions those were, so that all of them end (security rules R9 and R13).
"""

from datetime import datetime
from typing import Any, Final

from idp import clock
from idp.audit import continuity, events
from idp.audit.models import InstallationMark
from idp.database import retried, transaction
from idp.lifecycle import endings
from idp.lifecycle.endings import Cause, These, Thing
from idp.sessions import persistent

RECORDED: Final = (
    Thing.INTERACTIONS,
    Thing.SESSIONS,
    Thing.GRANTS,
    Thing.REGISTRATION_TOKENS,
    Thing.MANAGEMENT,
    Thing.TOKENS,
    Thing.ADDRESS_CHANGES,
    Thing.RECOVERY_CODES,
    Thing.CHALLENGES,
    Thing.PROVIDER_REQUESTS,
    Thing.ENROLMENTS,
    Thing.CONSENTS,
    Thing.CHILD_CONSENTS,
    Thing.DEVICES,
    Thing.MAILS,
)


@retried
def end_what_came_back(state_of: datetime | None = None) -> dict[str, int]:
    """End every session, grant and one-time token, and forget what browsers carried on.

    Mails that wait are dropped: they may have been sent before. Returns how many of each.
    Then this database's history counts as the one that goes on. ``state_of``: of which moment it
    was put back, which stays known: who was erased after it may be told later.
    """
    with transaction() as writes:
        counts = endings.end(Cause.DATABASE_RESTORED, These()).counts
        # Keys that were used since would look copied, and their owners be told of a thief
        persistent.forget()
        counts[Thing.ADDRESS_CHANGES] += counts[Thing.WAYS_BACK]
        ended: dict[str, Any] = {thing.value: counts[thing] for thing in RECORDED}
        events.record(continuity.ACKNOWLEDGED, **ended)
        value = state_of.isoformat() if state_of else ""
        writes.merge(InstallationMark(name=continuity.RESTORED, value=value, at=clock.now()))
    continuity.begin_anew()
    return ended
