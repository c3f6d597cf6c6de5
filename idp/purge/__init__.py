"""Deletes what has expired, from every table that grows (security rule R8); ends and erases people
whom nobody needs any more (rule R16).

Nothing depends on it: expiry is checked at use (rule P10), so a purge that never ran costs
room, and keeps people longer than was said, but opens nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable

from idp.purge.ending import begins_at, end_people, list_due
from idp.purge.rules import GROWING, KEPT, PEOPLE
from idp.purge.walking import BATCH, PAUSE, count_useless_rows, purged

__all__ = [
    "BATCH",
    "GROWING",
    "KEPT",
    "PAUSE",
    "PEOPLE",
    "begins_at",
    "count_useless",
    "list_due",
    "purged",
    "run",
]


_log = logging.getLogger(__name__)


def run(
    *, batch: int = BATCH, pause: float = PAUSE, warn: Callable[[str], object] = _log.warning
) -> dict[str, int]:
    """Purge every table, then people; returns how many rows left each.

    ``batch``: rows in one transaction. ``pause``: seconds between two of them. ``warn`` is called
    with a sentence where people wait, because the clock can't be believed.
    """
    removed = Counter(dict.fromkeys((table.name for table in GROWING), 0))
    for table in GROWING:
        removed.update(purged(table, batch, pause))
    return {**removed, **end_people(batch, pause, warn)}


def count_useless() -> dict[str, int]:
    """How many rows of each table a purge would delete now; looks at all of them."""
    return {table.name: count_useless_rows(table) for table in GROWING}
