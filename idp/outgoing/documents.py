"""Public documents of others – metadata and keys – cached as their headers say, with limits."""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final, Generic, TypeVar

from idp import clock
from idp.outgoing import guarded
from idp.outgoing.guarded import Answer
from idp.outgoing.places import turn
from idp.outgoing.trouble import Busy, Trouble, WrongAnswer
from idp.outgoing.watch import SECONDS

log = logging.getLogger(__name__)

SHORTEST: Final = timedelta(minutes=1)
DEFAULT: Final = timedelta(hours=1)
LONGEST: Final = timedelta(days=1)
STALE: Final = timedelta(days=1)
"""For so long an old document is used while its server does not answer."""
PAUSE: Final = timedelta(minutes=1)
"""An unknown key asks for the key set again at most this often (security rule F10)."""
AFTER_FAILURE: Final = timedelta(seconds=10)
"""For so long nobody waits again for a client's server that was away."""
MOST: Final = 500
"""Documents of clients that a worker keeps; the one that was used least lately goes first."""

_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})")

T = TypeVar("T")


@dataclass(frozen=True)
class _Kept(Generic[T]):
    document: T
    fetched_at: datetime
    fresh_until: datetime


@dataclass(frozen=True)
class _Failed:
    trouble: Trouble
    at: datetime


class Cached(Generic[T]):
    """One document, kept in this worker.

    ``fetch`` asks for it; ``check`` gives the document as we use it, or raises ``WrongAnswer``.
    ``after_failure``: for so long it is not asked for again after that failed.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[], Answer],
        check: Callable[[Answer], T],
        *,
        after_failure: timedelta = timedelta(0),
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._check = check
        self._after_failure = after_failure
        self._kept: _Kept[T] | None = None
        self._failed: _Failed | None = None
        self._asked_again_at: datetime | None = None
        self._turn = Lock()

    @property
    def kept(self) -> T | None:
        """What is kept, fresh or not; asks nobody."""
        return self._kept.document if self._kept is not None else None

    def get(self) -> T:
        """The document, asked for where there is none or its time is over."""
        kept, now = self._kept, clock.now()
        if kept is not None and now < kept.fresh_until:
            return kept.document
        usable = kept is not None and now <= kept.fresh_until + STALE
        if kept is not None and usable and self._turn.locked():
            return kept.document  # somebody asks already
        try:
            with turn(self._turn, SECONDS):
                if self._kept is not None and self._kept is not kept:
                    return self._kept.document
                return self._ask()
        except Trouble as trouble:
            if kept is None or not usable:
                raise
            log.warning("%s is not renewed: %s", self._name, trouble.reason)
            return kept.document

    def again(self) -> T:
        """The document, asked for once more unless that was done within ``PAUSE``."""
        with turn(self._turn, SECONDS):
            kept, now = self._kept, clock.now()
            if kept is not None:
                last = max(self._asked_again_at or kept.fetched_at, kept.fetched_at)
                # A clock that was set back must not stop us for longer than the pause.
                if abs(now - last) < PAUSE:
                    return kept.document
            self._asked_again_at = now
            return self._ask()

    def _ask(self) -> T:
        failed = self._failed
        if failed is not None and abs(clock.now() - failed.at) < self._after_failure:
            raise type(failed.trouble)(failed.trouble.reason)
        try:
            answer = self._fetch()
            if answer.status != 200:
                raise WrongAnswer(f"{self._name}: status {answer.status}")
            document = self._check(answer)
        except Busy:
            raise
        except Trouble as trouble:
            self._failed = _Failed(trouble, clock.now())
            raise
        now = clock.now()
        self._kept = _Kept(document, now, now + _lifetime(answer))
        self._failed = None
        return document


class Documents(Generic[T]):
    """Documents that clients name, by their address: the newest ``most`` that were used."""

    def __init__(
        self,
        name: str,
        check: Callable[[Answer], T],
        *,
        most: int = MOST,
        accept: str = "application/json",
    ) -> None:
        self._name = name
        self._check = check
        self._most = most
        self._accept = accept
        self._by_address: OrderedDict[str, Cached[T]] = OrderedDict()
        self._lock = Lock()

    def at(self, address: str) -> Cached[T]:
        """The document of this address; it is asked for when it is read."""
        with self._lock:
            cached = self._by_address.get(address)
            if cached is None:
                cached = self._by_address[address] = Cached(
                    self._name,
                    lambda: guarded.fetch(address, accept=self._accept),
                    self._check,
                    after_failure=AFTER_FAILURE,
                )
            self._by_address.move_to_end(address)
            while len(self._by_address) > self._most:
                self._by_address.popitem(last=False)
        return cached


def _lifetime(answer: Answer) -> timedelta:
    control = answer.headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return SHORTEST
    match = _MAX_AGE.search(control)
    if not match:
        return DEFAULT
    return min(max(timedelta(seconds=int(match[1])), SHORTEST), LONGEST)
