"""What a clock ahead has put off of what applications are told (security rule R5)."""

from sqlalchemy import case, exists, or_, select

from idp import clock
from idp.database import db, release_connection, update_all
from idp.deliveries.models import DeliveryPause, EventDelivery
from idp.deliveries.pauses import FIRST, LONGEST
from idp.deliveries.queue import LEASE, WAITS
from idp.workers import waits_too_long


def bring_back() -> int:
    """Make due what waits for a time that no clock of today has set, and try again whom such a time
    spares; returns how many things and pauses that were.

    What a thread is telling meanwhile may be told once more, as after a crash.
    """
    now = clock.now()
    row, pause = EventDelivery, DeliveryPause
    waits = (
        WAITS,
        waits_too_long(row.due_at, row.attempts, first=FIRST, longest=LONGEST, held=LEASE),
    )
    spared = waits_too_long(pause.until, pause.failures, first=FIRST, longest=LONGEST)
    is_any = db.session.scalar(select(or_(exists().where(*waits), exists().where(spared))))
    release_connection()  # an idle worker must not take SQLite's only write lock
    if not is_any:
        return 0
    began = case((EventDelivery.created_at > now, now), else_=EventDelivery.created_at)
    count = update_all(EventDelivery, *waits, due_at=now + LEASE, created_at=began)
    return count + update_all(DeliveryPause, spared, until=now)
