"""Jobs that a worker holds whose clock was ahead when it was killed (security rule R5)."""

from datetime import datetime
from time import monotonic
from typing import Final

from idp.roster import jobs

STANDS_STILL: Final = 30.0
"""Seconds; a worker that is there, whatever its clock says, renews its lease each two."""


class Leases:
    """Those that no clock of today has set, and since when each stands still."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, datetime], float] = {}

    def bring_back(self) -> int:
        """End those that nobody renews any more; returns how many."""
        now = monotonic()
        far = jobs.load_far_leases().items()
        self._since = {lease: self._since.get(lease, now) for lease in far}
        over = [lease for lease, since in self._since.items() if now - since >= STANDS_STILL]
        return sum(jobs.end_lease(*lease) for lease in over)
