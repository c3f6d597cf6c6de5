"""What happened to an account, from the audit trail: for its owner, and of nobody else.

Only events on the account itself, of the kinds that mean something to its owner. Where an
event came from stays out: the network address of a refused attempt may be another person's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from idp.audit.models import AuditEvent
from idp.audit.vocabulary import VOCABULARY
from idp.database import db

PAGE: Final = 25
"""Events on one page."""

KINDS: Final = frozenset(name for name, event in VOCABULARY.items() if event.own)
"""Events that the history shows: those with words for the account's owner."""


@dataclass(frozen=True)
class Page:
    """Some events, the newest first. ``older``: what the next page begins before, if any."""

    events: list[AuditEvent]
    older: int | None


def page(account_id: str, before: int | None = None, *, size: int = PAGE) -> Page:
    """The account's events before the one numbered ``before``; one query, by its index."""
    rows = _newest(account_id, KINDS, before, size + 1)
    more = len(rows) > size
    return Page(rows[:size], rows[size - 1].id if more else None)


def everything(account_id: str, most: int) -> list[AuditEvent]:
    """The account's newest events of every kind, ``most`` at most, for its owner's download."""
    return _newest(account_id, None, None, most)


def _newest(
    account_id: str, kinds: Collection[str] | None, before: int | None, limit: int
) -> list[AuditEvent]:
    query = select(AuditEvent).where(AuditEvent.account_id == account_id)
    if kinds is not None:
        query = query.where(AuditEvent.event.in_(sorted(kinds)))
    if before is not None:
        query = query.where(AuditEvent.id < before)
    return list(db.session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit)))
