"""What waits for a worker of its own: mails, and what applications are to be told of.

A worker that is missing stops nobody from signing in, so that it makes no machine unready; whoever
looks is told all the same.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from idp import clock
from idp.database import db
from idp.deliveries import listing
from idp.mail.models import OutboxMessage

MAILS: Final = timedelta(minutes=5)
DELIVERIES: Final = timedelta(minutes=1)


def mails() -> tuple[int, datetime | None]:
    """How many mails are due for too long, and since when the first of them."""
    late = (OutboxMessage.status == "queued", OutboxMessage.due_at < clock.now() - MAILS)
    count, oldest = db.session.execute(
        select(func.count(), func.min(OutboxMessage.due_at)).where(*late)
    ).one()
    return count, oldest


def deliveries() -> tuple[int, datetime | None]:
    """The same of what applications are to be told of; not of those that do not answer."""
    return listing.overdue(clock.now() - DELIVERIES)


def way_out() -> tuple[int, str | None]:
    """How many applications wait, and what was answered last, where nobody at all can be told."""
    return listing.takes_nobody()


def words() -> dict[str, str]:
    """Each in a word."""
    late = {"mails": mails()[0], "deliveries": deliveries()[0]}
    states = {part: "late" if count else "ok" for part, count in late.items()}
    if not late["deliveries"] and way_out()[0]:
        states["deliveries"] = "failing"
    return states
