"""The queue of deliveries: claimed by one worker at a time, in whatever order it finds them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import lazyload

from idp import clock
from idp.audit import events
from idp.clients.models import Client
from idp.database import db, release_connection, transaction, update_all
from idp.deliveries.models import EventDelivery
from idp.people.models import Account, Child
from idp.workers import growing_pause

BATCH: Final = 20
"""Deliveries to one application that a thread takes at once."""
LEASE: Final = timedelta(seconds=30)
"""How long they are its own: a batch is sent for ten seconds, its last one for five more."""
FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=15)
GIVE_UP_AFTER: Final = timedelta(hours=24)
ANSWER_LENGTH: Final = 200


@dataclass(frozen=True)
class Claimed:
    """A delivery that is this worker's for a while, with all that its token speaks of."""

    row: EventDelivery
    client: Client
    account: Account
    child: Child | None
    lease: datetime


def next_client(busy: Collection[str] = ()) -> str | None:
    """The application that waits longest, but for these. Without a lock: an idle worker must not
    take SQLite's only write lock each second.
    """
    due: str | None = db.session.scalar(
        select(EventDelivery.client_id)
        .where(*_due(clock.now()), EventDelivery.client_id.not_in(busy))
        .order_by(EventDelivery.due_at, EventDelivery.id)
        .limit(1)
    )
    release_connection()
    return due


def claim(client_id: str, limit: int = BATCH) -> list[Claimed]:
    """Take what is due for an application, what was tried least often first: one event that
    breaks it stands behind the others. What another worker holds is passed over.
    """
    now = clock.now()
    lease = now + LEASE
    taken = (
        select(EventDelivery.id)
        .where(*_due(now), EventDelivery.client_id == client_id)
        .order_by(EventDelivery.attempts, EventDelivery.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    with transaction() as session:
        ids = session.scalars(taken).all()
        if not ids:
            return []
        update_all(EventDelivery, EventDelivery.id.in_(ids), due_at=lease)
        rows = session.execute(
            select(EventDelivery, Client, Account, Child)
            .join(Client, Client.id == EventDelivery.client_id)
            .join(Account, Account.id == EventDelivery.account_id)
            .outerjoin(Child, Child.id == EventDelivery.child_id)
            .where(EventDelivery.id.in_(ids))
            .order_by(EventDelivery.attempts, EventDelivery.id)
            # Its inner join would leave out what is about no child
            .options(lazyload(Child.school))
            .execution_options(populate_existing=True)
        ).all()
    return [Claimed(row, client, account, child, lease) for row, client, account, child in rows]


def mark_delivered(these: Sequence[Claimed], answer: str) -> None:
    """Note that the application has taken these over, with what it answered to each."""
    with transaction():
        waits = and_(
            EventDelivery.id.in_([each.row.id for each in these]),
            EventDelivery.status == "waiting",
        )
        done = {"status": "told", "finished_at": clock.now(), "answer": answer}
        # Whoever was told is told, whoever holds the row by now
        if update_all(EventDelivery, waits, **done, attempts=EventDelivery.attempts + 1):
            events.record_rows(_event("application_told", each) for each in these)


def ended(one: Claimed, status: str, answer: str) -> None:
    """Note that an application will not be told of this any more, and why."""
    tried = int(status != "dropped")
    with transaction():
        done = _change(one, status=status, answer=answer, finished_at=clock.now(), tried=tried)
        if done and tried:
            events.record_rows([_event("application_not_told", one, result=status)])


def put_back(one: Claimed, answer: str) -> None:
    """Try again after a growing pause; after a day it is given up."""
    now = clock.now()
    if now - one.row.created_at > GIVE_UP_AFTER:
        ended(one, "given_up", answer)
        return
    pause = growing_pause(FIRST_PAUSE, one.row.attempts + 1, LONGEST_PAUSE)
    with transaction():
        _change(one, due_at=now + pause, answer=answer, tried=1)


def give_back(these: Sequence[Claimed], *, after: timedelta = timedelta(0)) -> None:
    """Leave these untried, to whoever takes them next; ``after``: not before."""
    if these:
        ids = [each.row.id for each in these]
        mine = and_(EventDelivery.id.in_(ids), _held(these[0]))
        update_all(EventDelivery, mine, due_at=clock.now() + after)


def spare(client_id: str) -> None:
    """An application did not answer: have all else that it is due wait for a moment, so that the
    others go first.
    """
    now = clock.now()
    update_all(
        EventDelivery, *_due(now), EventDelivery.client_id == client_id, due_at=now + FIRST_PAUSE
    )


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return EventDelivery.status == "waiting", EventDelivery.due_at <= now


def _held(one: Claimed) -> ColumnElement[bool]:
    """Nobody else has taken the row since."""
    return and_(EventDelivery.status == "waiting", EventDelivery.due_at == one.lease)


def _change(one: Claimed, *, tried: int, answer: str, **values: Any) -> bool:
    changed = update_all(
        EventDelivery,
        EventDelivery.id == one.row.id,
        _held(one),
        answer=answer[:ANSWER_LENGTH],
        attempts=EventDelivery.attempts + tried,
        **values,
    )
    return changed == 1


def _event(name: str, one: Claimed, **more: Any) -> dict[str, Any]:
    row = one.row
    return events.row(
        name,
        account_id=row.account_id,
        child_id=row.child_id,
        client_id=row.client_id,
        session_id=row.session_id,
        school_id=one.child.school_id if one.child else None,
        delivery=row.id,
        of=row.event,
        attempts=row.attempts + 1,
        **more,
    )
