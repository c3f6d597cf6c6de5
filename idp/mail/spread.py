"""Many messages of one kind, due one after the other: a provider that gets 2,000 at once stops
taking any.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from sqlalchemy import func, insert, select

from idp import clock
from idp.database import db, hashes, in_parts, keyed_hash, opaque_id, transaction, update_all
from idp.mail.models import OutboxMessage

SPREAD: Final = frozenset({"invitation", "guardianship_asked"})
"""The kinds that may be: their mails are due, and count as made, at a time to come."""
_CHUNK = 1_000
_new_id = opaque_id("m")


def enqueue_spread(
    kind: str,
    recipients: Iterable[tuple[str, str] | tuple[str, str, dict[str, Any]]],
    *,
    per_hour: int,
    after_others: bool = True,
) -> int:
    """Queue a message for each (account's id, key of its address, and what it is about where
    that is not the account alone); returns how many.

    The first is due after the last of this kind that waits already, so that two imports in
    a row keep the rate together; not so where a person asks for a few (``after_others``). Joins
    the caller's transaction. Raises ``ValueError`` for a kind that is not ``SPREAD``.
    """
    if kind not in SPREAD:
        raise ValueError(kind)
    gap = timedelta(seconds=3600 / per_hour)
    queued = 0
    with transaction() as session:
        first = _first_due(kind, gap) if after_others else clock.now()
        due = (first + gap * place for place in count())
        for chunk in in_parts(recipients, _CHUNK):
            session.execute(insert(OutboxMessage), [_row(kind, next(due), *each) for each in chunk])
            queued += len(chunk)
    return queued


def lately(kind: str, email_keys: Collection[str], period: timedelta) -> Counter[str]:
    """How many mails of a kind each of these addresses got within this time, or will get."""
    keys = {
        each: key for key in email_keys for each in hashes.all_of(keyed_hash("mail recipient", key))
    }
    counts: Counter[str] = Counter()
    for chunk in in_parts(keys, _CHUNK):
        query = (
            select(OutboxMessage.recipient_hash, func.count())
            .where(
                OutboxMessage.kind == kind,
                OutboxMessage.recipient_hash.in_(chunk),
                OutboxMessage.status.in_(("queued", "sent")),
                OutboxMessage.created_at > clock.now() - period,
            )
            .group_by(OutboxMessage.recipient_hash)
        )
        for hashed, times in db.session.execute(query):
            counts[keys[hashed or ""]] += times
    return counts


def accounts_mailed(kind: str, account_ids: Collection[str]) -> set[str]:
    """Those of these accounts that got a mail of a kind, as far back as is known, or will get."""
    mailed: set[str] = set()
    for chunk in in_parts(account_ids, _CHUNK):
        query = select(OutboxMessage.account_id).where(
            OutboxMessage.kind == kind,
            OutboxMessage.account_id.in_(chunk),
            OutboxMessage.status.in_(("queued", "sent")),
        )
        mailed.update(each for each in db.session.scalars(query) if each)
    return mailed


def bring_forward(kind: str, account_ids: Collection[str]) -> int:
    """Let what an import put off for these accounts leave now; returns how many messages."""
    now = clock.now()
    return update_all(
        OutboxMessage,
        OutboxMessage.kind == kind,
        OutboxMessage.account_id.in_(account_ids),
        OutboxMessage.status == "queued",
        OutboxMessage.attempts == 0,
        OutboxMessage.due_at > now,
        due_at=now,
        created_at=now,
    )


def _first_due(kind: str, gap: timedelta) -> datetime:
    last: datetime | None = db.session.scalar(
        select(func.max(OutboxMessage.due_at)).where(
            OutboxMessage.status == "queued", OutboxMessage.kind == kind
        )
    )
    now = clock.now()
    return now if last is None or last + gap < now else last + gap


def _row(
    kind: str,
    due_at: datetime,
    account_id: str,
    email_key: str,
    about: dict[str, Any] | None = None,
) -> dict[str, Any]:
    return {
        "id": _new_id(),
        "kind": kind,
        "account_id": account_id,
        "about": about or {},
        "recipient_hash": keyed_hash("mail recipient", email_key),
        "status": "queued",
        "attempts": 0,
        # The three days in which the worker tries again begin when it is due
        "created_at": due_at,
        "due_at": due_at,
    }
