"""Validity in time, read in one way: of roles, enrolments, terms, and pupils who leave.

The first and the last day count: what ends on 30 June holds on that day, and is over on the next,
by the calendar of the school's time zone (``IDP_TIMEZONE``).
"""

from datetime import date, datetime
from enum import Enum
from zoneinfo import ZoneInfo

from idp import clock, settings
from idp.roster import cells


class When(Enum):
    """Where a day lies to what is valid from one day to another."""

    NOW = "now"
    OVER = "over"
    LATER = "later"


def today() -> date:
    """The day that it is at the schools."""
    return clock.now().astimezone(_zone()).date()


def day(text: str) -> date | None:
    """A cell's day, of a moment that at the schools; None where it is neither."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return cells.day(text)
    return (moment.astimezone(_zone()) if moment.tzinfo else moment).date()


def when(begin: date | None, end: date | None, today: date) -> When:
    """Whether what holds from ``begin`` to ``end``, both included, holds on that day.

    What is said to end before it begins never held (rule N7).
    """
    if end is not None and (end < today or (begin is not None and end < begin)):
        return When.OVER
    return When.LATER if begin is not None and begin > today else When.NOW


def _zone() -> ZoneInfo:
    return ZoneInfo(settings.current().timezone)
