"""Deletes what has expired, from every table that grows (security rule R8).

Nothing depends on it: expiry is checked at use (rule P10), so a purge that never ran costs
room, not safety.
"""

from collections import Counter

from idp.purge.rules import GROWING, KEPT
from idp.purge.walking import BATCH, PAUSE, purged

__all__ = ["BATCH", "GROWING", "KEPT", "PAUSE", "purged", "run"]


def run(*, batch: int = BATCH, pause: float = PAUSE) -> dict[str, int]:
    """Purge every table; returns how many rows left each.

    ``batch``: rows in one transaction. ``pause``: seconds between two of them.
    """
    removed = Counter(dict.fromkeys((table.name for table in GROWING), 0))
    for table in GROWING:
        removed.update(purged(table, batch, pause))
    return dict(removed)
