"""How many forms of visitors who have proved nothing are kept (security rule N6).

Counted in this worker's memory: counting in the database would store for strangers, too. Over the
bound a form is answered all the same; only its equal is judged anew, and Back shows no text again.
"""

from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from flask import Flask, current_app

from idp import clock
from idp.credentials.throttling import address_prefix

OF_AN_ADDRESS = 1000
"""Forms kept in an hour; a school's evening for parents may share one address."""
OF_ALL: Final = 5000
HOUR: Final = timedelta(hours=1)
LONGEST_TYPED: Final = 2 * 1024
"""Characters: what the pages before the sign-in can ask for."""
LONGEST_OF_THE_SIGNED_OUT: Final = 16 * 1024
"""Characters of a form that was written for somebody whose session has ended since."""

_EXTENSION: Final = "idp.kept_for_strangers"


def init_app(app: Flask) -> None:
    """Begin to count."""
    app.extensions[_EXTENSION] = _Count()


def may_be_kept(address: str) -> bool:
    """Count a form of this address; false where enough are kept."""
    count: _Count = current_app.extensions[_EXTENSION]
    return count.add(address_prefix(address))


class _Count:
    """Never more entries than ``OF_ALL``: what is over the bound adds none."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._since: datetime | None = None
        self._kept: dict[str, int] = {}
        self._all = 0

    def add(self, sender: str) -> bool:
        now = clock.now()
        with self._lock:
            if self._since is None or not timedelta(0) <= now - self._since < HOUR:
                self._since, self._kept, self._all = now, {}, 0
            kept = self._kept.get(sender, 0)
            if kept >= OF_AN_ADDRESS or self._all >= OF_ALL:
                return False
            self._kept[sender], self._all = kept + 1, self._all + 1
            return True
