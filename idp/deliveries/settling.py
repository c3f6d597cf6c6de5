"""What becomes of what was claimed: told, refused, put back, given up; in the audit log, too."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import lazyload

from idp import clock
from idp.audit import events
from idp.database import transaction, update_all
from idp.deliveries import pauses
from idp.deliveries.models import EventDelivery
from idp.deliveries.queue import WAITS, Claimed
from idp.people.models import Child
from idp.workers import growing_pause

GIVE_UP_AFTER: Final = timedelta(hours=24)
RELEASED_AT_ONCE: Final = 500
ANSWER_LENGTH: Final = 200


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
            events.record_rows(_event("application_told", each.row, each.child) for each in these)


def ended(one: Claimed, status: str, answer: str) -> None:
    """Note that an application will not be told of this any more, and why."""
    tried = int(status in {"refused", "given_up"})
    with transaction():
        done = _change(one, status=status, answer=answer, finished_at=clock.now(), tried=tried)
        if done and tried:
            event = _event("application_not_told", one.row, one.child, result=status)
            events.record_rows([event])


def put_back(one: Claimed, answer: str, *, away: bool = False) -> None:
    """Try again after a growing pause, or when the application is back (``away``); after a day it
    is given up.
    """
    now = clock.now()
    if now - one.row.created_at > GIVE_UP_AFTER:
        ended(one, "given_up", answer)
        return
    pause = growing_pause(pauses.FIRST, one.row.attempts + 1, pauses.LONGEST)
    with transaction():
        _change(one, due_at=now if away else now + pause, answer=answer, tried=1)


def give_up_old(client_id: str, answer: str) -> None:
    """Give up what an application that is spared was due for a day, tried or not."""
    while _give_up_some(client_id, answer) == RELEASED_AT_ONCE:
        pass


def _give_up_some(client_id: str, answer: str) -> int:
    now = clock.now()
    old = (EventDelivery.created_at < now - GIVE_UP_AFTER, EventDelivery.due_at <= now)
    with transaction() as session:
        rows = session.execute(
            select(EventDelivery, Child)
            .outerjoin(Child, Child.id == EventDelivery.child_id)
            .where(WAITS, EventDelivery.client_id == client_id, *old)
            .limit(RELEASED_AT_ONCE)
            .options(lazyload(Child.school))
            .with_for_update(skip_locked=True, of=EventDelivery)
        ).all()
        ids = [row.id for row, _child in rows]
        done = {"status": "given_up", "answer": answer[:ANSWER_LENGTH], "finished_at": now}
        if ids:
            update_all(EventDelivery, EventDelivery.id.in_(ids), **done)
            name, result = "application_not_told", "given_up"
            events.record_rows(_event(name, row, child, result=result) for row, child in rows)
    return len(rows)


def give_back(these: Sequence[Claimed], *, after: timedelta = timedelta(0)) -> None:
    """Leave these untried, to whoever takes them next; ``after``: not before."""
    if these:
        ids = [each.row.id for each in these]
        mine = and_(EventDelivery.id.in_(ids), _held(these[0]))
        update_all(EventDelivery, mine, due_at=clock.now() + after)


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


def _event(name: str, row: EventDelivery, child: Child | None, **more: Any) -> dict[str, Any]:
    return events.row(
        name,
        account_id=row.account_id,
        child_id=row.child_id,
        client_id=row.client_id,
        session_id=row.session_id,
        school_id=child.school_id if child else None,
        delivery=row.id,
        of=row.event,
        attempts=row.attempts + 1,
        **more,
    )
