"""Origins of browser applications: which of them are registered now.

A worker keeps which applications have named which origin, so that it knows whom to ask about.
Whether one of these is in use, and names the origin still, the database tells each time, by its
version (``clients.kept``): what was taken away, or disabled, counts with the next request. An
origin that nobody is known to have named is looked for anew, once in a while.
"""

from collections import defaultdict
from threading import Lock
from time import monotonic
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select

from idp.clients import registration
from idp.clients.models import Client
from idp.database import db

PAUSE: Final = 1.0
"""Seconds between two readings of all registrations: a flood of unknown origins is not a flood of
these."""
SHARE: Final = 20
"""Of a worker's time a reading takes one part in so many, however many applications there are."""


class KeptOrigins:
    """Who has named which origin, as one worker has last read it: all that are registered."""

    def __init__(self) -> None:
        self._named: dict[str, list[str]] = {}
        self._not_before = 0.0
        self._lock = Lock()

    def is_registered(self, origin: str) -> bool:
        """Whether an application in use names this origin."""
        return self._is_named(origin) or (self._read_again() and self._is_named(origin))

    def is_known(self, origin: str) -> bool:
        """Whether one did when that was last read; asks nobody."""
        return origin in self._named

    def _is_named(self, origin: str) -> bool:
        named_by = (registration.find(each) for each in self._named.get(origin, ()))
        return any(each is not None and origin in each.metadata_["origins"] for each in named_by)

    def _read_again(self) -> bool:
        """Read who names what, unless that was done a moment ago."""
        with self._lock:
            if monotonic() < self._not_before:
                return False
            began = monotonic()
            self._named = _read()
            took = monotonic() - began
            self._not_before = began + max(PAUSE, took * SHARE)
        return True


_kept: Final[WeakKeyDictionary[Engine, KeptOrigins]] = WeakKeyDictionary()
"""Those of this worker, of each database that it reads."""


def is_registered(origin: str) -> bool:
    """Whether an application in use names this origin."""
    return _of_this_database().is_registered(origin)


def is_known(origin: str) -> bool:
    """Whether one did when this worker last read it: asked where the database may be away."""
    return _of_this_database().is_known(origin)


def _of_this_database() -> KeptOrigins:
    kept = _kept.get(db.engine)
    return kept if kept is not None else _kept.setdefault(db.engine, KeptOrigins())


def _read() -> dict[str, list[str]]:
    query = select(Client.id, Client.metadata_["origins"]).where(Client.disabled_at.is_(None))
    named = defaultdict(list)
    for client_id, origins in db.session.execute(query):
        for origin in origins or ():
            named[origin].append(client_id)
    return dict(named)
