"""Figures of the whole platform: counted beside the pages, shown with the time of the count.

A sum over everybody takes longer the more families there are. Where they are few, a page counts
by itself, as it does for a school; where they are many, it shows what ``idp overview refresh``
counted last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import JSON, String, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from idp import clock
from idp.database import Model, UtcDateTime, db, retried, transaction
from idp.people.models import Account

COUNTED_BY_PAGES: Final = 20_000
"""Accounts up to which a page counts by itself."""
OLD: Final = timedelta(hours=2)
"""Figures that are older are late: they are counted every quarter of an hour."""


class PlatformCounts(Model):
    """Numbers of the platform under a name, as they were when they were counted."""

    __tablename__ = "platform_counts"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    numbers: Mapped[Any] = mapped_column(JSON)


@dataclass(frozen=True)
class Counted:
    """Numbers, and when they were counted; None: for this very page."""

    numbers: Any
    at: datetime | None = None


def are_counted_by_pages() -> bool:
    """Whether the platform is so small that a page may count it."""
    beyond = select(Account.id).order_by(Account.id).offset(COUNTED_BY_PAGES).limit(1)
    return db.session.scalar(beyond) is None


def counted(name: str, count: Callable[[], Any]) -> Counted | None:
    """The numbers of this name; ``count`` yields them as JSON has them.

    None where the platform is large, and nobody has counted yet.
    """
    if are_counted_by_pages():
        return Counted(count())
    row = db.session.get(PlatformCounts, name)
    return Counted(row.numbers, row.counted_at) if row else None


@retried
def keep(counted: Mapping[str, Any]) -> None:
    """Keep these numbers by name, in place of all that were kept."""
    with transaction() as writes:
        now = clock.now()
        for name, numbers in counted.items():
            writes.merge(PlatformCounts(name=name, counted_at=now, numbers=numbers))
        gone = PlatformCounts.name.not_in(list(counted))
        writes.execute(delete(PlatformCounts).where(gone))


def counted_at() -> datetime | None:
    """When the oldest of the figures was counted."""
    oldest = select(PlatformCounts.counted_at).order_by(PlatformCounts.counted_at).limit(1)
    return db.session.scalar(oldest)
