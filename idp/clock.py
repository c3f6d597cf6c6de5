"""The only place that asks the time, so that tests can move it."""

from datetime import UTC, datetime, timedelta
from typing import Final

CLOCKS_DIFFER: Final = timedelta(minutes=1)
"""What another machine's clock may be ahead of this one's."""


def now() -> datetime:
    """The present, as an aware datetime in UTC."""
    return datetime.now(UTC)


def is_within(moment: datetime, period: timedelta) -> bool:
    """Whether this was at most so long ago (security rule R5).

    What lies further ahead was noted by a clock that was set back since: nobody knows how long ago
    it was, and it would count as new for as long as the clock was ahead.
    """
    return -CLOCKS_DIFFER <= now() - moment <= period


def timestamp() -> int:
    """The present, as whole seconds since 1970 (NumericDate of RFC 7519 §2)."""
    return int(now().timestamp())
