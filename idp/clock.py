"""The only place that asks the time, so that tests can move it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present, as an aware datetime in UTC."""
    return datetime.now(UTC)


def timestamp() -> int:
    """The present, as whole seconds since 1970 (NumericDate of RFC 7519 §2)."""
    return int(now().timestamp())
