"""What became of deliveries, for the desk and the terminal: newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select

from idp.clients.models import Client
from idp.database import db
from idp.deliveries import pauses
from idp.deliveries.models import DeliveryPause, EventDelivery

_SEVERAL: Final = 2
"""So many that fail together have something in common: us."""


@dataclass(frozen=True)
class Shown:
    """A delivery, and what its application is called."""

    row: EventDelivery
    application: str


def newest(*which: ColumnElement[bool], limit: int = 20) -> list[Shown]:
    """Those that meet these conditions on ``EventDelivery``; one query."""
    rows = db.session.execute(
        select(EventDelivery, Client.name)
        .join(Client, Client.id == EventDelivery.client_id)
        .where(*which)
        .order_by(EventDelivery.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return [Shown(row, name) for row, name in rows]


def of_client(client_id: str, limit: int = 20) -> list[Shown]:
    """What one application was told."""
    return newest(EventDelivery.client_id == client_id, limit=limit)


def overdue(before: datetime) -> tuple[int, datetime | None]:
    """How many are due since before this moment, and since when the first of them: not of those
    applications that are spared because they do not answer.
    """
    late = (
        EventDelivery.status == "waiting",
        EventDelivery.due_at < before,
        EventDelivery.client_id.not_in(pauses.spared()),
    )
    count, oldest = db.session.execute(
        select(func.count(), func.min(EventDelivery.due_at)).where(*late)
    ).one()
    return count, oldest


def takes_nobody() -> tuple[int, str | None]:
    """How many applications wait to be told where none of them could be reached for minutes, and
    what one answered last: then it is our own way out that leads nowhere. None where one alone
    waits, which would be its own fault.
    """
    long_spared = select(DeliveryPause.client_id).where(
        DeliveryPause.until.is_not(None), DeliveryPause.failures >= pauses.FOR_MINUTES
    )
    unreachable = db.session.scalars(long_spared).all()
    if len(unreachable) < _SEVERAL:
        return 0, None
    waiting = (EventDelivery.status == "waiting", EventDelivery.attempts > 0)
    others = select(EventDelivery.id).where(*waiting, EventDelivery.client_id.not_in(long_spared))
    if db.session.scalar(others.limit(1)) is not None:
        return 0, None
    answer = select(EventDelivery.answer).where(*waiting, EventDelivery.client_id == unreachable[0])
    return len(unreachable), db.session.scalar(answer.limit(1))


def waiting_long(before: datetime) -> Sequence[Any]:
    """Applications that were not told of what happened before this moment: id, name, of how many,
    and what came last.
    """
    return db.session.execute(
        select(
            Client.id,
            Client.name,
            func.count(EventDelivery.id),
            func.min(EventDelivery.created_at),
            func.max(EventDelivery.answer),
        )
        .join(Client, Client.id == EventDelivery.client_id)
        .where(EventDelivery.status == "waiting", EventDelivery.created_at < before)
        .group_by(Client.id, Client.name)
        .order_by(Client.name)
    ).all()
