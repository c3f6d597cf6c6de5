"""Many messages of one kind, due one after the other: a provider that gets 2,000 at once stops
taking any.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

from sqlalchemy import func, insert, select

from idp import clock
from idp.database import db, keyed_hash, opaque_id, transaction
from idp.mail.models import OutboxMessage

_CHUNK = 1_000
_new_id = opaque_id("m")


def enqueue_spread(kind: str, recipients: Iterable[tuple[str, str]], *, per_hour: int) -> int:
    """Queue a message for each (account's id, key of its address); returns how many.

    The first is due after the last of this kind that waits already, so that two imports in
    a row keep the rate together. Joins the caller's transaction.
    """
    gap = timedelta(seconds=3600 / per_hour)
    waiting = iter(recipients)
    queued = 0
    with transaction() as session:
        due = (first + gap * place for first in [_first_due(kind, gap)] for place in count())
        while chunk := list(islice(waiting, _CHUNK)):
            session.execute(insert(OutboxMessage), [_row(kind, *each, next(due)) for each in chunk])
            queued += len(chunk)
    return queued


def _first_due(kind: str, gap: timedelta) -> datetime:
    last: datetime | None = db.session.scalar(
        select(func.max(OutboxMessage.due_at)).where(
            OutboxMessage.status == "queued", OutboxMessage.kind == kind
        )
    )
    now = clock.now()
    return now if last is None or last + gap < now else last + gap


def _row(kind: str, account_id: str, email_key: str, due_at: datetime) -> dict[str, Any]:
    return {
        "id": _new_id(),
        "kind": kind,
        "account_id": account_id,
        "about": {},
        "recipient_hash": keyed_hash("mail recipient", email_key),
        "status": "queued",
        "attempts": 0,
        # The three days in which the worker tries again begin when it is due
        "created_at": due_at,
        "due_at": due_at,
    }
