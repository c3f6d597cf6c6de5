"""Counts the figures of the whole platform, for the pages that show what was counted last."""

from zoneinfo import ZoneInfo

from idp import settings
from idp.desk.applications import addresses, use
from idp.desk.overview import platform
from idp.people import platform_counts


def refresh() -> int:
    """Count everything anew; returns how many applications there are."""
    used = use.count(ZoneInfo(settings.current().timezone))
    platform_counts.keep({platform.NAME: platform.count(), **used, **addresses.count()})
    return len(used)
